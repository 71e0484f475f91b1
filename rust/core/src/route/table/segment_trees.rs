//! Trees of templates, a step for each segment: texts some of whose segments may be anything.
//!
//! From a step one way leads on by what the segment is, found by its key among those that the step
//! knows, and one by anything that is not empty. The better of both is taken first; where nothing is
//! better than what was found no way is taken.

use super::bytes::{NONE, same};
use super::exact::{Found, Plain};
use super::segments::{Cursor, Key, Segments};
use std::ops::Range;

/// Where a template ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// With the text.
    Text,
    /// With a segment, and anything may follow.
    Segment,
    /// With the slash after a segment, and anything may follow.
    Slash,
}

/// How far a text was followed, and where that leads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// The best rank that this leads to.
    pub min_rank: u32,
    pub ended: Ends,
    /// The slot of the step that any segment leads to.
    pub open: u32,
    pub closed: Slots,
}

impl Step {
    pub(super) const NOWHERE: Self =
        Self { min_rank: NONE, ended: Ends::NONE, open: NONE, closed: Slots::NONE };

    /// A step where the way ends, as nearly all ways do: with the text, and with one rule, which asks
    /// for nothing but one of these methods, if for any.
    fn last(self, ended: &Ended) -> Option<Self> {
        let [Plain { rank, methods }, other] = ended.found.plain;
        let alone = other.rank == NONE && ended.found.bucket == NONE && ended.next == NONE;
        let is_last = self.open == NONE && self.closed == Slots::NONE && ended.end == End::Text;
        let ended = Ends(Ends::LAST | u32::from(methods));
        (alone && is_last).then_some(Self { min_rank: rank, ended, ..self })
    }
}

/// What ends at a step: a place in their list, or the methods of the only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends(u32);

impl Ends {
    pub(super) const NONE: Self = Self(NONE);
    /// What stands above methods. No place in a list does.
    const LAST: u32 = 0xFFFE_0000;

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the methods are in the lower half")]
    fn last(self) -> Option<u16> {
        (self.0 & 0xFFFF_0000 == Self::LAST).then_some(self.0 as u16)
    }
}

/// Where the segments are that a step knows: the first slot, and how many there are, a power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slots(u32);

impl Slots {
    const NONE: Self = Self(NONE);
    const BITS: u32 = 5;

    /// `None` when the first one is too far away.
    fn new(first: usize, bits: u32) -> Option<Self> {
        let first = u32::try_from(first).ok().filter(|first| first.leading_zeros() >= Self::BITS)?;
        Some(Self(first << Self::BITS | bits)).filter(|slots| *slots != Self::NONE)
    }

    #[inline]
    fn bits(self) -> u32 {
        self.0 & ((1 << Self::BITS) - 1)
    }

    #[inline]
    fn range(self) -> Range<usize> {
        let first = (self.0 >> Self::BITS) as usize;
        first..first + (1 << self.bits())
    }

    /// The place among them that a hash leads to first.
    #[inline]
    fn place(self, hash: u64) -> usize {
        usize::try_from((hash >> 1) >> (63 - self.bits())).unwrap_or(0)
    }
}

/// A segment, and the step that it leads to; without a key a step to which other ways lead.
#[derive(Debug, Clone, Copy)]
struct Slot {
    key: Key,
    step: Step,
}

impl Slot {
    const FREE: Self = Self { key: Key::NONE, step: Step::NOWHERE };
}

/// What ends at a step, and in which way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub found: Found,
    pub end: End,
    /// What ends there in another way.
    pub next: u32,
}

/// Whoever walks through a tree.
pub(super) trait Walker {
    /// Only what has a better rank is of interest.
    fn bound(&self) -> u32;
    /// One rule, and its methods.
    fn plain(&mut self, rank: u32, methods: u16);
    fn found(&mut self, found: &Found);
}

/// All trees of a table.
#[derive(Debug, Default)]
pub(super) struct SegmentTrees {
    seed: u64,
    /// What leads on from a step comes behind it, so that one place in memory answers where there is
    /// one way only.
    slots: Vec<Slot>,
    ended: Vec<Ended>,
    /// The segments that are longer than a key.
    texts: Vec<u8>,
}

impl SegmentTrees {
    /// Tells `walker` what is known of each template that a text fits, the better ways first.
    /// `slashes`: which of the first 64 bytes of the text are some.
    #[inline]
    pub(super) fn walk(&self, root: u32, text: &[u8], slashes: u64, walker: &mut impl Walker) {
        let root = self.slots.get(root as usize);
        if let (Some(root), Some((segments, start))) = (root, Segments::of(text, slashes)) {
            self.walk_on(&root.step, &segments, start, walker);
        }
    }

