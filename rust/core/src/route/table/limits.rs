//! The bounds of a table, and what is said of one that passes them.

use super::bytes::NONE;
use crate::route::Rule;
use std::collections::BTreeSet;

/// The most memory that the programs of all regexes of a table may take, in bytes.
pub(super) const REGEX_LIMIT: usize = 256 << 20;

/// So many nodes of a trie may be walked for one text at most.
pub(super) const MAX_WAYS: u32 = 512;

/// Checks that the regexes of these rules, each counted once, are not too large together.
pub(super) fn check_regexes<'r>(rules: impl Iterator<Item = &'r Rule>, limit: usize) -> Result<(), TooLarge> {
    let (mut seen, mut size) = (BTreeSet::new(), 0);
    for rule in rules {
        for pattern in rule.patterns().filter(|pattern| pattern.program_size() > 0) {
            if seen.insert(pattern.source()) {
                size += pattern.program_size();
            }
        }
        if size > limit {
            return Err(TooLarge::Regexes(rule.name().to_owned()));
        }
    }
    Ok(())
}

/// Why a table is not built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TooLarge {
    /// It would take more than 32-bit numbers count.
    Places,
    /// With the regexes of the rule of this name, those of the table take more memory than is set
    /// aside for them.
    Regexes(String),
    /// The rule of this name and others are found by one text, ask for nothing else that could be
    /// looked up, and are too many to be tried one by one.
    Listed(String),
    /// The regex of the rule of this name and others cross: a text may begin with too many of them.
    Crossing(String),
    /// This host pattern is the last of a row of wildcards that fit one host, while all of them
    /// count.
    Hosts(String),
}

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Places => f.write_str(
                "the table is too large: more than 4294967294 bytes of text, or more places than can be \
                 counted (one host may have some 8 million different segments side by side); divide it \
                 into several tables",
            ),
            Self::Regexes(rule) => write!(
                f,
                "rule {rule:?}: with its regexes those of the table take more than {REGEX_LIMIT} bytes; \
                 leave some out, or write them as prefixes and segments such as '[^/]+', which take none"
            ),
            Self::Listed(rule) => write!(
                f,
                "rule {rule:?}: it and others of one path ask for nothing that can be looked up, and are too \
                 many to be tried one by one; give them paths of their own, or have them ask for values of \
                 one header that are exact, prefixes, suffixes or ranges and not inverted"
            ),
            Self::Crossing(rule) => write!(
                f,
                "rule {rule:?}: its regex and others cross, so that one text may begin with more than \
                 {MAX_WAYS} of them; leave some out, or give them beginnings of their own"
            ),
            Self::Hosts(pattern) => write!(
                f,
                "host {pattern:?}: too many wildcards fit one host, more than 16 suffixes or 16 prefixes; \
                 leave some out, or make virtual hosts of them, of which one counts"
            ),
        }
    }
}

impl std::error::Error for TooLarge {}

/// A place in an array as a 32-bit number.
pub(super) fn number(place: usize) -> Result<u32, TooLarge> {
    u32::try_from(place).ok().filter(|number| *number != NONE).ok_or(TooLarge::Places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{PathMatch, Pattern};

    #[test]
    fn too_many_regexes_are_refused_by_the_name_of_the_rule() {
        let rule = |name: &str, pattern: &str| {
            Rule::named(name).with_path(PathMatch::regex(Pattern::new(pattern).unwrap()))
        };
        let rules =
            [rule("a", "/(ab)*"), rule("rows", "/[^/]+"), rule("same", "/(ab)*"), rule("b", "/(ba)*")];
        let size = rules[0].patterns().map(Pattern::program_size).sum::<usize>();
        assert_eq!(check_regexes(rules[..3].iter(), size), Ok(()));
        let refused = check_regexes(rules.iter(), size).unwrap_err();
        assert_eq!(refused, TooLarge::Regexes("b".into()));
        assert!(refused.to_string().starts_with("rule \"b\": with its regexes"));
    }
}
