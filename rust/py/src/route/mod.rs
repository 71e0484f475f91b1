//! `trimtab_core::route` and `trimtab_core::pick` for Python.

mod headers;
mod matchers;
mod request;
mod rule;
mod table;

pub use matchers::{HeaderMatch, QueryMatch};
pub use rule::Rule;
pub use table::{Match, RouteTable};
