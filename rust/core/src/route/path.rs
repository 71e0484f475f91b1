//! Path matchers. All of them look at the path before the query.

use super::error::{Fault, RuleError};
use super::re2::Pattern;
use super::request::Request;
use super::text::{TextKind, TextMatch};
use std::fmt;

/// What is asked of the path.
#[derive(Debug, Clone)]
pub enum PathMatch {
    /// It is, or begins with, a text (regex: it matches as a whole).
    Text(TextMatch),
    /// Anything: what an empty prefix asks.
    Any,
    /// It is the text, or continues it with a slash: `/s` matches `/s`, `/s/` and `/s/x`, not `/sx`.
    Separated {
        /// The text, without a slash at its end.
        prefix: Box<str>,
        /// ASCII letters compare equal in either case.
        ignore_case: bool,
    },
}

impl PathMatch {
    /// The whole path.
    #[must_use]
    pub fn exact(path: &str) -> Self {
        Self::text(TextKind::Exact(path.into()), false)
    }

    /// The beginning of the path, wherever it ends: `/s` matches `/sx` too.
    #[must_use]
    pub fn prefix(prefix: &str) -> Self {
        Self::text(TextKind::Prefix(prefix.into()), false)
    }

    /// The whole path, against a regex.
    #[must_use]
    pub fn regex(pattern: Pattern) -> Self {
        Self::text(TextKind::Regex(pattern), false)
    }

    fn text(kind: TextKind, ignore_case: bool) -> Self {
        // The one thing a text match refuses here is an empty prefix.
        TextMatch::new(kind, ignore_case).map_or(Self::Any, Self::Text)
    }

    /// The beginning of the path, ended by a slash or by the end of the path.
    ///
    /// # Errors
    /// Where Envoy refuses it: an empty text, one that ends with a slash, or holds `?` or `#`.
    pub fn separated(prefix: &str, ignore_case: bool) -> Result<Self, RuleError> {
        let fault = match prefix.as_bytes() {
            [] => Fault::Empty,
            [.., b'/'] => Fault::EndsWithSlash(prefix.to_owned()),
            _ if prefix.contains(['?', '#']) => Fault::NotAPath(prefix.to_owned()),
            _ => return Ok(Self::Separated { prefix: prefix.into(), ignore_case }),
        };
        Err(RuleError::of("path_separated_prefix", fault))
    }

    /// The same, with ASCII letters equal in either case.
    ///
    /// # Errors
    /// For a regex: write `(?i)` in it instead.
    pub fn ignoring_case(self) -> Result<Self, RuleError> {
        match self {
            Self::Text(text) => TextMatch::new(text.kind().clone(), true).map(Self::Text),
            Self::Any => Ok(Self::Any),
            Self::Separated { prefix, .. } => Ok(Self::Separated { prefix, ignore_case: true }),
        }
    }

    /// Whether `request` passes.
    #[must_use]
    pub fn matches(&self, request: &Request<'_>) -> bool {
        self.matches_path(request.path())
    }

    /// Whether `path`, without its query, passes.
    #[must_use]
    pub fn matches_path(&self, path: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Text(text) => text.test(path),
            Self::Separated { prefix, ignore_case } => {
                let Some((start, rest)) = path.split_at_checked(prefix.len()) else { return false };
                let same = if *ignore_case {
                    start.eq_ignore_ascii_case(prefix.as_bytes())
                } else {
                    start == prefix.as_bytes()
                };
                same && matches!(rest, [] | [b'/', ..])
            }
        }
    }

    /// The length of the text in bytes: what orders rules of equal priority.
    #[must_use]
    pub fn length(&self) -> usize {
        match self {
            Self::Any => 0,
            Self::Separated { prefix, .. } => prefix.len(),
            Self::Text(text) => text.kind().text().len(),
        }
    }

    /// How much the kind says: exact more than a regex, a regex more than a prefix.
    #[must_use]
    pub fn specificity(&self) -> PathSpecificity {
        match self {
            Self::Text(text) => match text.kind() {
                TextKind::Exact(_) => PathSpecificity::Exact,
                TextKind::Regex(_) => PathSpecificity::Regex,
                _ => PathSpecificity::Prefix,
            },
            Self::Separated { .. } | Self::Any => PathSpecificity::Prefix,
        }
    }
}

/// The kinds of path matchers, the one that says least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathSpecificity {
    /// A beginning.
    Prefix,
    /// A pattern.
    Regex,
    /// The path itself.
    Exact,
}

impl fmt::Display for PathMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("path must ")?;
        match self {
            Self::Any => f.write_str("be anything"),
            Self::Text(text) => text.fmt(f),
            Self::Separated { prefix, ignore_case } => {
                write!(f, "be {prefix:?} or continue it with '/'")?;
                if *ignore_case { f.write_str(" in any case") } else { Ok(()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(path: &PathMatch, target: &str) -> bool {
        path.matches(&Request::to(target.as_bytes()))
    }

    #[test]
    fn the_query_is_no_part_of_the_path() {
        assert!(passes(&PathMatch::exact("/a"), "/a?b"));
        assert!(!passes(&PathMatch::exact("/a?b"), "/a?b"));
        assert!(!passes(&PathMatch::prefix("/a?"), "/a?b"));
        assert!(passes(&PathMatch::regex(Pattern::new("/a|/ab").unwrap()), "/ab?b"));
    }

    #[test]
    fn a_prefix_is_plain_bytes() {
        assert!(passes(&PathMatch::prefix("/s"), "/sx"));
        assert!(!passes(&PathMatch::prefix("/s"), "//s"));
        assert!(!passes(&PathMatch::exact("/1"), "/%31"));
        assert!(passes(&PathMatch::prefix(""), ""));
    }

    #[test]
    fn a_separated_prefix_ends_at_a_slash() {
        let path = PathMatch::separated("/s", false).unwrap();
        for target in ["/s", "/s/", "/s/x", "/s?q", "/s/?q"] {
            assert!(passes(&path, target), "{target}");
        }
        for target in ["/sx", "/", "", "/S"] {
            assert!(!passes(&path, target), "{target}");
        }
        assert!(passes(&path.ignoring_case().unwrap(), "/S/x"));
        for bad in ["", "/", "/s/", "/s?q", "/s#f"] {
            assert!(PathMatch::separated(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_kinds_are_ordered() {
        assert!(PathSpecificity::Exact > PathSpecificity::Regex);
        assert!(PathSpecificity::Regex > PathSpecificity::Prefix);
    }
}