    /// From a step on, to which a text has led up to `cursor`.
    fn walk_on(&self, step: &Step, segments: &Segments<'_>, cursor: Cursor, walker: &mut impl Walker) {
        let (mut step, mut cursor) = (step, cursor);
        while step.min_rank < walker.bound() {
            let is_end = segments.is_end(cursor);
            if let Some(methods) = step.ended.last() {
                if is_end {
                    walker.plain(step.min_rank, methods);
                }
                return;
            }
            if step.ended != Ends::NONE {
                self.end(step.ended, is_end, walker);
            }
            if is_end {
                return;
            }
            let (segment, next) = segments.next(cursor);
            cursor = next;
            let closed = self.closed(step, segments, &segment);
            let open = if step.open == NONE || segment.is_empty() { NONE } else { step.open };
            step = match (closed, self.slots.get(open as usize)) {
                (Some(closed), Some(Slot { step: open, .. })) => {
                    let closed_first = closed.min_rank < open.min_rank;
                    let (better, other) = if closed_first { (closed, open) } else { (open, closed) };
                    self.walk_on(better, segments, cursor, walker);
                    other
                }
                (Some(only), None) | (None, Some(Slot { step: only, .. })) => only,
                (None, None) => return,
            };
        }
    }

    /// Where a segment leads as the one that it is.
    #[inline]
    fn closed(&self, step: &Step, segments: &Segments<'_>, segment: &Range<usize>) -> Option<&Step> {
        if step.closed == Slots::NONE {
            return None;
        }
        let slots = self.slots.get(step.closed.range())?;
        let Some(key) = segments.short_key(segment) else {
            return self.long(step.closed, slots, segments.get(segment.clone()));
        };
        let first = step.closed.place(key.hash(self.seed));
        for place in first..first + slots.len() {
            let slot = slots.get(place & (slots.len() - 1))?;
            if slot.key == key {
                return Some(&slot.step);
            }
            if slot.key == Key::NONE {
                return None;
            }
        }
        None
    }

    /// The same for a segment that is too long for a key.
    #[inline(never)]
    fn long<'t>(&self, known: Slots, slots: &'t [Slot], segment: &[u8]) -> Option<&'t Step> {
        let key = Key::long(segment, self.seed);
        let first = known.place(key.hash(self.seed));
        let all = (first..first + slots.len()).map_while(|place| slots.get(place & (slots.len() - 1)));
        let mut known = all.take_while(|slot| slot.key != Key::NONE);
        let is = |slot: &&Slot| {
            let bytes = slot.key.bytes(key).and_then(|bytes| self.texts.get(bytes));
            bytes.is_some_and(|bytes| same(bytes, segment))
        };
        known.find(is).map(|slot| &slot.step)
    }

    /// Tells what ends at a step, if it is where the text ends, or goes on, too.
    #[inline]
    fn end(&self, ended: Ends, is_end: bool, walker: &mut impl Walker) {
        let Ends(mut next) = ended;
        while let Some(ended) = self.ended.get(next as usize) {
            let ends = match ended.end {
                End::Text => is_end,
                End::Segment => true,
                End::Slash => !is_end,
            };
            if ends {
                walker.found(&ended.found);
            }
            next = ended.next;
        }
    }

    /// None yet. Whoever sends requests should not be able to guess the seed.
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// The key that a segment has in these trees.
    pub(super) fn key(&self, segment: &[u8]) -> Key {
        Key::of(segment, self.seed)
    }

    /// Room for a step. `None` when there are too many.
    pub(super) fn new_slot(&mut self) -> Option<u32> {
        self.slots.push(Slot::FREE);
        u32::try_from(self.slots.len() - 1).ok().filter(|place| *place != NONE)
    }

    pub(super) fn set(&mut self, slot: u32, step: Step) {
        if let Some(slot) = self.slots.get_mut(slot as usize) {
            slot.step = step;
        }
    }

    /// Room for so many segments of a step: not much more than half of it gets used, so that few of
    /// them have to go on to a place behind their own. `None` when there are too many.
    pub(super) fn new_slots(&mut self, count: usize) -> Option<Slots> {
        if count == 0 {
            return Some(Slots::NONE);
        }
        let (first, size) = (self.slots.len(), (count + count / 2).next_power_of_two());
        self.slots.resize(first + size, Slot::FREE);
        Slots::new(first, size.ilog2())
    }

    /// Puts a segment, which must not be there yet, and the step that it leads to, in one of the slots.
    /// `None` when there are too many texts.
    pub(super) fn put(&mut self, slots: Slots, key: Key, segment: &[u8], step: Step) -> Option<()> {
        let mut place = slots.place(key.hash(self.seed));
        let key = if key.is_long() { key.at(self.texts.len(), segment.len())? } else { key };
        if key.is_long() {
            self.texts.extend_from_slice(segment);
        }
        let slots = self.slots.get_mut(slots.range())?;
        let last = slots.len() - 1;
        while slots.get(place & last)?.key != Key::NONE {
            place += 1;
        }
        *slots.get_mut(place & last)? = Slot { key, step };
        Some(())
    }

    /// A step with what ends there. `None` when there are too many.
    pub(super) fn ending(&mut self, step: Step, ended: &[Ended]) -> Option<Step> {
        if let [only] = ended
            && let Some(last) = step.last(only)
        {
            return Some(last);
        }
        let mut step = step;
        for one in ended {
            let Ends(next) = step.ended;
            self.ended.push(Ended { next, ..*one });
            step.ended = Ends(u32::try_from(self.ended.len() - 1).ok().filter(|place| *place < Ends::LAST)?);
        }
        Some(step)
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.slots.as_slice()) + size_of_val(self.ended.as_slice()) + self.texts.len()
    }
}
