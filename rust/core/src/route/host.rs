//! Hosts: which virtual host a request belongs to.

use super::error::{Fault, RuleError};
use memchr::memrchr;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// One host that a rule serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// This host and no other; a port is part of it.
    Exact(Arc<str>),
    /// `*` and then this: at least one byte more, dots or not.
    Suffix(Arc<str>),
    /// This and then `*`: at least one byte more.
    Prefix(Arc<str>),
    /// Every host, and none.
    Any,
}

/// A host of a request in lower case: hosts are compared without regard to case.
pub struct Host<'a>(pub &'a [u8]);

/// Whose rules a request may get, where the patterns of several fit its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostMode {
    /// Those of the pattern that fits best, and no others: Envoy's virtual hosts.
    #[default]
    Best,
    /// Those of the pattern that fits best; where none of them matches, those of the next best:
    /// hostnames of Gateway API routes, where the more specific one comes before anything else.
    InTurn,
    /// Those of all patterns that fit, in the one order of the table: the host is a condition of
    /// each rule like any other.
    Together,
}

impl HostPattern {
    /// Reads `name`, `*.suffix`, `prefix.*` or `*`, as Envoy's domains are written.
    ///
    /// # Errors
    /// An empty text, or a `*` anywhere but at one end.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let lower = text.to_ascii_lowercase();
        let (pattern, rest): (fn(Arc<str>) -> Self, &str) =
            match (lower.strip_prefix('*'), lower.strip_suffix('*')) {
                (Some(""), _) => return Ok(Self::Any),
                (Some(rest), _) => (Self::Suffix, rest),
                (None, Some(rest)) => (Self::Prefix, rest),
                (None, None) => (Self::Exact, &lower),
            };
        if rest.is_empty() || rest.contains('*') || rest.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(RuleError::of("hosts", Fault::Host(text.to_owned())));
        }
        Ok(pattern(rest.into()))
    }

    /// Whether `host`, in lower case, is one of this pattern's.
    #[must_use]
    pub fn matches(&self, host: &Host<'_>) -> bool {
        let Host(host) = host;
        match self {
            Self::Any => true,
            Self::Exact(text) => *host == text.as_bytes(),
            Self::Suffix(text) => host.len() > text.len() && host.ends_with(text.as_bytes()),
            Self::Prefix(text) => host.len() > text.len() && host.starts_with(text.as_bytes()),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => f.write_str(text),
            Self::Suffix(text) => write!(f, "*{text}"),
            Self::Prefix(text) => write!(f, "{text}*"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// `host` without its port: what stands before the last colon, unless that is one of an IPv6
/// address in brackets. What follows the colon need not be a number.
#[must_use]
pub fn without_port(host: &[u8]) -> &[u8] {
    let last = |wanted: u8| memrchr(wanted, host);
    match (last(b':'), last(b']')) {
        (Some(colon), bracket) if bracket.is_none_or(|bracket| bracket < colon) => {
            host.get(..colon).unwrap_or(host)
        }
        _ => host,
    }
}

/// What a request's host is looked up in, one value `T` a pattern.
#[derive(Debug, Clone)]
pub(crate) struct HostMap<T>(BTreeMap<HostPattern, T>);

impl<T> HostMap<T> {
    pub(crate) fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(crate) fn get_mut(&mut self, pattern: &HostPattern) -> Option<&mut T> {
        self.0.get_mut(pattern)
    }

    pub(crate) fn entry(
        &mut self,
        pattern: HostPattern,
    ) -> std::collections::btree_map::Entry<'_, HostPattern, T> {
        self.0.entry(pattern)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&HostPattern, &T)> {
        self.0.iter()
    }

    /// The patterns that fit `host`, the best first: the exact one, then suffixes and then
    /// prefixes, the longer ones first, then `*`.
    pub(crate) fn find_all(&self, host: &[u8]) -> Vec<(&HostPattern, &T)> {
        let host = host.to_ascii_lowercase();
        let host = Host(&host);
        let rank = |pattern: &HostPattern| match pattern {
            HostPattern::Exact(_) => (3, 0),
            HostPattern::Suffix(text) => (2, text.len()),
            HostPattern::Prefix(text) => (1, text.len()),
            HostPattern::Any => (0, 0),
        };
        let mut fitting: Vec<_> = self.0.iter().filter(|(pattern, _)| pattern.matches(&host)).collect();
        fitting.sort_by_key(|(pattern, _)| Reverse(rank(pattern)));
        fitting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best<'p>(patterns: &[&'p str], host: &str) -> Option<&'p str> {
        let mut map = HostMap::new();
        for pattern in patterns {
            map.entry(HostPattern::parse(pattern).unwrap()).or_insert(*pattern);
        }
        map.find_all(host.as_bytes()).first().map(|(_, pattern)| **pattern)
    }

    #[test]
    fn exact_beats_suffix_beats_prefix_beats_any() {
        let all = ["*", "a.*", "*.b.com", "a.b.com"];
        assert_eq!(best(&all, "a.b.com"), Some("a.b.com"));
        assert_eq!(best(&all, "x.b.com"), Some("*.b.com"));
        assert_eq!(best(&all, "a.x"), Some("a.*"));
        assert_eq!(best(&all, "x"), Some("*"));
        assert_eq!(best(&all, ""), Some("*"));
        assert_eq!(best(&["a.*", "*.com"], "a.com"), Some("*.com"));
    }

    #[test]
    fn the_longest_wildcard_wins() {
        assert_eq!(best(&["*.com", "*.b.com", "*com"], "a.b.com"), Some("*.b.com"));
        assert_eq!(best(&["a.*", "a.b.*", "a*"], "a.b.com"), Some("a.b.*"));
    }

    #[test]
    fn a_wildcard_stands_for_at_least_one_byte() {
        assert_eq!(best(&["*.b.com"], "x.y.b.com"), Some("*.b.com"));
        assert_eq!(best(&["*.b.com"], "b.com"), None);
        assert_eq!(best(&["*.b.com"], ".b.com"), None);
        assert_eq!(best(&["c.*"], "c."), None);
        assert_eq!(best(&["c.*"], "c.foo"), Some("c.*"));
    }

    #[test]
    fn case_is_ignored_and_the_port_is_part_of_the_host() {
        assert_eq!(best(&["A.b"], "a.B"), Some("A.b"));
        assert_eq!(best(&["a.b"], "a.b:80"), None);
        assert_eq!(best(&["a.b:80"], "a.b:80"), Some("a.b:80"));
        assert_eq!(best(&["a.b"], "a.b."), None);
    }

    #[test]
    fn a_port_is_what_follows_the_last_colon_outside_of_brackets() {
        for (host, bare) in [
            ("a.b:80", "a.b"),
            ("a.b", "a.b"),
            ("a.b:", "a.b"),
            ("a:b:x", "a:b"),
            ("[::1]", "[::1]"),
            ("[::1]:80", "[::1]"),
            (":80", ""),
            ("", ""),
        ] {
            assert_eq!(without_port(host.as_bytes()), bare.as_bytes(), "{host}");
        }
    }

    #[test]
    fn a_star_stands_at_one_end_only() {
        for bad in ["", "a*b", "*a*", "**", "a\n"] {
            assert!(HostPattern::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(HostPattern::parse("*-x.com").unwrap().to_string(), "*-x.com");
    }
}
