//! The table that is fast: compiled once, immutable, searched without a list.

mod asked;
mod bucket;
mod build;
pub(crate) mod bytes;
mod compiled;
mod exact;
mod fans;
mod first;
mod hosts;
mod inside;
mod inside_build;
mod limits;
mod methods;
mod names;
mod needs;
mod probe;
mod ranges;
mod search;
mod segment_trees;
mod segments;
mod served;
mod shard;
mod target;
mod templates;
mod trie;
mod trie_build;
mod unit;
mod units;
mod update;
mod values;
mod windows;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod update_tests;

pub use limits::TooLarge;
pub use update::UpdateError;
pub use values::{AskedValue, AskedValues};

use super::chunked::Chunked;
use super::host::{HostMode, HostPattern, without_port};
use super::linear::{LinearTable, VirtualHosts};
use super::order::Precedence;
use super::request::Request;
use super::rule::Rule;
use crate::likely::{likely, unlikely};
use bytes::NONE;
use hosts::HostIndex;
use limits::{REGEX_LIMIT, check_regexes, number};
use names::Names;
use served::{Numbers, Served};
use shard::{Shard, USUAL_RULES};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use target::Target;

/// The rules of a table in order, compiled: answers as [`super::LinearTable`] does, at any size.
///
/// A rule is known by its number: its place in the order when the table was built. A table is never
/// changed; [`RouteTable::with_targets`] and [`RouteTable::with_host`] make another one, which
/// shares with it all that is the same. In it a rule keeps its number, and of two rules of one host
/// the one with the lower number is tried first.
#[derive(Debug, Clone)]
pub struct RouteTable {
    hosts: Arc<HostIndex>,
    /// The host patterns, ascending.
    patterns: Arc<[HostPattern]>,
    mode: HostMode,
    ignore_port: bool,
    /// What each pattern leads to.
    served: Chunked<Served>,
    /// The shard that was made last: a host that is new goes there while there is room.
    newest: Arc<Shard>,
    /// The rules by their numbers.
    rules: Chunked<Option<Numbered>>,
    /// The numbers below the highest that no rule has, ascending.
    free: Vec<u32>,
    names: Arc<Names>,
    /// The numbers of the rules in the order of their names, once somebody asks for it.
    by_name: Arc<OnceLock<Box<[u32]>>>,
    seed: u64,
}

/// The rules that the requests of one host get, found by [`RouteTable::host`].
#[derive(Debug, Clone, Copy)]
pub struct HostRules<'t> {
    served: &'t Served,
}

/// A rule, and how many host patterns lead to it.
#[derive(Debug, Clone)]
struct Numbered {
    rule: Arc<Rule>,
    patterns: u32,
}

impl RouteTable {
    /// Puts the rules in order and compiles them, with the hosts that go with the order. `seed` is
    /// for the hash tables: whoever sends requests should not be able to guess it.
    ///
    /// # Errors
    /// When a bound is passed that keeps the table's size and time in bounds.
    pub fn from_rules(mut rules: Vec<Arc<Rule>>, order: Precedence, seed: u64) -> Result<Self, TooLarge> {
        order.sort(&mut rules);
        let hosts = VirtualHosts::of(&rules).in_mode(order.host_mode());
        Self::new(rules, &hosts, seed)
    }

    /// Compiles rules that are in order, for these hosts.
    ///
    /// # Errors
    /// When a bound is passed that keeps the table's size and time in bounds.
    pub fn new(rules: Vec<Arc<Rule>>, hosts: &VirtualHosts, seed: u64) -> Result<Self, TooLarge> {
        number(rules.len())?;
        check_regexes(rules.iter().map(AsRef::as_ref), REGEX_LIMIT)?;
        let mut names = Names::default();
        for rule in &rules {
            names.learn(rule).ok_or(TooLarge::Places)?;
        }
        names.finish(seed).ok_or(TooLarge::Places)?;
        let names = Arc::new(names);
        let patterns: Arc<[HostPattern]> = hosts.iter().map(|(pattern, _)| pattern.clone()).collect();
        let (served, newest) = Self::compile(&rules, hosts, &names, seed)?;
        let mut counts = vec![0_u32; rules.len()];
        for rank in hosts.iter().flat_map(|(_, ranks)| ranks) {
            if let Some(count) = counts.get_mut(*rank as usize) {
                *count += 1;
            }
        }
        let numbered =
            rules.into_iter().zip(counts).map(|(rule, patterns)| Some(Numbered { rule, patterns }));
        Ok(Self {
            hosts: Arc::new(HostIndex::new(&patterns, hosts.mode(), seed)?),
            patterns,
            mode: hosts.mode(),
            ignore_port: hosts.ignores_port(),
            served,
            newest,
            rules: numbered.collect(),
            free: Vec::new(),
            names,
            by_name: Arc::default(),
            seed,
        })
    }

