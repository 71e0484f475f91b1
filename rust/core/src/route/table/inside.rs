//! Texts that may be anywhere in another: all of them are found in one pass over it.

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};

/// What a text leads to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Leads {
    /// To this bucket.
    Bucket(u32),
    /// To a trie of all texts that begin with it, by its root: an automaton of texts that begin with
    /// each other takes time to build that grows with their square.
    Trie(u32),
}

/// The texts of which none begins with another, and what each leads to.
#[derive(Debug)]
pub(super) struct Inside {
    automaton: NFA,
    start: StateID,
    /// Whether capitals count as small letters, of which the texts are then.
    pub folds: bool,
    parts: Vec<(u32, Leads)>,
}

impl Inside {
    /// `None` when there are too many.
    pub(super) fn new(parts: &[(&[u8], Leads)], folds: bool) -> Option<Self> {
        let texts = parts.iter().map(|(text, _)| text);
        let automaton = NFA::builder().match_kind(MatchKind::Standard).build(texts).ok()?;
        let start = automaton.start_state(Anchored::No).ok()?;
        let length = |text: &[u8]| u32::try_from(text.len()).ok();
        let parts = parts.iter().map(|(text, leads)| Some((length(text)?, *leads)));
        Some(Self { automaton, start, folds, parts: parts.collect::<Option<_>>()? })
    }

    /// Calls `visit` with what each text that is in `text` leads to, and where it starts.
    pub(super) fn each(&self, text: &[u8], mut visit: impl FnMut(Leads, usize)) {
        let mut state = self.start;
        for (at, byte) in text.iter().enumerate() {
            let byte = if self.folds { byte.to_ascii_lowercase() } else { *byte };
            state = self.automaton.next_state(Anchored::No, state, byte);
            if !self.automaton.is_match(state) {
                continue;
            }
            for found in 0..self.automaton.match_len(state) {
                let part = self.automaton.match_pattern(state, found);
                let Some((length, leads)) = self.parts.get(part.as_usize()) else { continue };
                visit(*leads, (at + 1).saturating_sub(*length as usize));
            }
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.automaton.memory_usage() + size_of_val(self.parts.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(parts: &[&str], folds: bool, text: &str) -> Vec<(u32, usize)> {
        let parts: Vec<_> = (0..).zip(parts).map(|(n, part)| (part.as_bytes(), Leads::Bucket(n))).collect();
        let mut met = Vec::new();
        Inside::new(&parts, folds).unwrap().each(text.as_bytes(), |leads, start| {
            if let Leads::Bucket(number) = leads {
                met.push((number, start));
            }
        });
        met.sort_unstable();
        met
    }

    #[test]
    fn every_text_that_is_inside_is_met() {
        assert_eq!(
            met(&["a", "ca", "b", "bc", "x"], false, "abca"),
            [(0, 0), (0, 3), (1, 2), (2, 1), (3, 1)]
        );
    }

    #[test]
    fn case_is_ignored_where_it_is_to_be() {
        assert_eq!(met(&["ab", "é"], true, "xAb"), [(0, 1)]);
        assert_eq!(met(&["ab", "é"], true, "É"), []);
        assert_eq!(met(&["ab", "é"], true, "éa"), [(1, 0)]);
    }
}
