//! Routes: what a request looks like, what a rule asks of it, and which rule wins.
//!
//! A [`Request`] is compared with [`Rule`]s that were checked when they were made. A table puts
//! the rules in order ([`Precedence`]), finds the virtual host by the request's host and answers
//! with the first rule of it that matches, as Envoy does.

mod chunked;
mod error;
mod header;
mod host;
mod linear;
mod order;
mod path;
mod query;
mod re2;
mod request;
mod rule;
mod table;
mod text;

pub use chunked::Chunked;
pub use error::{Fault, RuleError};
pub use header::{HeaderMatch, HeaderTest};
pub use host::{Host, HostMode, HostPattern, without_port};
pub use linear::{LinearTable, Outcome, VirtualHosts};
pub use order::Precedence;
pub use path::PathMatch;
pub use query::{QueryMatch, QueryTest};
pub use re2::{Pattern, Refusal, translate as translate_re2};
pub use request::{Headers, NoHeaders, Request};
pub use rule::{Grpc, Mismatch, Rule, Target, UNSET_PRIORITY};
pub use table::bytes::Edges;
pub use table::{AskedValue, AskedValues, HostRules, RouteTable, TooLarge, UpdateError};
pub use text::{TextKind, TextMatch};
