//! A table as a list that is searched from its top: written to be read, and kept as the model that
//! every faster table is compared with.

use super::HostPattern;
use super::host::{HostMap, HostMode, without_port};
use super::order::Precedence;
use super::request::Request;
use super::rule::{Mismatch, Rule};
use std::fmt;
use std::sync::Arc;

/// The hosts of a table: for each host pattern the ranks of its rules, ascending.
#[derive(Debug, Clone)]
pub struct VirtualHosts {
    hosts: HostMap<Vec<u32>>,
    mode: HostMode,
    ignore_port: bool,
}

impl VirtualHosts {
    /// One virtual host for each pattern that a rule names. A rule without hosts belongs to `*`,
    /// and to it alone: where a pattern fits better, only the rules that name that pattern count.
    #[must_use]
    pub fn of<R: AsRef<Rule>>(rules: &[R]) -> Self {
        let mut hosts: HostMap<Vec<u32>> = HostMap::new();
        for (rank, rule) in (0_u32..).zip(rules) {
            let any = [HostPattern::Any];
            let named = rule.as_ref().hosts();
            for pattern in if named.is_empty() { &any } else { named } {
                // Most rules name a host that is known: its text need not be copied.
                match hosts.get_mut(pattern) {
                    Some(ranks) if ranks.last() == Some(&rank) => {}
                    Some(ranks) => ranks.push(rank),
                    None => hosts.entry(pattern.clone()).or_default().push(rank),
                }
            }
        }
        Self { hosts, mode: HostMode::Best, ignore_port: false }
    }

    /// These hosts, with the ranks of the rules of each.
    pub(crate) fn of_lists(lists: impl IntoIterator<Item = (HostPattern, Vec<u32>)>, mode: HostMode) -> Self {
        let mut hosts = HostMap::new();
        for (pattern, ranks) in lists {
            hosts.entry(pattern).or_insert(ranks);
        }
        Self { hosts, mode, ignore_port: false }
    }

    /// The same hosts, with more than the best of them to be asked.
    #[must_use]
    pub fn in_mode(self, mode: HostMode) -> Self {
        Self { mode, ..self }
    }

    /// Whose rules a request may get.
    #[must_use]
    pub fn mode(&self) -> HostMode {
        self.mode
    }

    /// Has the port of a request's host count for nothing when its virtual host is looked for.
    #[must_use]
    pub fn ignoring_port(self, ignore_port: bool) -> Self {
        Self { ignore_port, ..self }
    }

    /// Whether the port of a request's host counts for nothing.
    #[must_use]
    pub fn ignores_port(&self) -> bool {
        self.ignore_port
    }

    /// Adds a host that answers to no rule at all, unless there is one for this pattern.
    pub fn add_empty(&mut self, pattern: HostPattern) {
        self.hosts.entry(pattern).or_default();
    }

    /// The patterns whose rules a request for `host` may get, the one that fits best first, and
    /// the ranks of their rules.
    #[must_use]
    pub fn find(&self, host: &[u8]) -> Vec<(&HostPattern, &[u32])> {
        let host = if self.ignore_port { without_port(host) } else { host };
        let mut fitting = self.hosts.find_all(host);
        if self.mode == HostMode::Best {
            fitting.truncate(1);
        }
        fitting.into_iter().map(|(pattern, ranks)| (pattern, ranks.as_slice())).collect()
    }

    /// The ranks of the rules that a request for `host` may get, in the order in which they are
    /// tried.
    fn ranks(&self, host: &[u8]) -> Vec<u32> {
        let mut ranks: Vec<u32> = self.find(host).into_iter().flat_map(|(_, ranks)| ranks).copied().collect();
        if self.mode == HostMode::Together {
            ranks.sort_unstable();
            ranks.dedup();
        }
        ranks
    }

    /// All patterns with the ranks of their rules.
    pub fn iter(&self) -> impl Iterator<Item = (&HostPattern, &[u32])> {
        self.hosts.iter().map(|(pattern, ranks)| (pattern, ranks.as_slice()))
    }
}

/// The rules of a table in order, searched one by one.
#[derive(Debug, Clone)]
pub struct LinearTable {
    rules: Vec<Arc<Rule>>,
    hosts: VirtualHosts,
}

