//! Texts that may be anywhere in another: all of them are found in one pass over it.

use super::bytes::NONE;
use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};

/// How many of the buckets that were met last are remembered, so as not to enter them again.
const REMEMBERED: usize = 4;

/// The texts, and the bucket of each.
#[derive(Debug)]
pub(super) struct Inside {
    automaton: NFA,
    start: StateID,
    /// Whether capitals count as small letters, of which the texts are then.
    folds: bool,
    buckets: Vec<u32>,
}

impl Inside {
    /// `None` when there are too many.
    pub(super) fn new(parts: &[&[u8]], folds: bool, buckets: Vec<u32>) -> Option<Self> {
        let automaton = NFA::builder().match_kind(MatchKind::Standard).build(parts).ok()?;
        let start = automaton.start_state(Anchored::No).ok()?;
        Some(Self { automaton, start, folds, buckets })
    }

    /// Calls `visit` with the bucket of each text that is in `text`.
    pub(super) fn each(&self, text: &[u8], mut visit: impl FnMut(u32)) {
        let mut last = [NONE; REMEMBERED];
        let mut state = self.start;
        for byte in text {
            let byte = if self.folds { byte.to_ascii_lowercase() } else { *byte };
            state = self.automaton.next_state(Anchored::No, state, byte);
            if !self.automaton.is_match(state) {
                continue;
            }
            for found in 0..self.automaton.match_len(state) {
                let part = self.automaton.match_pattern(state, found);
                let Some(bucket) = self.buckets.get(part.as_usize()) else { continue };
                if !last.contains(bucket) {
                    visit(*bucket);
                    last.rotate_right(1);
                    if let Some(first) = last.first_mut() {
                        *first = *bucket;
                    }
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
        let inside = Inside::new(&[b"a", b"ab", b"b", b"bc", b"x"], false, vec![0, 1, 2, 3, 4]).unwrap();
        let mut met = Vec::new();
        inside.each(b"abcab", |bucket| met.push(bucket));
        met.sort_unstable();
        met.dedup();
        assert_eq!(met, [0, 1, 2, 3]);
    }

    #[test]
    fn case_is_ignored_where_it_is_to_be() {
        let inside = Inside::new(&[b"ab", "é".as_bytes()], true, vec![0, 1]).unwrap();
        let met = |text: &str| {
            let mut met = Vec::new();
            inside.each(text.as_bytes(), |bucket| met.push(bucket));
            met
        };
        assert_eq!((met("xAb"), met("É"), met("éa")), (vec![0], vec![], vec![1]));
    }
}
