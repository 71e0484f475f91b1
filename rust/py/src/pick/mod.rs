//! `trimtab_core::pick` for Python.

mod choice;
mod picker;

pub use choice::Choice;
pub use picker::Picker;
