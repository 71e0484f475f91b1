//! From the host of a request to the patterns that fit it.

use super::bucket::Item;
use super::build::Builder;
use super::bytes::{NONE, eq_folded, same};
use super::compiled::{NOTHING, Parts};
use super::exact::Found;
use super::limits::{TooLarge, number};
use super::needs::AllNeeds;
use super::trie::{Folded, FoldedBackward, Visitor};
use super::trie_build::Key;
use crate::likely::likely;
use crate::route::HostPattern;
use crate::route::host::HostMode;
use std::borrow::Cow;
use std::cmp::Reverse;

/// Where the rules of more than one pattern count, no host may have more suffixes, and no more
/// prefixes, than this: each of them is a search.
const MAX_FITTING: u32 = 16;

/// Every host pattern of a table, by its place in their list. The longest wildcard that fits is the
/// one of the best rank, since ranks are given here by length.
#[derive(Debug)]
pub(super) struct HostIndex {
    parts: Parts,
    /// The only whole host, if there is just one: it is compared, not looked up.
    only: Option<(Box<[u8]>, u32)>,
    suffixes: u32,
    prefixes: u32,
    /// The wildcards by their rank.
    wildcards: Vec<Wildcard>,
    any: u32,
}

/// A suffix or a prefix.
#[derive(Debug, Clone, Copy)]
struct Wildcard {
    place: u32,
    /// The rank of the longest other one that fits wherever this one does, where that matters.
    next: u32,
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
    /// An index of these patterns.
    ///
    /// # Errors
    /// When there are too many of them, or too many fit one host while all of them count.
    pub(super) fn new(patterns: &[HostPattern], mode: HostMode, seed: u64) -> Result<Self, TooLarge> {
        let needs = AllNeeds::default();
        let mut builder = Builder::new(&needs, seed);
        let mut wild = Vec::new();
        let mut any = NONE;
        let mut whole = Vec::new();
        for (place, pattern) in patterns.iter().enumerate() {
            let place = number(place)?;
            match pattern {
                HostPattern::Any => any = place,
                HostPattern::Exact(host) => {
                    whole.push((host.as_bytes(), place));
                    builder
                        .out
                        .exact
                        .add_text(0, host.as_bytes(), &Found::one(place, 0))
                        .ok_or(TooLarge::Places)?;
                }
                HostPattern::Suffix(text) | HostPattern::Prefix(text) => wild.push((text, pattern, place)),
            }
        }
        wild.sort_by_key(|(text, ..)| Reverse(text.len()));
        let (mut suffixes, mut prefixes) = (Vec::new(), Vec::new());
        for (rank, (text, pattern, _)) in wild.iter().enumerate() {
            let item = Item::of(number(rank)?);
            if matches!(pattern, HostPattern::Suffix(_)) {
                suffixes.push(Key::new(Cow::Owned(text.bytes().rev().collect()), NOTHING, item));
            } else {
                prefixes.push(Key::new(Cow::Borrowed(text.as_bytes()), NOTHING, item));
            }
        }
        let (suffixes, prefixes) = (builder.trie(suffixes)?, builder.trie(prefixes)?);
        let wildcards = wild.iter().map(|(.., place)| Wildcard { place: *place, next: NONE }).collect();
        let only = <[_; 1]>::try_from(whole).ok().map(|[(host, place)]| (host.into(), place));
        let mut index = Self { only, parts: builder.finish(), suffixes, prefixes, wildcards, any };
        if mode != HostMode::Best {
            index.link(&wild.iter().map(|(_, pattern, _)| *pattern).collect::<Vec<_>>())?;
        }
        Ok(index)
    }

    /// Leads from each of these wildcards, which are in the order of ranks, to the next one that fits.
    fn link(&mut self, patterns: &[&HostPattern]) -> Result<(), TooLarge> {
        let mut depths = vec![0; patterns.len()];
        for (rank, pattern) in patterns.iter().enumerate().rev() {
            let next = match pattern {
                HostPattern::Suffix(text) => self.suffix(text.as_bytes()),
                HostPattern::Prefix(text) => self.prefix(text.as_bytes()),
                HostPattern::Exact(_) | HostPattern::Any => NONE,
            };
            let depth = depths.get(next as usize).map_or(1, |depth| depth + 1);
            if depth > MAX_FITTING {
                return Err(TooLarge::Hosts(pattern.to_string()));
            }
            if let (Some(known), Some(wildcard)) = (depths.get_mut(rank), self.wildcards.get_mut(rank)) {
                (*known, wildcard.next) = (depth, next);
            }
        }
        Ok(())
    }

