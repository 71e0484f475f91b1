//! The deciding half of Trimtab: which route a request gets, which target of it, and how many
//! units each target has. No input or output, no clock, no chance: all three are arguments.
//!
//! ```
//! use trimtab_core::route::{LinearTable, PathMatch, Precedence, Request, Rule, Target};
//!
//! let rule = Rule::named("cart")
//!     .with_path(PathMatch::prefix("/cart"))
//!     .with_targets(vec![Target::new("v1", 90), Target::new("v2", 10)])
//!     .checked()?;
//! let table = LinearTable::from_rules(vec![rule.into()], Precedence::Listed);
//! let rule = table.find(&Request::to(b"/cart/1?q=x")).and_then(|rank| table.rule(rank));
//! assert_eq!(rule.and_then(|r| r.pick(95)).map(|t| t.name()), Some("v2"));
//! # Ok::<(), trimtab_core::route::RuleError>(())
//! ```

pub mod likely;
pub mod pick;
pub mod route;
pub mod solve;
