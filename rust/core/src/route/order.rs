//! In which order the rules of a table are tried.

use super::host::HostMode;
use super::path::{PathMatch, PathSpecificity};
use super::rule::{Rule, UNSET_PRIORITY};
use std::cmp::Reverse;

/// The order of a table. Rules that an order does not tell apart stay as they are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precedence {
    /// As listed, like Envoy's routes.
    #[default]
    Listed,
    /// The lower priority number first (none counts as 1001), then the longer path, then an exact
    /// path before a regex before a prefix, then the rule that asks more, then the name.
    PriorityThenLength,
}

/// The place of a rule under [`Precedence::PriorityThenLength`]: the smaller one is tried first.
/// Each field decides only between rules that are equal in all the fields above it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ByPriorityThenLength<'r> {
    priority: u32,
    length: Reverse<usize>,
    kind: Reverse<PathSpecificity>,
    conditions: Reverse<usize>,
    name: &'r str,
}

impl<'r> From<&'r Rule> for ByPriorityThenLength<'r> {
    fn from(rule: &'r Rule) -> Self {
        let path = rule.path();
        Self {
            priority: rule.priority().unwrap_or(UNSET_PRIORITY),
            length: Reverse(path.map_or(0, PathMatch::length)),
            kind: Reverse(path.map_or(PathSpecificity::Prefix, PathMatch::specificity)),
            conditions: Reverse(rule.conditions()),
            name: rule.name(),
        }
    }
}

impl Precedence {
    /// Whose rules a request may get in this order, where the patterns of several fit its host.
    #[must_use]
    pub fn host_mode(self) -> HostMode {
        HostMode::Best
    }

    /// Puts `rules` in order.
    pub fn sort<R: AsRef<Rule>>(self, rules: &mut [R]) {
        match self {
            Self::Listed => {}
            Self::PriorityThenLength => {
                rules.sort_by(|a, b| {
                    ByPriorityThenLength::from(a.as_ref()).cmp(&ByPriorityThenLength::from(b.as_ref()))
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::{HeaderMatch, HeaderTest};
    use super::super::re2::Pattern;
    use super::*;
    use std::sync::Arc;

    fn rule(name: &str, priority: Option<u32>, path: PathMatch) -> Rule {
        let mut rule = Rule::named(name).with_path(path);
        rule.set_priority(priority);
        rule
    }

    /// The names after sorting, from both orders of listing, which must not matter.
    fn sorted(a: Rule, b: Rule) -> Vec<String> {
        let (a, b) = (Arc::new(a), Arc::new(b));
        let names = |mut rules: Vec<Arc<Rule>>| -> Vec<String> {
            Precedence::PriorityThenLength.sort(&mut rules);
            rules.iter().map(|rule| rule.name().to_owned()).collect()
        };
        let there = names(vec![a.clone(), b.clone()]);
        assert_eq!(there, names(vec![b, a]));
        there
    }

    #[test]
    fn the_lower_priority_number_comes_first() {
        let long = rule("long", Some(1), PathMatch::prefix("/long"));
        assert_eq!(sorted(long, rule("short", Some(0), PathMatch::prefix("/"))), ["short", "long"]);
    }

    #[test]
    fn no_priority_comes_after_1000() {
        let unset = rule("a", None, PathMatch::prefix("/long"));
        assert_eq!(sorted(unset, rule("b", Some(1000), PathMatch::prefix("/"))), ["b", "a"]);
        let unset = rule("a", None, PathMatch::prefix("/"));
        assert_eq!(sorted(unset, rule("b", Some(1001), PathMatch::prefix("/"))), ["a", "b"]);
    }

    #[test]
    fn the_longer_path_comes_first_whatever_its_kind() {
        let exact = rule("exact", None, PathMatch::exact("/a"));
        assert_eq!(sorted(exact, rule("prefix", None, PathMatch::prefix("/ab"))), ["prefix", "exact"]);
    }

    #[test]
    fn exact_comes_before_regex_before_prefix() {
        let exact = || rule("c", None, PathMatch::exact("/a"));
        let regex = || rule("b", None, PathMatch::regex(Pattern::new("/.").unwrap()));
        let prefix = || rule("a", None, PathMatch::prefix("/a"));
        assert_eq!(sorted(exact(), regex()), ["c", "b"]);
        assert_eq!(sorted(regex(), prefix()), ["b", "a"]);
    }

    #[test]
    fn the_rule_that_asks_more_comes_first() {
        let plain = rule("a", None, PathMatch::prefix("/a"));
        let mut asking = rule("b", None, PathMatch::prefix("/a"));
        asking.set_headers(vec![HeaderMatch::new("x", HeaderTest::Present(true), false, false).unwrap()]);
        assert_eq!(sorted(plain, asking), ["b", "a"]);
    }

    #[test]
    fn the_name_decides_at_last() {
        let rule = |name| rule(name, None, PathMatch::prefix("/a"));
        assert_eq!(sorted(rule("b"), rule("a")), ["a", "b"]);
    }

    #[test]
    fn listed_rules_stay_as_they_are() {
        let mut rules = ["b", "a"].map(|name| Arc::new(Rule::named(name)));
        Precedence::Listed.sort(&mut rules);
        assert_eq!(rules[0].name(), "b");
    }
}
