//! In which order the rules of a table are tried.

use super::host::HostMode;
use super::path::{PathMatch, PathSpecificity};
use super::rule::{Grpc, Rule, UNSET_PRIORITY};
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
    /// Gateway API's: the more specific host first ([`HostMode::InTurn`]); of one host the longer
    /// gRPC service, then the longer gRPC method; an exact path before a regex before a prefix,
    /// then the longer one; then the rule that names a method; then more headers, more query
    /// parameters, the older route (the lower priority number), the name.
    GatewayApi,
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

/// The place of a rule under [`Precedence::GatewayApi`], among those of one host, in the same way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ByGatewayApi<'r> {
    service: Reverse<usize>,
    grpc_method: Reverse<usize>,
    kind: Reverse<PathSpecificity>,
    length: Reverse<usize>,
    names_method: Reverse<bool>,
    headers: Reverse<usize>,
    query: Reverse<usize>,
    age: u32,
    name: &'r str,
}

impl<'r> From<&'r Rule> for ByGatewayApi<'r> {
    fn from(rule: &'r Rule) -> Self {
        let path = rule.path();
        let (service, method) = rule.grpc().map_or((0, 0), Grpc::lengths);
        Self {
            service: Reverse(service),
            grpc_method: Reverse(method),
            kind: Reverse(path.map_or(PathSpecificity::Prefix, PathMatch::specificity)),
            length: Reverse(path.map_or(0, PathMatch::length)),
            names_method: Reverse(!rule.methods().is_empty()),
            headers: Reverse(rule.headers().len()),
            query: Reverse(rule.query().len()),
            age: rule.priority().unwrap_or(u32::MAX),
            name: rule.name(),
        }
    }
}

impl Precedence {
    /// Whose rules a request may get in this order, where the patterns of several fit its host.
    #[must_use]
    pub fn host_mode(self) -> HostMode {
        match self {
            Self::Listed | Self::PriorityThenLength => HostMode::Best,
            Self::GatewayApi => HostMode::InTurn,
        }
    }