    /// Compiles the rules of each host. Hosts that have the same rules share what they lead to.
    fn compile(
        rules: &[Arc<Rule>],
        hosts: &VirtualHosts,
        names: &Arc<Names>,
        seed: u64,
    ) -> Result<(Chunked<Served>, Arc<Shard>), TooLarge> {
        let mut lists: Vec<&[u32]> = Vec::new();
        let mut known: BTreeMap<&[u32], usize> = BTreeMap::new();
        let mut leads_to = Vec::new();
        for (_, ranks) in hosts.iter() {
            leads_to.push(*known.entry(ranks).or_insert_with(|| {
                lists.push(ranks);
                lists.len() - 1
            }));
        }
        let (mut served, mut newest) = (Vec::with_capacity(lists.len()), Arc::default());
        let mut left = lists.as_slice();
        while !left.is_empty() {
            let mut count = 0;
            let many = left.iter().take_while(|list| {
                count += list.len();
                count <= USUAL_RULES
            });
            let (now, later) = left.split_at(many.count().max(1));
            let of_list =
                |list: &&[u32]| list.iter().filter_map(|rank| rules.get(*rank as usize)).cloned().collect();
            let (shard, listed) = Shard::new(now.iter().map(of_list).collect(), names, seed)?;
            newest = Arc::new(shard);
            let of = |(ranks, listed): (&&[u32], _)| Served::new(newest.clone(), listed, Numbers::of(ranks));
            served.extend(now.iter().zip(listed).map(of));
            left = later;
        }
        Ok((leads_to.iter().filter_map(|list| served.get(*list)).cloned().collect(), newest))
    }

    /// The rules with their numbers. In a table that was built at once the numbers are those of the
    /// order, from 0; numbers of rules that are gone are left out.
    pub fn rules(&self) -> impl Iterator<Item = (u32, &Arc<Rule>)> {
        (0_u32..).zip(self.rules.iter()).filter_map(|(number, rule)| Some((number, &rule.as_ref()?.rule)))
    }

    /// The rule of this number.
    #[must_use]
    pub fn rule(&self, number: u32) -> Option<&Arc<Rule>> {
        self.rules.get(number as usize)?.as_ref().map(|numbered| &numbered.rule)
    }

    /// Whose rules a request may get, where the patterns of several hosts fit.
    #[must_use]
    pub fn mode(&self) -> HostMode {
        self.mode
    }

    /// The host patterns, ascending, with the numbers of their rules in the order in which they are
    /// tried.
    pub fn hosts(&self) -> impl Iterator<Item = (&HostPattern, impl Iterator<Item = u32>)> {
        self.patterns.iter().zip(self.served.iter()).map(|(pattern, served)| (pattern, served.numbers.iter()))
    }

    /// The numbers of the rules that this pattern leads to, in the order in which they are tried.
    #[must_use]
    pub fn served_by(&self, pattern: &HostPattern) -> Vec<u32> {
        let place = self.patterns.binary_search(pattern).ok();
        let served = place.and_then(|place| self.served.get(place));
        served.map_or_else(Vec::new, |served| served.numbers.iter().collect())
    }

    /// The numbers of the rules of this name. The first call sorts the names; tables that differ
    /// from this one in targets only need not do it again.
    #[must_use]
    pub fn named(&self, name: &str) -> &[u32] {
        let name_of = |number: &u32| self.rule(*number).map_or("", |rule| rule.name());
        let sorted = self.by_name.get_or_init(|| {
            let mut numbers: Box<[u32]> = self.rules().map(|(number, _)| number).collect();
            numbers.sort_by_key(name_of);
            numbers
        });
        let start = sorted.partition_point(|number| name_of(number) < name);
        let end = sorted.partition_point(|number| name_of(number) <= name);
        sorted.get(start..end).unwrap_or_default()
    }

    /// The names of the headers that rules ask about, by the numbers that [`super::Headers`] is
    /// told. Names that a table was made with stay in the tables that are made from it.
    #[must_use]
    pub fn header_names(&self) -> &[Arc<str>] {
        self.names.list()
    }

