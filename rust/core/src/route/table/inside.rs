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
    pub(super) fn new<P: AsRef<[u8]>>(parts: &[P], ignore_case: bool, buckets: Vec<u32>) -> Option<Self> {
        let mut builder = AhoCorasick::builder();
        builder.ascii_case_insensitive(ignore_case);
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
        let inside = Inside::new(&["a", "ab", "b", "bc", "x"], false, vec![0, 1, 2, 3, 4]).unwrap();
        let mut met = Vec::new();
        inside.each(b"abcab", |bucket| met.push(bucket));
        met.sort_unstable();
        met.dedup();
        assert_eq!(met, [0, 1, 2, 3]);
    }

    #[test]
    fn case_is_ignored_where_it_is_to_be() {
        let inside = Inside::new(&["ab", "é"], true, vec![0, 1]).unwrap();
        let met = |text: &str| {
            let mut met = Vec::new();
            inside.each(text.as_bytes(), |bucket| met.push(bucket));
            met
        };
        assert_eq!((met("xAb"), met("É"), met("éa")), (vec![0], vec![], vec![1]));
    }
}
