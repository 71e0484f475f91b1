//! What the compiler is told of branches, so that the usual way goes straight on.

use std::hint::cold_path;

/// Says that something mostly holds: what is done then goes straight on, and the other lies elsewhere.
#[expect(clippy::inline_always, reason = "all of it is what is said of a branch")]
#[inline(always)]
#[must_use]
pub fn likely(is: bool) -> bool {
    if is {
        true
    } else {
        cold_path();
        false
    }
}

/// Says the same of what mostly does not hold.
#[expect(clippy::inline_always, reason = "as for `likely`")]
#[inline(always)]
#[must_use]
pub fn unlikely(is: bool) -> bool {
    if is {
        cold_path();
        true
    } else {
        false
    }
}

/// What nearly always is there, or what stands for it.
#[expect(clippy::inline_always, reason = "as for `likely`")]
#[inline(always)]
#[must_use]
pub fn usual<T>(what: Option<T>, otherwise: T) -> T {
    if let Some(what) = what {
        what
    } else {
        cold_path();
        otherwise
    }
}