    /// The rules of one host, for [`RouteTable::find_among`]: requests of one host that come one after
    /// the other need look it up once. None where a request may get the rules of several patterns.
    #[must_use]
    pub fn host(&self, host: &[u8]) -> Option<Option<HostRules<'_>>> {
        if self.mode != HostMode::Best {
            return None;
        }
        let host = if self.ignore_port { without_port(host) } else { host };
        Some(self.hosts.best(host).and_then(|place| self.rules_at(place)))
    }

    /// The number of the rule that gets `request`, which is one for the host of these rules.
    #[must_use]
    pub fn find_among(rules: HostRules<'_>, request: &Request<'_>) -> Option<u32> {
        match Target::plain(request.target) {
            Ok(target) => rules.search(request, target, NONE),
            Err(slashes) => rules.search_split(request, slashes),
        }
    }

    /// The number of the rule that gets `request`.
    #[must_use]
    pub fn find(&self, request: &Request<'_>) -> Option<u32> {
        match Target::plain(request.target) {
            Ok(target) => self.find_target(request, target),
            Err(slashes) => self.find_split(request, slashes),
        }
    }

    /// The same where the target is more than a path. On its own: what both ways put together would
    /// have to go through the memory.
    #[inline(never)]
    fn find_split(&self, request: &Request<'_>, slashes: u64) -> Option<u32> {
        self.find_target(request, Target::split(request.target, slashes)?)
    }

    #[expect(clippy::inline_always, reason = "what is spared is a call, and the target written to memory")]
    #[inline(always)]
    fn find_target(&self, request: &Request<'_>, target: Target<'_>) -> Option<u32> {
        let host = if unlikely(self.ignore_port) { without_port(request.host) } else { request.host };
        if likely(self.mode == HostMode::Best) {
            return self.rules_at(self.hosts.best(host)?)?.search(request, target, NONE);
        }
        self.find_in_turn(host, request, target)
    }

    /// The same where the rules of more than one host may count.
    #[inline(never)]
    fn find_in_turn(&self, host: &[u8], request: &Request<'_>, target: Target<'_>) -> Option<u32> {
        let mut best = NONE;
        self.hosts.each(host, |place| {
            let found = self.rules_at(place).and_then(|rules| rules.search(request, target, best));
            best = found.unwrap_or(best);
            self.mode == HostMode::InTurn && found.is_some()
        });
        Some(best).filter(|best| *best != NONE)
    }

    #[inline]
    fn rules_at(&self, place: u32) -> Option<HostRules<'_>> {
        self.served.get(place as usize).map(|served| HostRules { served })
    }

    /// The same rules as a list: the rank of a rule in it is its place in [`RouteTable::rules`].
    #[must_use]
    pub fn linear(&self) -> LinearTable {
        let mut ranks = vec![NONE; self.rules.len()];
        let mut rules = Vec::new();
        for (rank, (number, rule)) in (0_u32..).zip(self.rules()) {
            if let Some(known) = ranks.get_mut(number as usize) {
                *known = rank;
            }
            rules.push(rule.clone());
        }
        let lists = self.hosts().map(|(pattern, numbers)| {
            let ranks = numbers.filter_map(|number| ranks.get(number as usize)).copied();
            (pattern.clone(), ranks.collect())
        });
        LinearTable::new(rules, VirtualHosts::of_lists(lists, self.mode).ignoring_port(self.ignore_port))
    }

    /// The memory that the table takes beside its rules, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let numbers: usize = self.served.iter().map(Served::size_bytes).sum();
        // Hosts share shards.
        let shards: BTreeMap<_, _> =
            self.served.iter().map(|served| (Arc::as_ptr(&served.shard), &served.shard)).collect();
        self.hosts.size_bytes()
            + size_of_val(&*self.patterns)
            + numbers
            + shards.values().map(|shard| shard.size_bytes()).sum::<usize>()
            + self.rules.len() * size_of::<Option<Numbered>>()
    }
}

impl HostRules<'_> {
    /// As [`RouteTable::find_split`].
    #[inline(never)]
    fn search_split(self, request: &Request<'_>, slashes: u64) -> Option<u32> {
        self.search(request, Target::split(request.target, slashes)?, NONE)
    }

    #[expect(clippy::inline_always, reason = "as for `RouteTable::find_target`")]
    #[inline(always)]
    fn search(self, request: &Request<'_>, target: Target<'_>, bound: u32) -> Option<u32> {
        let Self { served } = self;
        let bound = if bound == NONE { NONE } else { served.place_of(bound) };
        let found = served.shard.find(&served.listed, request, target, bound);
        found.and_then(|place| served.number(place))
    }
}
