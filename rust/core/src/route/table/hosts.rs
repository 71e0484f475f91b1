//! From the host of a request to the rules that serve it.

use super::bucket::Item;
use super::build::{Builder, TooLarge, number};
use super::bytes::NONE;
use super::compiled::{NOTHING, Parts};
use super::exact::Found;
use super::needs::AllNeeds;
use super::trie::{Backward, Forward, Visitor};
use super::trie_build::Key;
use crate::route::HostPattern;
use std::borrow::Cow;
use std::cmp::Reverse;

/// A host that is no longer than this is made small without asking for memory.
const USUAL: usize = 256;

/// Every host pattern of a table, and what each leads to. The longest wildcard that fits is the one
/// of the best rank, since ranks are given here by length.
#[derive(Debug)]
pub(super) struct HostIndex {
    parts: Parts,
    suffixes: u32,
    prefixes: u32,
    /// What the wildcards lead to, by their rank.
    wildcards: Vec<u32>,
    any: u32,
}

/// The best rank that a walk meets.
struct Best(u32);

impl Visitor for Best {
    fn best(&self) -> u32 {
        self.0
    }
    fn offer(&mut self, rank: u32) {
        self.0 = rank;
    }
    fn bucket(&mut self, _: u32, _: usize, _: usize) {}
}

impl HostIndex {
    /// An index of these patterns with what each leads to.
    pub(super) fn new<'p>(
        patterns: impl IntoIterator<Item = (&'p HostPattern, u32)>,
        seed: u64,
    ) -> Result<Self, TooLarge> {
        let needs = AllNeeds::default();
        let mut builder = Builder::new(&needs, seed);
        let mut wildcards = Vec::new();
        let mut any = NONE;
        for (pattern, leads_to) in patterns {
            match pattern {
                HostPattern::Any => any = leads_to,
                HostPattern::Exact(host) => {
                    builder.out.exact.add_text(0, host.as_bytes(), &Found::one(leads_to)).ok_or(TooLarge)?;
                }
                HostPattern::Suffix(text) | HostPattern::Prefix(text) => {
                    wildcards.push((text, pattern, leads_to));
                }
            }
        }
        wildcards.sort_by_key(|(text, ..)| Reverse(text.len()));
        let (mut suffixes, mut prefixes) = (Vec::new(), Vec::new());
        for (rank, (text, pattern, _)) in wildcards.iter().enumerate() {
            let item = Item::of(number(rank)?);
            if matches!(pattern, HostPattern::Suffix(_)) {
                suffixes.push(Key::new(Cow::Owned(text.bytes().rev().collect()), NOTHING, item));
            } else {
                prefixes.push(Key::new(Cow::Borrowed(text.as_bytes()), NOTHING, item));
            }
        }
        let (suffixes, prefixes) = (builder.trie(suffixes)?, builder.trie(prefixes)?);
        let wildcards = wildcards.into_iter().map(|(.., leads_to)| leads_to).collect();
        Ok(Self { parts: builder.finish(), suffixes, prefixes, wildcards, any })
    }

    /// What the best pattern for `host` leads to: the exact one, the longest suffix, the longest
    /// prefix, any.
    pub(super) fn find(&self, host: &[u8]) -> Option<u32> {
        if let Some(found) = self.parts.exact.find_text::<true>(0, host) {
            return Some(found.plain[0].rank);
        }
        if self.wildcards.is_empty() {
            return Some(self.any).filter(|any| *any != NONE);
        }
        let mut usual = [0; USUAL];
        let mut unusual = Vec::new();
        let small = if let Some(small) = usual.get_mut(..host.len()) {
            small
        } else {
            unusual.resize(host.len(), 0);
            unusual.as_mut_slice()
        };
        for (to, from) in small.iter_mut().zip(host) {
            *to = from.to_ascii_lowercase();
        }
        self.wildcard(small).or(Some(self.any)).filter(|found| *found != NONE)
    }

    /// A star stands for at least one byte, so the one at the star's end is left out.
    fn wildcard(&self, host: &[u8]) -> Option<u32> {
        let mut best = Best(NONE);
        self.parts.tries.walk(self.suffixes, &Backward(host.get(1..)?), &mut best);
        if best.0 == NONE {
            self.parts.tries.walk(self.prefixes, &Forward(host.get(..host.len() - 1)?), &mut best);
        }
        self.wildcards.get(best.0 as usize).copied()
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.parts.exact.size_bytes() + self.parts.tries.size_bytes() + size_of_val(self.wildcards.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::host::HostMap;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_index_finds_what_the_map_finds(
            patterns in prop::collection::btree_set(r"[ab.]{1,4}|\*[ab.]{1,4}|[ab.]{1,4}\*|\*", 0..12),
            hosts in prop::collection::vec("[abAB.]{0,6}|a{300}", 1..12),
        ) {
            let patterns: Vec<HostPattern> = patterns.iter().map(|text| HostPattern::parse(text).unwrap()).collect();
            let mut map = HostMap::new();
            for (number, pattern) in (0_u32..).zip(&patterns) {
                map.entry(pattern.clone()).or_insert(number);
            }
            let index = HostIndex::new((0_u32..).zip(&patterns).map(|(number, pattern)| (pattern, number)), 7).unwrap();
            for host in hosts {
                prop_assert_eq!(index.find(host.as_bytes()), map.find(host.as_bytes()).map(|(_, number)| *number), "{}", host);
            }
        }
    }
}