    /// The only whole host, if it is this one.
    #[inline]
    fn only(&self, host: &[u8]) -> Option<u32> {
        let (only, place) = self.only.as_ref()?;
        likely(same(host, only)).then_some(*place)
    }

    fn exact(&self, host: &[u8]) -> Option<u32> {
        if let Some((only, place)) = &self.only {
            return Some(*place).filter(|_| eq_folded(host, only));
        }
        if self.parts.exact.is_empty() {
            return None;
        }
        self.parts.exact.find_text::<true>(0, host).map(|found| found.plain[0].rank)
    }

    /// The rank of the longest suffix. A star stands for at least one byte, so the first one is
    /// left out.
    fn suffix(&self, host: &[u8]) -> u32 {
        let mut best = Best(NONE);
        if let Some(rest) = host.get(1..) {
            self.parts.tries.walk(self.suffixes, &FoldedBackward(rest), &mut best);
        }
        best.0
    }

    /// The rank of the longest prefix.
    fn prefix(&self, host: &[u8]) -> u32 {
        let mut best = Best(NONE);
        if let Some((_, rest)) = host.split_last() {
            self.parts.tries.walk(self.prefixes, &Folded(rest), &mut best);
        }
        best.0
    }

    /// The best pattern for `host`: the exact one, the longest suffix, the longest prefix, any.
    #[inline]
    pub(super) fn best(&self, host: &[u8]) -> Option<u32> {
        self.only(host).or_else(|| self.best_of_all(host))
    }

    #[inline(never)]
    fn best_of_all(&self, host: &[u8]) -> Option<u32> {
        if let Some(place) = self.exact(host) {
            return Some(place);
        }
        let wild = |rank: u32| self.wildcards.get(rank as usize).map(|wildcard| wildcard.place);
        let any = Some(self.any).filter(|any| *any != NONE);
        if self.wildcards.is_empty() {
            return any;
        }
        wild(self.suffix(host)).or_else(|| wild(self.prefix(host))).or(any)
    }

    /// Calls `visit` with every pattern that fits `host`, the best first, until it answers true.
    pub(super) fn each(&self, host: &[u8], mut visit: impl FnMut(u32) -> bool) {
        if self.exact(host).is_some_and(&mut visit) {
            return;
        }
        if !self.wildcards.is_empty() {
            for start in [Self::suffix, Self::prefix] {
                let mut rank = start(self, host);
                while let Some(wildcard) = self.wildcards.get(rank as usize) {
                    if visit(wildcard.place) {
                        return;
                    }
                    rank = wildcard.next;
                }
            }
        }
        if self.any != NONE {
            visit(self.any);
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.parts.size_bytes() + size_of_val(self.wildcards.as_slice())
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
            for (place, pattern) in (0_u32..).zip(&patterns) {
                map.entry(pattern.clone()).or_insert(place);
            }
            let index = HostIndex::new(&patterns, HostMode::Together, 7).unwrap();
            for host in hosts {
                let expected: Vec<u32> = map.find_all(host.as_bytes()).into_iter().map(|(_, place)| *place).collect();
                let mut found = Vec::new();
                index.each(host.as_bytes(), |place| {
                    found.push(place);
                    false
                });
                prop_assert_eq!(index.best(host.as_bytes()), expected.first().copied(), "{}", host);
                prop_assert_eq!(found, expected, "{}", host);
            }
        }
    }

    #[test]
    fn too_many_wildcards_for_one_host_are_refused_where_all_of_them_count() {
        let patterns: Vec<_> =
            (1..=17).map(|n| HostPattern::parse(&format!("*{}", ".a".repeat(n))).unwrap()).collect();
        assert!(HostIndex::new(&patterns, HostMode::Best, 7).is_ok());
        assert!(HostIndex::new(patterns.get(..16).unwrap(), HostMode::InTurn, 7).is_ok());
        let refused = HostIndex::new(&patterns, HostMode::InTurn, 7).unwrap_err();
        assert_eq!(refused, TooLarge::Hosts(format!("*{}", ".a".repeat(17))));
    }
}
