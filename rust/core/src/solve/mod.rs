//! Solving: from shares of 1 to whole units.

mod allocate;

pub use allocate::{AllocateError, allocate};
