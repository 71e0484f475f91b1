//! Building indexes: from what rules ask of a text to where the text is looked up.

use super::asked::Asked;
use super::bucket::Item;
use super::bytes::NONE;
use super::compiled::{END, Index, Length, NOTHING, Parts, Place, SEPARATED, TEXT, TextTest};
use super::exact::ExactMap;
use super::inside::Within;
use super::limits::{TooLarge, number};
use super::needs::AllNeeds;
use super::segment_trees::SegmentTrees;
use super::templates::FEW_KEYS;
use super::trie_build::{ESCAPE, Key};
use crate::route::re2::{Glob, Piece, Row, Run, RunTest};
use crate::route::{PathMatch, Pattern, TextKind, TextMatch};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Beginnings of no more lengths than this are looked up by length.
const MAX_LENGTHS: usize = 10;
/// So many engines for patterns are made with the table; the others when they are first used.
const PREPARED: usize = 1000;

/// The patterns of a large table lie all over the memory. Those of so many items are fetched in a
/// loop of its own, where one does not wait for the other, and are still in the cache when they are
/// read.
const NEAR: usize = 64;

/// The arrays in the making.
pub(super) struct Builder<'r> {
    pub needs: &'r AllNeeds,
    pub out: Parts,
    /// The number of each class of runs.
    classes: BTreeMap<Run, u8>,
    /// The shapes of patterns, by their source: routes like to share them.
    patterns: BTreeMap<Box<str>, u32>,
    pub sets: u32,
    pub seed: u64,
}

