//! Texts that may be anywhere in another: all of them are found in one pass over it.

use super::windows::Windows;
use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};
use memchr::memchr;

/// What a text leads to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Leads {
    /// To a rule that asks for nothing else, by its rank.
    Rule(u32),
    /// To this bucket.
    Bucket(u32),
    /// To a trie of all texts that begin with it, by its root: an automaton of texts that begin with
    /// each other takes time to build that grows with their square.
    Trie(u32),
}

/// What texts are looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    Any,
    /// In a text without a newline.
    Line,
    /// In any, where capitals count as small letters, of which the texts are then.
    Folded,
}

/// The texts of which none begins with another, and what each leads to.
#[derive(Debug)]
pub(super) struct Inside {
    windows: Windows,
    automaton: NFA,
    start: StateID,
    within: Within,
    parts: Vec<(u32, Leads)>,
}

impl Inside {
    /// `None` when there are too many.
    pub(super) fn new(parts: &[(&[u8], Leads)], within: Within, seed: u64) -> Option<Self> {
        let texts = parts.iter().map(|(text, _)| *text);
        let windows = Windows::new(texts.clone(), within == Within::Folded, seed);
        let automaton = NFA::builder().match_kind(MatchKind::Standard).build(texts).ok()?;
        let start = automaton.start_state(Anchored::No).ok()?;
        let length = |text: &[u8]| u32::try_from(text.len()).ok();
        let parts = parts.iter().map(|(text, leads)| Some((length(text)?, *leads)));
        Some(Self { windows, automaton, start, within, parts: parts.collect::<Option<_>>()? })
    }

    pub(super) fn folds(&self) -> bool {
        self.within == Within::Folded
    }

    /// Calls `visit` with what each text that is in `text` leads to, and where it starts.
    pub(super) fn each(&self, text: &[u8], visit: impl FnMut(Leads, usize)) {
        match self.within {
            Within::Line if memchr(b'\n', text).is_some() => {}
            Within::Any | Within::Line => self.each_of::<false>(text, visit),
            Within::Folded => self.each_of::<true>(text, visit),
        }
    }

    /// The automaton starts where a text may start, and stops where none can be going on.
    fn each_of<const FOLD: bool>(&self, text: &[u8], mut visit: impl FnMut(Leads, usize)) {
        let mut at = 0;
        while let Some((start, sure)) = self.windows.next(text, at) {
            let mut state = self.start;
            at = start;
            for byte in text.get(start..).unwrap_or_default() {
                let byte = if FOLD { byte.to_ascii_lowercase() } else { *byte };
                state = self.automaton.next_state(Anchored::No, state, byte);
                at += 1;
                if self.automaton.is_match(state) {
                    self.each_at(state, at, &mut visit);
                } else if state == self.start && at > sure {
                    break;
                }
            }
        }
    }

    /// The texts that end at `end`.
    fn each_at(&self, state: StateID, end: usize, visit: &mut impl FnMut(Leads, usize)) {
        for found in 0..self.automaton.match_len(state) {
            let part = self.automaton.match_pattern(state, found);
            if let Some((length, leads)) = self.parts.get(part.as_usize()) {
                visit(*leads, end.saturating_sub(*length as usize));
            }
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.windows.size_bytes() + self.automaton.memory_usage() + size_of_val(self.parts.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(parts: &[&str], within: Within, text: &str) -> Vec<(u32, usize)> {
        let parts: Vec<_> = (0..).zip(parts).map(|(n, part)| (part.as_bytes(), Leads::Bucket(n))).collect();
        let mut met = Vec::new();
        Inside::new(&parts, within, 7).unwrap().each(text.as_bytes(), |leads, start| {
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
            met(&["a", "ca", "b", "bc", "x"], Within::Any, "abca"),
            [(0, 0), (0, 3), (1, 2), (2, 1), (3, 1)]
        );
    }

    #[test]
    fn nothing_is_met_in_several_lines_where_one_is_asked_for() {
        assert_eq!(met(&["a"], Within::Line, "ba"), [(0, 1)]);
        assert_eq!(met(&["a"], Within::Line, "a\n"), []);
        assert_eq!(met(&["a"], Within::Any, "a\n"), [(0, 0)]);
    }

    #[test]
    fn case_is_ignored_where_it_is_to_be() {
        assert_eq!(met(&["ab", "é"], Within::Folded, "xAb"), [(0, 1)]);
        assert_eq!(met(&["ab", "é"], Within::Folded, "É"), []);
        assert_eq!(met(&["ab", "é"], Within::Folded, "éa"), [(1, 0)]);
    }
}