    /// Puts `rules` in order.
    pub fn sort<R: AsRef<Rule>>(self, rules: &mut [R]) {
        match self {
            Self::Listed => {}
            Self::PriorityThenLength => rules.sort_by(|a, b| {
                ByPriorityThenLength::from(a.as_ref()).cmp(&ByPriorityThenLength::from(b.as_ref()))
            }),
            Self::GatewayApi => {
                rules.sort_by(|a, b| ByGatewayApi::from(a.as_ref()).cmp(&ByGatewayApi::from(b.as_ref())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::{HeaderMatch, HeaderTest};
    use super::super::host::HostPattern;
    use super::super::linear::LinearTable;
    use super::super::query::{QueryMatch, QueryTest};
    use super::super::re2::Pattern;
    use super::super::request::Request;
    use super::*;
    use std::sync::Arc;

    fn rule(name: &str, priority: Option<u32>, path: PathMatch) -> Rule {
        let mut rule = Rule::named(name).with_path(path);
        rule.set_priority(priority);
        rule
    }

    fn sorted(a: Rule, b: Rule) -> Vec<String> {
        sorted_by(Precedence::PriorityThenLength, a, b)
    }

    /// The names after sorting, from both orders of listing, which must not matter.
    fn sorted_by(order: Precedence, a: Rule, b: Rule) -> Vec<String> {
        let (a, b) = (Arc::new(a), Arc::new(b));
        let names = |mut rules: Vec<Arc<Rule>>| -> Vec<String> {
            order.sort(&mut rules);
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

    fn by_gateway(first: Rule, second: Rule) {
        let expected = [first.name().to_owned(), second.name().to_owned()];
        assert_eq!(sorted_by(Precedence::GatewayApi, second, first), expected);
    }

    fn grpc(name: &str, calls: &str) -> Rule {
        let mut rule = Rule::named(name);
        rule.set_grpc(&Grpc::parse(calls).unwrap()).unwrap();
        rule
    }

    fn asking(name: &str, headers: usize, query: usize) -> Rule {
        let mut rule = rule(name, None, PathMatch::prefix("/a"));
        let header = HeaderMatch::new("x", HeaderTest::Present(true), false, false).unwrap();
        rule.set_headers(vec![header; headers]);
        rule.set_query(vec![QueryMatch::new("k", QueryTest::Present(true)).unwrap(); query]);
        rule
    }

    #[test]
    fn gateway_api_has_the_more_specific_host_before_anything_else() {
        let hosted = |name, host, path| {
            rule(name, None, path).with_hosts(vec![HostPattern::parse(host).unwrap()]).checked().unwrap()
        };
        let rules = [
            hosted("any", "*", PathMatch::exact("/a/b")),
            hosted("wild", "*.x", PathMatch::exact("/a/b")),
            hosted("longer", "*.b.x", PathMatch::exact("/a/b")),
            hosted("exact", "a.b.x", PathMatch::prefix("/a")),
        ];
        let table = LinearTable::from_rules(rules.map(Arc::new).to_vec(), Precedence::GatewayApi);
        let found = |host: &[u8], path: &[u8]| {
            let rank = table.find(&Request { host, ..Request::to(path) });
            rank.and_then(|rank| table.rule(rank)).map(Rule::name)
        };
        assert_eq!(found(b"a.b.x", b"/a/b"), Some("exact"));
        assert_eq!(found(b"c.b.x", b"/a/b"), Some("longer"));
        assert_eq!(found(b"c.x", b"/a/b"), Some("wild"));
        assert_eq!(found(b"c", b"/a/b"), Some("any"));
    }

    #[test]
    fn gateway_api_tries_the_next_host_where_none_of_the_first_matches() {
        let hosted = |host| {
            let path = PathMatch::exact(if host == "*" { "/" } else { "/a" });
            rule(host, None, path).with_hosts(vec![HostPattern::parse(host).unwrap()]).checked().unwrap()
        };
        let rules = ["a.x", "*"].map(|host| Arc::new(hosted(host)));
        let table = LinearTable::from_rules(rules.to_vec(), Precedence::GatewayApi);
        let rank = table.find(&Request { host: b"a.x", ..Request::to(b"/") });
        assert_eq!(rank.and_then(|rank| table.rule(rank)).map(Rule::name), Some("*"));
    }

    #[test]
    fn gateway_api_has_an_exact_path_before_any_other() {
        by_gateway(
            rule("b", None, PathMatch::exact("/a")),
            rule("a", None, PathMatch::regex(Pattern::new("/a|/bbbb").unwrap())),
        );
        by_gateway(rule("b", None, PathMatch::exact("/a")), rule("a", None, PathMatch::prefix("/a/b")));
    }

    #[test]
    fn gateway_api_has_the_longer_prefix_first() {
        by_gateway(rule("b", None, PathMatch::prefix("/ab")), asking("a", 9, 9));
    }

    #[test]
    fn gateway_api_has_a_rule_that_names_a_method_before_headers() {
        let mut method = rule("b", None, PathMatch::prefix("/a"));
        method.set_methods(vec!["GET".into()]);
        by_gateway(method, asking("a", 9, 9));
    }

    #[test]
    fn gateway_api_has_more_headers_before_more_query_parameters() {
        by_gateway(asking("b", 2, 0), asking("a", 1, 9));
        by_gateway(asking("b", 1, 2), asking("a", 1, 1));
    }

    #[test]
    fn gateway_api_has_the_older_route_and_then_the_name_decide() {
        let aged = |name, age| rule(name, age, PathMatch::prefix("/a"));
        by_gateway(aged("b", Some(1)), aged("a", Some(2)));
        by_gateway(aged("b", Some(1)), aged("a", None));
        by_gateway(aged("a", None), aged("b", None));
    }

    #[test]
    fn gateway_api_has_the_longer_service_before_the_longer_method() {
        by_gateway(grpc("b", "a.Bcd"), grpc("a", "*/Method"));
        by_gateway(grpc("b", "a.B/Method"), grpc("a", "a.B"));
        by_gateway(grpc("b", "a.B/Method"), grpc("a", "a.B/M"));
    }

    #[test]
    fn listed_rules_stay_as_they_are() {
        let mut rules = ["b", "a"].map(|name| Arc::new(Rule::named(name)));
        Precedence::Listed.sort(&mut rules);
        assert_eq!(rules[0].name(), "b");
    }
}
