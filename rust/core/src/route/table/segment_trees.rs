//! Trees of templates, a step for each segment: texts some of whose segments may be anything.
//!
//! From a step one way leads on by what the segment is, found by its key among those that the step
//! knows, and one by anything that is not empty. The better of both is taken first; where nothing is
//! better than what was found no way is taken.

use super::bytes::same;
use super::exact::{Found, Plain};
use super::fans::Fan;
use super::segments::{Cursor, Key, Seed, Segments};
use super::unit::{LONGEST_NEAR, NOWHERE, Step, Unit};
use super::units::{Near, Units};
use crate::likely::{likely, unlikely, usual};
use std::hint::cold_path;
use std::ops::Range;

/// Where a template ends. The lower bit says whether one does where the text ends, the other whether
/// one does where the text goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// With the text.
    Text = 1,
    /// With the slash after a segment, and anything may follow.
    Slash = 2,
    /// With a segment, and anything may follow.
    Segment = 3,
}

impl End {
    /// Whether a template that has led so far ends here, where the text does or goes on.
    #[inline]
    fn is_here(self, is_end: bool) -> bool {
        is_here(self as u32, is_end)
    }
}

#[inline]
fn is_here(end: u32, is_end: bool) -> bool {
    end & if is_end { 1 } else { 2 } != 0
}

/// What ends at a step: nothing; places behind each other in their list, this one being the first; or, of
/// the only one, how it ends, and its methods. Its highest bits say which, and whether anything ends
/// where the text goes on; the flags of a unit stand below them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends(u32);

impl Ends {
    const ONLY: u32 = 1 << 31;
    const BEFORE: u32 = 1 << 30;

    fn only(end: End, methods: u16) -> Self {
        Self(Self::ONLY | Self::before(end) | (end as u32) << 16 | u32::from(methods))
    }

    fn before(end: End) -> u32 {
        if is_here(end as u32, false) { Self::BEFORE } else { 0 }
    }

    /// The methods of the only one, and whether it ends as the text does.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the methods are in the lower half")]
    fn of_only(self, is_end: bool) -> Option<(u16, bool)> {
        (self.0 >= Self::ONLY).then(|| (self.0 as u16, is_here(self.0 >> 16, is_end)))
    }
}

/// What ends at a step, and in which way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub found: Found,
    pub end: End,
    /// What ends there in another way.
    pub next: u32,
}

/// What a template takes in a large table, or a little more.
const UNITS: usize = 4;

/// Whoever walks through a tree.
pub(super) trait Walker {
    /// Whether the request gets the rule of this rank, which asks for one of these methods, if any.
    fn plain(&mut self, rank: u32, methods: u16) -> bool;
    /// The best rank of what is known of a text, or `best` when none is better.
    fn found(&mut self, found: &Found, best: u32) -> u32;
}

/// Ways that lead on from a step: where any segment does, zero if it leads nowhere, and those that are
/// known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ways {
    pub open: u32,
    pub closed: Fan,
}

/// All trees of a table.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct SegmentTrees {
    units: Units,
    seed: Seed,
    ended: Vec<Ended>,
    /// The segments that are too long for a key and for a unit.
    texts: Vec<u8>,
    /// Those of the keys of one fan, while it is made.
    hashes: Vec<u64>,
}

impl SegmentTrees {
    /// The best rank of the templates that a text fits, or `best` when none is better. `slashes`: which of
    /// the first 64 bytes of the text are some.
    #[expect(clippy::inline_always, reason = "a call of it is a tenth of a match")]
    #[inline(always)]
    pub(super) fn walk(
        &self,
        root: &Unit,
        text: &[u8],
        slashes: u64,
        best: u32,
        walker: &mut impl Walker,
    ) -> u32 {
        let Some((segments, cursor)) = Segments::of(text, slashes) else {
            cold_path();
            return best;
        };
        self.walk_on::<false>(root, &segments, cursor, best, walker)
    }

