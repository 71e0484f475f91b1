//! `make fuzz`: regexes against their translations, on bytes that a fuzzer chooses.
//! Without a fuzzer: runs the files that are named, such as one that it left behind.
#![cfg_attr(fuzzing, no_main)]

use trimtab_fuzz::check_regex;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| check_regex(data));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    for path in std::env::args_os().skip(1) {
        check_regex(&std::fs::read(path)?);
    }
    Ok(())
}