/// The keys of one index, by where they go.
#[derive(Default)]
struct Keys<'r> {
    exact: Vec<(Cow<'r, [u8]>, Item)>,
    forward: Vec<Key<'r>>,
    folded: Vec<Key<'r>>,
    backward: Vec<Key<'r>>,
    folded_backward: Vec<Key<'r>>,
    /// What is somewhere in a text; in one that must be one line; in small letters where case does not
    /// matter.
    inside: Vec<(Cow<'r, [u8]>, Item)>,
    line_inside: Vec<(Cow<'r, [u8]>, Item)>,
    folded_inside: Vec<(Cow<'r, [u8]>, Item)>,
    rest: Vec<Item>,
}

impl<'r> Builder<'r> {
    /// `seed` is for the hash tables: whoever sends requests should not be able to guess it.
    pub(super) fn new(needs: &'r AllNeeds, seed: u64) -> Self {
        let out = Parts { exact: ExactMap::new(seed), segments: SegmentTrees::new(seed), ..Parts::default() };
        Self { needs, out, classes: BTreeMap::new(), patterns: BTreeMap::new(), sets: 0, seed }
    }

    /// An index over what each of these items asks.
    pub(super) fn index(&mut self, asked: impl Iterator<Item = (Asked<'r>, Item)>) -> Result<u32, TooLarge> {
        let (mut keys, min_rank) = self.keys(asked)?;
        let segments = self.templates(&mut keys.forward, &mut keys.exact)?;
        let exact = self.exact(keys.exact)?;
        let starts = take_starts(&mut keys.forward);
        let lengths = number(self.out.lengths.len())?;
        self.out.lengths.extend(lengths_of(&starts));
        let mut index = Index {
            min_rank,
            exact,
            segments,
            lengths,
            length_count: number(self.out.lengths.len())? - lengths,
            starts: self.exact(starts)?,
            forward: self.trie(keys.forward)?,
            folded: self.trie(keys.folded)?,
            backward: self.trie(keys.backward)?,
            folded_backward: self.trie(keys.folded_backward)?,
            inside: self.inside([
                (Within::Any, keys.inside),
                (Within::Line, keys.line_inside),
                (Within::Folded, keys.folded_inside),
            ])?,
            rest: self.bucket(keys.rest)?,
            has_others: false,
        };
        index.has_others = index.others().iter().any(|other| *other != NONE);
        self.out.indexes.push(index);
        number(self.out.indexes.len() - 1)
    }

    /// The keys of what these items ask, and their best rank.
    fn keys(
        &mut self,
        mut asked: impl Iterator<Item = (Asked<'r>, Item)>,
    ) -> Result<(Keys<'r>, u32), TooLarge> {
        let (mut keys, mut min_rank) = (Keys::default(), NONE);
        let mut near = Vec::new();
        loop {
            near.extend(asked.by_ref().take(NEAR));
            if near.is_empty() {
                return Ok((keys, min_rank));
            }
            keys.forward.reserve(near.iter().map(|(asked, _)| asked.rows()).sum());
            for (asked, item) in near.drain(..) {
                min_rank = item.rank.min(min_rank);
                match asked {
                    Asked::Any => keys.forward.push(Key::new(Cow::Borrowed(b""), NOTHING, item)),
                    Asked::Separated { prefix, ignore_case } => {
                        self.text_key(&mut keys, prefix.as_bytes(), ignore_case, SEPARATED, item);
                    }
                    Asked::Text(text) => self.sort_in(&mut keys, text, item)?,
                    Asked::Whole(text) => keys.exact.push((text, item)),
                }
            }
        }
    }

    /// Puts a text that must be there, with `check` at its end, where it can be searched for.
    fn text_key(&mut self, keys: &mut Keys<'r>, text: &'r [u8], ignore_case: bool, check: u32, item: Item) {
        if text.contains(&ESCAPE) {
            // A byte that has another meaning in tries, and that no client can send.
            let text = String::from_utf8_lossy(text).into_owned().into_boxed_str();
            let path = match check {
                SEPARATED => Some(PathMatch::Separated { prefix: text, ignore_case }),
                END => TextMatch::new(TextKind::Exact(text), ignore_case).ok().map(PathMatch::Text),
                _ => TextMatch::new(TextKind::Prefix(text), ignore_case).ok().map(PathMatch::Text),
            };
            keys.rest.extend(path.map(|path| item.with_check(self.text_test(TextTest::Path(path)))));
        } else if ignore_case {
            keys.folded.push(Key::new(Cow::Owned(text.to_ascii_lowercase()), check, item));
        } else {
            keys.forward.push(Key::new(Cow::Borrowed(text), check, item));
        }
    }

    fn sort_in(&mut self, keys: &mut Keys<'r>, text: &'r TextMatch, item: Item) -> Result<(), TooLarge> {
        let ignore_case = text.ignores_case();
        match text.kind() {
            TextKind::Exact(exact) if ignore_case => self.text_key(keys, exact.as_bytes(), true, END, item),
            TextKind::Exact(exact) => keys.exact.push((Cow::Borrowed(exact.as_bytes()), item)),
            TextKind::Prefix(prefix) => self.text_key(keys, prefix.as_bytes(), ignore_case, NOTHING, item),
            TextKind::Suffix(part) | TextKind::Contains(part) if part.contains('\0') => {
                keys.rest.push(item.with_check(self.text_test(TextTest::Text(text.clone()))));
            }
            TextKind::Suffix(suffix) if ignore_case => {
                let reversed = suffix.bytes().rev().map(|byte| byte.to_ascii_lowercase()).collect();
                keys.folded_backward.push(Key::new(Cow::Owned(reversed), NOTHING, item));
            }
            TextKind::Suffix(suffix) => {
                let reversed = suffix.bytes().rev().collect();
                keys.backward.push(Key::new(Cow::Owned(reversed), NOTHING, item));
            }
            TextKind::Contains(part) if ignore_case => {
                keys.folded_inside.push((Cow::Owned(part.to_ascii_lowercase().into_bytes()), item));
            }
            TextKind::Contains(part) => keys.inside.push((Cow::Borrowed(part.as_bytes()), item)),
            TextKind::Regex(pattern) => self.sort_in_pattern(keys, pattern, item)?,
        }
        Ok(())
    }

    fn sort_in_pattern(
        &mut self,
        keys: &mut Keys<'r>,
        pattern: &'r Pattern,
        item: Item,
    ) -> Result<(), TooLarge> {
        if let Some(shape) = pattern.shape() {
            if let ([row], [], []) = (&*shape.forward, &*shape.folded, &*shape.backward)
                && let Some(row) = self.encoded(row)
            {
                // As nearly all have it.
                keys.forward.push(Key::new(Cow::Owned(row), END, item));
                return Ok(());
            }
            let mut encode =
                |rows: &[Row]| rows.iter().map(|row| self.encoded(row)).collect::<Option<Vec<_>>>();
            if let (Some(forward), Some(folded), Some(backward)) =
                (encode(&shape.forward), encode(&shape.folded), encode(&shape.backward))
            {
                let key = |row| Key::new(Cow::Owned(row), END, item);
                keys.forward.extend(forward.into_iter().map(key));
                keys.folded.extend(folded.into_iter().map(key));
                keys.backward.extend(backward.into_iter().map(key));
                return Ok(());
            }
        }
        if let Some((part, one_line)) = pattern.glob().and_then(Glob::anywhere) {
            // Where it is found, nothing is left to compare.
            let keys = if one_line { &mut keys.line_inside } else { &mut keys.inside };
            keys.push((Cow::Borrowed(part), item));
            return Ok(());
        }
        let known = self.patterns.get(pattern.source()).copied();
        let check = known.unwrap_or_else(|| {
            if self.patterns.len() < PREPARED {
                pattern.prepare();
            }
            let check = self.text_test(TextTest::Pattern(pattern.clone()));
            self.patterns.insert(pattern.source().into(), check);
            check
        });
        let (head, literal) = pattern.literals();
        if literal.len() > head.len() && !literal.contains(&ESCAPE) {
            keys.inside.push((Cow::Borrowed(literal), item.with_check(check)));
        } else {
            let head = head.split(|byte| *byte == ESCAPE).next().unwrap_or_default();
            keys.forward.push(Key::new(Cow::Borrowed(head), check, item));
        }
        number(self.out.texts.len()).map(|_| ())
    }

    fn text_test(&mut self, test: TextTest) -> u32 {
        self.out.texts.push(test);
        u32::try_from(self.out.texts.len() - 1).unwrap_or(0) + TEXT
    }

    /// A row as a key: texts as they are, each run as the escape and the number of its class.
    /// `None` when there are too many classes to number.
    fn encoded(&mut self, row: &Row) -> Option<Vec<u8>> {
        let lengths = row.iter().map(|piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Run(_) => 2,
        });
        let mut key = Vec::with_capacity(lengths.sum());
        for piece in row {
            match piece {
                Piece::Text(text) => key.extend_from_slice(text),
                Piece::Run(run) => key.extend([ESCAPE, self.class(*run)?]),
            }
        }
        Some(key)
    }

    /// The number of a class that some row has.
    pub(super) fn known_class(&self, run: &Run) -> Option<u8> {
        self.classes.get(run).copied()
    }

    fn class(&mut self, run: Run) -> Option<u8> {
        if let Some(class) = self.classes.get(&run) {
            return Some(*class);
        }
        let class = u8::try_from(self.classes.len()).ok()?;
        self.out.tries.classes.push(RunTest::new(run));
        self.classes.insert(run, class);
        Some(class)
    }

    /// A set of whole texts; what asks for the same text shares a place.
    fn exact(&mut self, mut keys: Vec<(Cow<'_, [u8]>, Item)>) -> Result<u32, TooLarge> {
        if keys.is_empty() {
            return Ok(NONE);
        }
        let set = self.sets;
        self.sets = set.checked_add(1).ok_or(TooLarge::Places)?;
        keys.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.rank.cmp(&b.1.rank)));
        for group in keys.chunk_by(|a, b| a.0 == b.0) {
            let Some((text, first)) = group.first() else { continue };
            let found = match group.len() {
                1 => self.known_alone(*first)?,
                _ => self.known(group.iter().map(|(_, item)| *item).collect())?,
            };
            self.out.exact.add_text(set, text, &found).ok_or(TooLarge::Places)?;
        }
        Ok(set)
    }

    /// Ends the building: the hash table gets its slots.
    pub(super) fn finish(mut self) -> Parts {
        self.out.exact.freeze();
        self.out.segments.freeze();
        self.out
    }
}

/// Takes the keys that are beginnings of a few lengths: many of them are found with fewer steps
/// by a probe for each length than by walking.
fn take_starts<'k>(forward: &mut Vec<Key<'k>>) -> Vec<(Cow<'k, [u8]>, Item)> {
    let is_start = |key: &Key<'_>| !key.text.contains(&ESCAPE) && key.check != END;
    let lengths: BTreeSet<usize> =
        forward.iter().filter(|key| is_start(key)).map(|key| key.text.len()).collect();
    if lengths.len() > MAX_LENGTHS || forward.len() < FEW_KEYS {
        return Vec::new();
    }
    let (starts, rest) = std::mem::take(forward).into_iter().partition(is_start);
    *forward = rest;
    let starts: Vec<Key<'k>> = starts;
    starts.into_iter().map(|key| (key.text, key.item.with_check(key.check))).collect()
}

/// The lengths of these texts, each with its best rank.
fn lengths_of(texts: &[(Cow<'_, [u8]>, Item)]) -> Vec<Length> {
    let mut lengths: BTreeMap<usize, u32> = BTreeMap::new();
    for (text, item) in texts {
        let best = lengths.entry(text.len()).or_insert(NONE);
        *best = item.rank.min(*best);
    }
    let length = |(length, min_rank)| Some(Length { length: u32::try_from(length).ok()?, min_rank });
    lengths.into_iter().filter_map(length).collect()
}

impl Item {
    /// The same item, which asks `check` of the text that is being sorted in.
    fn with_check(self, check: u32) -> Self {
        Self { here: Place { along: 0, check }, ..self }
    }
}