    /// The same from a step on, to which a text has led up to `cursor`; `BEHIND_KEY`: up to behind the
    /// segment that has to come there.
    #[expect(clippy::inline_always, reason = "as for `walk`")]
    #[inline(always)]
    fn walk_on<'t, const BEHIND_KEY: bool>(
        &'t self,
        mut step: &'t Unit,
        segments: &Segments<'_>,
        mut cursor: Cursor,
        mut best: u32,
        walker: &mut impl Walker,
    ) -> u32 {
        let mut is_behind = BEHIND_KEY;
        while likely(step.min_rank() < best) {
            let is_end = segments.is_end(cursor);
            if unlikely(is_end || step.ended() & Ends::BEFORE != 0) {
                if unlikely(step.ended() & Unit::KEYED != 0 && !is_behind) {
                    return self.walk_keyed(step, segments, cursor, best, walker);
                }
                is_behind = false;
                best = self.end(step, is_end, best, walker);
                if is_end {
                    break;
                }
            }
            let (segment, next) = segments.next(cursor);
            cursor = next;
            let open = if unlikely(segment.is_empty()) { 0 } else { step.open() };
            let open = usual(self.units.step(open), &NOWHERE);
            if step.closed().is_none() {
                step = open;
                continue;
            }
            let closed = self.closed(step.closed(), segments, &segment);
            let closed_first = closed.min_rank() < open.min_rank();
            let (better, other) = if likely(closed_first) { (closed, open) } else { (open, closed) };
            step = better;
            if unlikely(other.min_rank() < best) {
                best = self.walk_apart(better, segments, cursor, best, walker);
                step = other;
            }
        }
        best
    }

    /// The same where another way is taken afterwards.
    #[inline(never)]
    fn walk_apart(
        &self,
        step: &Unit,
        segments: &Segments<'_>,
        cursor: Cursor,
        best: u32,
        walker: &mut impl Walker,
    ) -> u32 {
        self.walk_on::<false>(step, segments, cursor, best, walker)
    }

    /// The same from a step on at which a certain segment has to come.
    #[inline(never)]
    fn walk_keyed(
        &self,
        step: &Unit,
        segments: &Segments<'_>,
        cursor: Cursor,
        best: u32,
        walker: &mut impl Walker,
    ) -> u32 {
        if segments.is_end(cursor) {
            return best;
        }
        let (segment, next) = segments.next(cursor);
        match segments.short_key(&segment) {
            Some(key) if step.key().is(key.behind_open()) => {
                self.walk_on::<true>(step, segments, next, best, walker)
            }
            _ => best,
        }
    }

    /// Where a segment leads as the one that it is.
    #[expect(clippy::inline_always, reason = "as for `walk_on`")]
    #[inline(always)]
    fn closed(&self, fan: Fan, segments: &Segments<'_>, segment: &Range<usize>) -> &Unit {
        match segments.short_key(segment) {
            Some(key) => self.units.find(fan, key.hash(self.seed), |known| known.is(key)),
            None => self.long(fan, segments.get(segment.clone())),
        }
    }

    /// The same for a segment that is too long for a key.
    #[inline(never)]
    fn long(&self, fan: Fan, segment: &[u8]) -> &Unit {
        let key = Key::long(segment, self.seed);
        let is = |known: Key| {
            known.place(key).is_some_and(|(place, length)| {
                if length <= LONGEST_NEAR {
                    return self.units.has_text(place, segment);
                }
                let text = self.texts.get(place as usize..).and_then(|texts| texts.get(..length));
                text.is_some_and(|text| same(text, segment))
            })
        };
        self.units.find(fan, key.hash(self.seed), is)
    }

    /// The best rank of what ends at a step, if it is where the text ends, or goes on, too; or `best`.
    #[expect(clippy::inline_always, reason = "as for `walk`")]
    #[inline(always)]
    fn end(&self, step: &Unit, is_end: bool, mut best: u32, walker: &mut impl Walker) -> u32 {
        let ends = Ends(step.ended());
        if let Some((methods, is_here)) = ends.of_only(is_end) {
            let rank = step.min_rank();
            return if is_here && walker.plain(rank, methods) { rank } else { best };
        }
        let mut next = ends.0 & !(Ends::BEFORE | Unit::FLAGS);
        while let Some(ended) = next.checked_sub(1).and_then(|place| self.ended.get(place as usize)) {
            if ended.end.is_here(is_end) {
                best = walker.found(&ended.found, best);
            }
            next = ended.next;
        }
        best
    }

    /// None yet. Whoever sends requests should not be able to guess the seed.
    pub(super) fn new(seed: u64) -> Self {
        Self { seed: Seed::new(seed), ..Self::default() }
    }

    /// The key that a segment has in these trees.
    pub(super) fn key(&self, segment: &[u8]) -> Key {
        Key::of(segment, self.seed)
    }

    /// Room for the steps of about so many templates.
    pub(super) fn reserve(&mut self, templates: usize) {
        self.units.reserve(UNITS * templates);
    }

    /// To be called once, when all trees are there.
    pub(super) fn freeze(&mut self) {
        self.units.shrink();
        self.hashes = Vec::new();
    }

    /// Room for a step, which leads nowhere yet. `None` when there are too many.
    pub(super) fn add_step(&mut self) -> Option<u32> {
        self.units.add_step()
    }

    /// The same near the step that leads there by an open segment, if need be with the key of the segment
    /// that has to come then, which is not a long one.
    pub(super) fn add_open(&mut self, near: Near, then: Option<Key>) -> Option<u32> {
        self.units.add_open(near, then.map(Key::behind_open))
    }

    /// Room for segments of these keys, which lead on from one step. `None` when there are too many.
    pub(super) fn add_fan(&mut self, near: Near, keys: impl Iterator<Item = Key>) -> Option<Fan> {
        self.hashes.clear();
        self.hashes.extend(keys.map(|key| key.hash(self.seed)));
        self.units.add_fan(near, &self.hashes)
    }

    /// A new step to which a segment leads, which must not be there yet. `None` when there are too many.
    pub(super) fn lead(&mut self, fan: Fan, key: Key) -> Option<u32> {
        self.units.lead(fan, key.hash(self.seed), key)
    }

    /// Keeps the segment that leads to a step and is too long for its key. `None` when there are too many, or
    /// too many texts.
    pub(super) fn keep(&mut self, near: Near, key: Key, segment: &[u8]) -> Option<()> {
        let place = if segment.len() <= LONGEST_NEAR {
            self.units.add_text(near, segment)? as usize
        } else {
            self.texts.extend_from_slice(segment);
            self.texts.len() - segment.len()
        };
        self.units.set_key(near.step, key.at(place, segment.len())?);
        Some(())
    }

    /// The first step of a tree, if there is one at this place.
    #[inline]
    pub(super) fn root(&self, place: u32) -> &Unit {
        self.units.step(place).unwrap_or(&NOWHERE)
    }

    /// Makes a step lead on, and says what ends there. `None` when there are too many.
    pub(super) fn set(&mut self, step: u32, min_rank: u32, ways: Ways, ended: &[Ended]) -> Option<()> {
        let Ways { open, closed } = ways;
        // Where a segment has to come, something else than the usual has to be done as well.
        let flags = self.units.step(step).map_or(0, Unit::flags);
        let mut before = if flags & Unit::KEYED != 0 { Ends::BEFORE } else { 0 };
        if let [Ended { found, end, .. }] = ended
            && let Some(Plain { rank, methods }) = found.only()
            && rank == min_rank
        {
            let ended = Ends::only(*end, methods).0 | before;
            self.units.set_step(step, Step { min_rank, ended, open, closed });
            return Some(());
        }
        let mut next = 0;
        for one in ended {
            self.ended.push(Ended { next, ..*one });
            next = u32::try_from(self.ended.len()).ok().filter(|place| *place < Unit::KEYED)?;
        }
        before |= ended.iter().fold(0, |before, one| before | Ends::before(one.end));
        self.units.set_step(step, Step { min_rank, ended: next | before, open, closed });
        Some(())
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.units.size_bytes() + size_of_val(self.ended.as_slice()) + self.texts.len()
    }
}
