//! The table that is fast: compiled once, immutable, searched without a list.

mod bucket;
mod build;
pub(crate) mod bytes;
mod compiled;
mod exact;
mod hosts;
mod inside;
mod needs;
mod ranges;
mod trie;
mod trie_build;

#[cfg(test)]
mod model_tests;

pub use build::TooLarge;

use super::host::without_port;
use super::linear::VirtualHosts;
use super::order::Precedence;
use super::request::Request;
use super::rule::Rule;
use bucket::Item;
use build::{Builder, number};
use bytes::{NONE, split_target};
use compiled::{Compiled, Search};
use hosts::HostIndex;
use needs::{AllNeeds, Probe};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rules of a table in order, compiled: answers as [`super::LinearTable`] does, at any size.
#[derive(Debug)]
pub struct RouteTable {
    hosts: HostIndex,
    ignore_port: bool,
    compiled: Compiled,
}

impl RouteTable {
    /// Puts the rules in order and compiles them. `seed` is for the hash tables: whoever sends
    /// requests should not be able to guess it.
    ///
    /// # Errors
    /// When the table would take more than 32-bit numbers count.
    pub fn from_rules(mut rules: Vec<Arc<Rule>>, order: Precedence, seed: u64) -> Result<Self, TooLarge> {
        order.sort(&mut rules);
        let hosts = VirtualHosts::of(&rules);
        Self::new(rules, &hosts, seed)
    }

    /// Compiles rules that are in order, for these virtual hosts.
    ///
    /// # Errors
    /// When the table would take more than 32-bit numbers count.
    pub fn new(rules: Vec<Arc<Rule>>, virtual_hosts: &VirtualHosts, seed: u64) -> Result<Self, TooLarge> {
        number(rules.len())?;
        let needs = AllNeeds::of(rules).ok_or(TooLarge)?;
        let mut builder = Builder::new(&needs, seed);
        // Hosts that have the same rules share one index.
        let mut indexes: BTreeMap<&[u32], u32> = BTreeMap::new();
        let mut hosts = Vec::new();
        for (pattern, ranks) in virtual_hosts.iter() {
            let index = if let Some(index) = indexes.get(ranks) {
                *index
            } else {
                let rule =
                    |rank: &u32| Some((needs.rules.get(*rank as usize)?.path().into(), Item::of(*rank)));
                let index = builder.index(ranks.iter().filter_map(rule).collect())?;
                indexes.insert(ranks, index);
                index
            };
            hosts.push((pattern, index));
        }
        let hosts = HostIndex::new(hosts, seed)?;
        let parts = builder.finish();
        Ok(Self { hosts, ignore_port: virtual_hosts.ignores_port(), compiled: Compiled { needs, parts } })
    }

    /// The rules in the order in which they are tried.
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.compiled.needs.rules
    }

    /// The names of the headers that rules ask about, by the numbers that [`super::Headers`] is told.
    #[must_use]
    pub fn header_names(&self) -> &[Box<str>] {
        &self.compiled.needs.headers
    }

    /// The rank of the rule that gets `request`.
    #[must_use]
    pub fn find(&self, request: &Request<'_>) -> Option<u32> {
        let (path, query) = split_target(request.target)?;
        let host = if self.ignore_port { without_port(request.host) } else { request.host };
        let index = self.hosts.find(host)?;
        let probe = Probe::new(&self.compiled.needs, request, path, query);
        let mut search = Search::new(&self.compiled.parts, probe, NONE);
        search.path(index);
        Some(search.best()).filter(|best| *best != NONE)
    }

    /// The memory that the table takes beside its rules, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.hosts.size_bytes() + self.compiled.size_bytes()
    }
}
