//! Memory that is not needed any more.

/// The tables that are worth it: of fewer rules little is left over.
const LARGE: usize = 10_000;

/// Gives back to the system what was allocated and freed again while a table of so many rules was built. The
/// allocator would keep it: more than half of what a large table takes in the end.
pub fn give_back(rules: usize) {
    if rules >= LARGE {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        // SAFETY: it may be called at any time, by any thread.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}
