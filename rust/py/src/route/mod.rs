//! `trimtab_core::route` for Python.

mod answers;
mod columns;
mod headers;
mod many;
mod matched;
mod matchers;
mod request;
mod rule;
mod short;
mod table;
mod update;

pub use matched::Match;
pub use matchers::{HeaderMatch, QueryMatch};
pub use request::text;
pub use rule::{Rule, parse_targets};
pub use short::install;
pub use table::RouteTable;
