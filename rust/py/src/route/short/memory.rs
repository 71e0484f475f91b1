//! Memory of tables. Where it can be had it comes from jemalloc, in huge pages: a request at random
//! reads from all over a large table, and waits as long for where a page lies as for what is in it.

/// The tables that are worth it: of fewer rules little is left over.
const LARGE: usize = 10_000;

/// Gives back to the system what was allocated and freed again while a table of so many rules was built. The
/// allocator would keep it for a while: more than what a large table takes in the end.
pub fn give_back(rules: usize) {
    if rules >= LARGE {
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        linux::purge();
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod linux {
    use std::ffi::{CStr, c_char};
    use std::ptr;
    use tikv_jemallocator::Jemalloc;

    #[global_allocator]
    static ALLOCATOR: Jemalloc = Jemalloc;

    /// Asks for huge pages, which most systems give to those only who ask. Read by jemalloc when it starts.
    // SAFETY: the name that jemalloc looks for, a pointer to a text that ends with zero, and nobody else's.
    #[unsafe(export_name = "_rjem_malloc_conf")]
    static OPTIONS: &c_char = first(c"thp:always");

    /// What a text is for C: its first byte.
    const fn first(text: &'static CStr) -> &'static c_char {
        // SAFETY: a text that ends with zero has a first byte.
        unsafe { &*text.as_ptr() }
    }

    /// All arenas, as jemalloc names them.
    const PURGE: &CStr = c"arena.4096.purge";

    pub(super) fn purge() {
        // SAFETY: it may be called at any time, by any thread; nothing is read or written.
        unsafe {
            tikv_jemalloc_sys::mallctl(PURGE.as_ptr(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), 0)
        };
    }
}
