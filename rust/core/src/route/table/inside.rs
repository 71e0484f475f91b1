//! Texts that may be anywhere in another: all of them are found in one pass over it.

use super::bytes::NONE;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// How many of the buckets that were met last are remembered, so as not to enter them again.
const REMEMBERED: usize = 4;

/// The texts, and the bucket of each.
#[derive(Debug)]
pub(super) struct Inside {
    automaton: AhoCorasick,
    buckets: Vec<u32>,
}

impl Inside {
    /// `None` when there are too many.
    pub(super) fn new(parts: &[&[u8]], buckets: Vec<u32>) -> Option<Self> {
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::Standard).kind(Some(AhoCorasickKind::ContiguousNFA));
        Some(Self { automaton: builder.build(parts).ok()?, buckets })
    }

    /// Calls `visit` with the bucket of each text that is in `text`.
    pub(super) fn each(&self, text: &[u8], mut visit: impl FnMut(u32)) {
        let Ok(found) = self.automaton.try_find_overlapping_iter(text) else { return };
        let mut last = [NONE; REMEMBERED];
        for part in found {
            let Some(bucket) = self.buckets.get(part.pattern().as_usize()) else { continue };
            if !last.contains(bucket) {
                visit(*bucket);
                last.rotate_right(1);
                if let Some(first) = last.first_mut() {
                    *first = *bucket;
                }
            }
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.automaton.memory_usage() + size_of_val(self.buckets.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_that_is_inside_is_met() {
        let inside = Inside::new(&[b"a", b"ab", b"b", b"bc", b"x"], vec![0, 1, 2, 3, 4]).unwrap();
        let mut met = Vec::new();
        inside.each(b"abcab", |bucket| met.push(bucket));
        met.sort_unstable();
        met.dedup();
        assert_eq!(met, [0, 1, 2, 3]);
    }
}
