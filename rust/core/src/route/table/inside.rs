//! Texts that may be anywhere in another.

use super::windows::Windows;
use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};
use memchr::memchr;
use memchr::memmem::Finder;

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

/// All texts that are looked for in one.
#[derive(Debug)]
pub(super) struct Inside {
    pub within: Within,
    pub min_rank: u32,
    /// A few that are searched for one by one. None of them leads to a trie, so one place of each is enough.
    pub few: Vec<(Finder<'static>, Leads)>,
    /// The others: short ones that would spoil the search for long ones on their own.
    pub many: Vec<Many>,
}

impl Inside {
    pub(super) fn folds(&self) -> bool {
        self.within == Within::Folded
    }

    /// Calls `visit` with what each text that is in `text` leads to, and where it starts.
    pub(super) fn each(&self, text: &[u8], mut visit: impl FnMut(Leads, usize)) {
        if self.within == Within::Line && memchr(b'\n', text).is_some() {
            return;
        }
        for (finder, leads) in &self.few {
            if let Some(start) = finder.find(text) {
                visit(*leads, start);
            }
        }
        for many in &self.many {
            if self.folds() {
                many.each::<true>(text, &mut visit);
            } else {
                many.each::<false>(text, &mut visit);
            }
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        let needles = self.few.iter().map(|(finder, _)| finder.needle().len()).sum::<usize>();
        let many = self.many.iter().map(Many::size_bytes).sum::<usize>();
        size_of::<Self>() + size_of_val(self.few.as_slice()) + needles + many
    }
}

/// Texts of which none begins with another, and what each leads to. The places where one may be are found by
/// windows; from there on an automaton is led through the text until no text can be going on, so
/// that no text takes longer than one pass through the automaton.
#[derive(Debug)]
pub(super) struct Many {
    windows: Windows,
    automaton: NFA,
    start: StateID,
    /// The length of each text, and what it leads to.
    parts: Vec<(u32, Leads)>,
}

impl Many {
    /// `None` when there are too many.
    pub(super) fn new(parts: &[(&[u8], Leads)], folds: bool, seed: u64) -> Option<Self> {
        let texts = parts.iter().map(|(text, _)| *text);
        let windows = Windows::new(texts.clone(), folds, seed);
        let automaton = NFA::builder().match_kind(MatchKind::Standard).build(texts).ok()?;
        let start = automaton.start_state(Anchored::No).ok()?;
        let length = |text: &[u8]| u32::try_from(text.len()).ok();
        let parts = parts.iter().map(|(text, leads)| Some((length(text)?, *leads)));
        Some(Self { windows, automaton, start, parts: parts.collect::<Option<_>>()? })
    }

    fn each<const FOLD: bool>(&self, text: &[u8], visit: &mut impl FnMut(Leads, usize)) {
        let mut at = 0;
        while let Some((start, window)) = self.windows.next(text, at) {
            let mut state = self.start;
            at = start;
            for byte in text.get(start..).unwrap_or_default() {
                let byte = if FOLD { byte.to_ascii_lowercase() } else { *byte };
                state = self.automaton.next_state(Anchored::No, state, byte);
                at += 1;
                if self.automaton.is_match(state) {
                    self.ends(state, at, visit);
                } else if state == self.start && at > window {
                    break;
                }
            }
        }
    }

    /// The texts that end at `end`.
    fn ends(&self, state: StateID, end: usize, visit: &mut impl FnMut(Leads, usize)) {
        for found in 0..self.automaton.match_len(state) {
            let part = self.automaton.match_pattern(state, found);
            if let Some((length, leads)) = self.parts.get(part.as_usize()) {
                visit(*leads, end.saturating_sub(*length as usize));
            }
        }
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.windows.size_bytes()
            + self.automaton.memory_usage()
            + size_of_val(self.parts.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inside(few: &[&str], many: &[&str], within: Within) -> Inside {
        let leads = (0..).map(Leads::Bucket);
        let finder = |text: &&str| Finder::new(*text).into_owned();
        let few: Vec<_> = few.iter().map(finder).zip(leads.clone()).collect();
        let many: Vec<_> = many.iter().map(|text| text.as_bytes()).zip(leads.skip(few.len())).collect();
        let many = Many::new(&many, within == Within::Folded, 7).unwrap();
        Inside { within, min_rank: 0, few, many: vec![many] }
    }

    /// The numbers of the texts that are met, with the places where.
    fn met(inside: &Inside, text: &[u8]) -> Vec<(u32, usize)> {
        let mut met = Vec::new();
        inside.each(text, |leads, start| {
            if let Leads::Bucket(number) = leads {
                met.push((number, start));
            }
        });
        met.sort_unstable();
        met
    }

    #[test]
    fn every_text_that_is_inside_is_met() {
        let inside = inside(&[], &["a", "ca", "b", "bc", "x"], Within::Any);
        assert_eq!(met(&inside, b"abca"), [(0, 0), (0, 3), (1, 2), (2, 1), (3, 1)]);
    }

    #[test]
    fn a_few_texts_are_met_once() {
        let inside = inside(&["a", "ab"], &["bcd"], Within::Any);
        assert_eq!(met(&inside, b"aabcd"), [(0, 0), (1, 1), (2, 2)]);
    }

    #[test]
    fn nothing_is_met_in_several_lines_where_one_is_asked_for() {
        let texts = (&["a"][..], &["b"][..]);
        assert_eq!(met(&inside(texts.0, texts.1, Within::Line), b"ab"), [(0, 0), (1, 1)]);
        assert_eq!(met(&inside(texts.0, texts.1, Within::Line), b"ab\n"), []);
        assert_eq!(met(&inside(texts.0, texts.1, Within::Any), b"ab\n"), [(0, 0), (1, 1)]);
    }

    #[test]
    fn case_is_ignored_where_it_is_to_be() {
        let inside = inside(&[], &["ab", "é"], Within::Folded);
        assert_eq!(met(&inside, b"xAb"), [(0, 1)]);
        assert_eq!(met(&inside, "É".as_bytes()), []);
        assert_eq!(met(&inside, "éa".as_bytes()), [(1, 0)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        /// Whatever the length of the shortest one is, and wherever in a text they are.
        #[test]
        fn the_windows_hide_no_text(
            texts in prop::collection::btree_set("[abC]{1,12}", 1..20), least in 1_usize..10,
            between in prop::collection::vec(("[abcABC/]{0,12}", any::<prop::sample::Index>()), 0..12),
            folds in any::<bool>(),
        ) {
            let small = |text: &str| if folds { text.to_ascii_lowercase() } else { text.to_owned() };
            let texts: std::collections::BTreeSet<_> = texts.iter().map(|text| small(text)).filter(|text| text.len() >= least).collect();
            let mut heads: Vec<&str> = Vec::new();
            for text in &texts {
                if !heads.last().is_some_and(|head| text.starts_with(head)) {
                    heads.push(text);
                }
            }
            prop_assume!(!heads.is_empty());
            let text: String = between.iter().flat_map(|(between, place)| [between, *place.get(&heads)]).collect();
            let inside = inside(&[], &heads, if folds { Within::Folded } else { Within::Any });
            let mut expected = Vec::new();
            for (number, head) in (0..).zip(&heads) {
                let is_at = |at: &usize| small(&text)[*at..].starts_with(head);
                expected.extend((0..text.len()).filter(is_at).map(|at| (number, at)));
            }
            prop_assert_eq!(met(&inside, text.as_bytes()), expected);
        }
    }
}