/// What became of one rule for one request.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'t> {
    /// The request gets it.
    Won,
    /// It matches, but the rule of this rank is tried before it.
    Behind(u32),
    /// The request fails this condition of it.
    Failed(Mismatch<'t>),
    /// The request's host belongs to another pattern, or to none.
    OtherHost(Option<&'t HostPattern>),
    /// No rule gets a request with a fragment in its path.
    NotRoutable,
}

impl LinearTable {
    /// Puts the rules in order; the rank of a rule is its place in it, from 0.
    #[must_use]
    pub fn from_rules(mut rules: Vec<Arc<Rule>>, order: Precedence) -> Self {
        order.sort(&mut rules);
        let hosts = VirtualHosts::of(&rules).in_mode(order.host_mode());
        Self::new(rules, hosts)
    }

    /// A table of rules that are in order, for these virtual hosts.
    #[must_use]
    pub fn new(rules: Vec<Arc<Rule>>, hosts: VirtualHosts) -> Self {
        Self { rules, hosts }
    }

    /// The rules in the order in which they are tried.
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The rule of this rank.
    #[must_use]
    pub fn rule(&self, rank: u32) -> Option<&Rule> {
        self.rules.get(usize::try_from(rank).ok()?).map(AsRef::as_ref)
    }

    /// The rank of the rule that gets `request`: of those that serve its host, the first one that
    /// matches, in the order in which the hosts have them tried ([`HostMode`]).
    #[must_use]
    pub fn find(&self, request: &Request<'_>) -> Option<u32> {
        if !request.is_routable() {
            return None;
        }
        self.tried(request.host).find(|(_, rule)| rule.check_request(request).is_ok()).map(|(rank, _)| rank)
    }

    /// The rules that a request for `host` may get, in the order in which they are tried.
    fn tried(&self, host: &[u8]) -> impl Iterator<Item = (u32, &Rule)> {
        self.hosts.ranks(host).into_iter().filter_map(|rank| Some((rank, self.rule(rank)?)))
    }

    /// What became of each rule, in order.
    #[must_use]
    pub fn explain(&self, request: &Request<'_>) -> Vec<Outcome<'_>> {
        if !request.is_routable() {
            return vec![Outcome::NotRoutable; self.rules.len()];
        }
        let chosen = self.hosts.find(request.host).first().map(|(pattern, _)| *pattern);
        let mut outcomes = vec![Outcome::OtherHost(chosen); self.rules.len()];
        let mut winner = None;
        for (rank, rule) in self.tried(request.host) {
            let outcome = match (rule.check_request(request), winner) {
                (Err(mismatch), _) => Outcome::Failed(mismatch),
                (Ok(()), Some(first)) => Outcome::Behind(first),
                (Ok(()), None) => Outcome::Won,
            };
            match outcomes.get_mut(rank as usize) {
                // A rule of several hosts is tried once for each.
                Some(known @ Outcome::OtherHost(_)) => *known = outcome,
                _ => continue,
            }
            if matches!(outcome, Outcome::Won) {
                winner = Some(rank);
            }
        }
        outcomes
    }
}

impl Outcome<'_> {
    /// Whether the rule itself matches the request.
    #[must_use]
    pub fn matches(&self) -> bool {
        matches!(self, Self::Won | Self::Behind(_))
    }
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Won => f.write_str("gets the request"),
            Self::Behind(rank) => write!(f, "matches, but the rule of rank {rank} is tried before it"),
            Self::Failed(mismatch) => mismatch.fmt(f),
            Self::OtherHost(Some(pattern)) => write!(f, "host belongs to {:?}", pattern.to_string()),
            Self::OtherHost(None) => f.write_str("host belongs to no rule"),
            Self::NotRoutable => f.write_str("path must not contain '#'"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::PathMatch;
    use super::*;

    fn table(rules: &[(&str, &str, &[&str])]) -> LinearTable {
        let rules = rules.iter().map(|(name, prefix, hosts)| {
            let hosts = hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect();
            Rule::named(name).with_path(PathMatch::prefix(prefix)).with_hosts(hosts).checked().unwrap().into()
        });
        LinearTable::from_rules(rules.collect(), Precedence::Listed)
    }

    fn found<'t>(table: &'t LinearTable, host: &str, target: &str) -> Option<&'t str> {
        let request = Request { host: host.as_bytes(), ..Request::to(target.as_bytes()) };
        table.find(&request).and_then(|rank| table.rule(rank)).map(Rule::name)
    }

    #[test]
    fn the_first_rule_that_matches_wins() {
        let table = table(&[("all", "/", &[]), ("cart", "/cart", &[])]);
        assert_eq!(found(&table, "", "/cart"), Some("all"));
        assert_eq!(found(&table, "", "x"), None);
    }

    #[test]
    fn a_chosen_host_does_not_fall_through() {
        let table = table(&[("any", "/", &[]), ("cart", "/cart", &["a.b", "*.c"])]);
        assert_eq!(found(&table, "a.b", "/cart"), Some("cart"));
        assert_eq!(found(&table, "x.c", "/cart"), Some("cart"));
        assert_eq!(found(&table, "a.b", "/"), None);
        assert_eq!(found(&table, "other", "/"), Some("any"));
    }

    #[test]
    fn a_path_with_a_fragment_gets_nothing() {
        let table = table(&[("all", "/", &[])]);
        assert_eq!(found(&table, "", "/a#b"), None);
    }

    #[test]
    fn every_rule_is_explained() {
        let table = table(&[
            ("cart", "/cart", &[]),
            ("b", "/", &["b"]),
            ("all", "/", &[]),
            ("last", "/", &["*", "*"]),
        ]);
        let said: Vec<_> = table.explain(&Request::to(b"/x")).iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "path must begin with \"/cart\"",
                "host belongs to \"*\"",
                "gets the request",
                "matches, but the rule of rank 2 is tried before it"
            ]
        );
    }
}
