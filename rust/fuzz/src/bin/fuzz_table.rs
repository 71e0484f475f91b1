//! `make fuzz`: tables against their models, on bytes that a fuzzer chooses.
//! Without a fuzzer: runs the files that are named, such as one that it left behind.
#![cfg_attr(fuzzing, no_main)]

use trimtab_fuzz::check_table;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| check_table(data));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    for path in std::env::args_os().skip(1) {
        check_table(&std::fs::read(path)?);
    }
    Ok(())
}
