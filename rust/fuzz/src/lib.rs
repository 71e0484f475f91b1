//! Rules and requests made of any bytes, and what must hold for them whatever they are.
//!
//! The bytes may come from a fuzzer, which learns which of them lead where, or from chance.

mod bytes;
mod check;
mod requests;
mod rules;

pub use bytes::Bytes;
pub use check::{build, check_regex, check_table, compare};
pub use requests::{Asked, asked};
pub use rules::{Table, table};
