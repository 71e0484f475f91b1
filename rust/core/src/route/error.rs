//! What can be wrong with a rule. Each error says which rule, which field, and why.

use super::re2::Refusal;
use crate::pick::WeightsError;
use std::fmt;

/// A rule that cannot be honoured.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleError {
    /// The name of the rule; empty while a part of it is made on its own.
    pub rule: String,
    /// The field of the rule, as a user writes it.
    pub field: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// A text that has to say something is empty.
    Empty,
    /// Fields of which one at most may be given.
    OneOf(&'static str),
    /// A prefix that is ended by a slash anyway.
    EndsWithSlash(String),
    /// Something after `?` or `#` can never equal the path of a request.
    NotAPath(String),
    /// A host that is none of `name`, `*.suffix`, `prefix.*`, `*`.
    Host(String),
    /// A header name that no request can carry.
    HeaderName(String),
    /// A regex that Envoy's RE2 refuses, or that would not mean the same here.
    Regex(String, Refusal),
    /// Weights that cannot be picked from.
    Weights(WeightsError),
    /// A gRPC method that is not `package.Service`, `package.Service/Method` or `*/Method`.
    Grpc(String),
    /// A number that is not within these bounds.
    OutOf(i64, i64, i64),
    /// A value that the named kind of match has no use for.
    Unused(&'static str),
}

impl RuleError {
    /// A fault in a field of a rule that has no name yet.
    pub(crate) fn of(field: impl Into<String>, fault: Fault) -> Self {
        Self { rule: String::new(), field: field.into(), fault }
    }

    /// The same fault, in the rule called `rule`.
    #[must_use]
    pub fn in_rule(self, rule: &str) -> Self {
        Self { rule: rule.to_owned(), ..self }
    }

    /// The same fault, in a field inside `outer`.
    #[must_use]
    pub fn inside(self, outer: &str) -> Self {
        Self { field: format!("{outer}.{}", self.field), ..self }
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.rule.is_empty() {
            write!(f, "rule {:?}: ", self.rule)?;
        }
        write!(f, "{}: {}", self.field, self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::OneOf(fields) => write!(f, "give at most one of {fields}"),
            Self::EndsWithSlash(text) => write!(f, "{text:?} ends with '/': leave it out, it is implied"),
            Self::NotAPath(text) => {
                write!(f, "{text:?} holds '?' or '#', but is compared with the path before them")
            }
            Self::Host(text) => {
                write!(f, "{text:?} is none of 'name', '*.suffix', 'prefix.*' and '*' (one '*', at one end)")
            }
            Self::HeaderName(text) => write!(f, "{text:?} is not the name of a header"),
            Self::Regex(text, refusal) => write!(f, "{text:?}: {refusal}"),
            Self::Weights(error) => error.fmt(f),
            Self::Grpc(text) => {
                write!(f, "{text:?} is none of 'package.Service', 'package.Service/Method' and '*/Method'")
            }
            Self::OutOf(number, least, most) => write!(f, "{number} is not in {least}..={most}"),
            Self::Unused(kind) => write!(f, "does nothing with {kind}"),
        }
    }
}

impl std::error::Error for RuleError {}
