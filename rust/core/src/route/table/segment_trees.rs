//! Trees of templates, a step for each segment: texts some of whose segments may be anything.
//!
//! From a step one way leads on by what the segment is, found by its key among those that the step
//! knows, and one by anything that is not empty. The better of both is taken first; where nothing is
//! better than what was found no way is taken.

use super::bytes::{NONE, same};
use super::exact::{Found, Plain};
use super::segments::{Cursor, Key, Segments};
use super::units::{Fan, Unit, Units};
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

impl End {
    /// Whether a template that has led so far ends here, where the text does or goes on.
    #[inline]
    fn is_here(self, is_end: bool) -> bool {
        match self {
            Self::Text => is_end,
            Self::Segment => true,
            Self::Slash => !is_end,
        }
    }
}

/// What ends at a step: a place in their list, or of the only one how it ends, and its methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends(u32);

impl Ends {
    /// From here on it is the only one, but for `NONE`. No list has as many places.
    const ONLY: u32 = 0xFFFC_0000;

    fn only(end: End, methods: u16) -> Self {
        Self(Self::ONLY | (end as u32) << 16 | u32::from(methods))
    }

    /// The methods of the only one, and whether it ends as the text does.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the methods are in the lower half")]
    fn of_only(self, is_end: bool) -> Option<(u16, bool)> {
        let end = match (self.0 >> 16) & 3 {
            0 => End::Text,
            1 => End::Segment,
            _ => End::Slash,
        };
        (self.0 >= Self::ONLY).then(|| (self.0 as u16, end.is_here(is_end)))
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
const UNITS: usize = 6;

/// Whoever walks through a tree.
pub(super) trait Walker {
    /// Only what has a better rank is of interest.
    fn bound(&self) -> u32;
    /// One rule, and its methods.
    fn plain(&mut self, rank: u32, methods: u16);
    fn found(&mut self, found: &Found);
}

/// Ways that lead on from a step: where any segment does, and those that are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ways {
    pub open: u32,
    pub closed: u32,
}

/// All trees of a table.
#[derive(Debug, Default)]
pub(super) struct SegmentTrees {
    seed: u64,
    units: Units,
    ended: Vec<Ended>,
    /// The segments that are longer than a key.
    texts: Vec<u8>,
}

impl SegmentTrees {
    /// Tells `walker` what is known of each template that a text fits, the better ways first.
    /// `slashes`: which of the first 64 bytes of the text are some.
    #[inline]
    pub(super) fn walk(&self, root: u32, text: &[u8], slashes: u64, walker: &mut impl Walker) {
        if let (Some(root), Some((segments, start))) = (self.units.step(root), Segments::of(text, slashes)) {
            self.walk_on(root, &segments, start, walker);
        }
    }

    /// From a step on, to which a text has led up to `cursor`.
    fn walk_on(&self, step: &Unit, segments: &Segments<'_>, cursor: Cursor, walker: &mut impl Walker) {
        let (mut step, mut cursor) = (step, cursor);
        while step.min_rank() < walker.bound() {
            let is_end = segments.is_end(cursor);
            if step.ended() != NONE {
                let ended = Ends(step.ended());
                if let Some((methods, ends)) = ended.of_only(is_end) {
                    if ends {
                        walker.plain(step.min_rank(), methods);
                    }
                    return;
                }
                self.end(ended, is_end, walker);
            }
            if is_end {
                return;
            }
            let (segment, next) = segments.next(cursor);
            cursor = next;
            let closed = self.closed(step.closed(), segments, &segment);
            let open = if segment.is_empty() { NONE } else { step.open() };
            step = match (closed, self.units.step(open)) {
                (Some(closed), Some(open)) => {
                    let closed_first = closed.min_rank() < open.min_rank();
                    let (better, other) = if closed_first { (closed, open) } else { (open, closed) };
                    self.walk_on(better, segments, cursor, walker);
                    other
                }
                (Some(only), None) | (None, Some(only)) => only,
                (None, None) => return,
            };
        }
    }

    /// Where a segment leads as the one that it is.
    #[inline]
    fn closed(&self, closed: u32, segments: &Segments<'_>, segment: &Range<usize>) -> Option<&Unit> {
        if closed == NONE {
            return None;
        }
        match segments.short_key(segment) {
            Some(key) => self.units.find(closed, || key.hash(self.seed), |known| known == key),
            None => self.long(closed, segments.get(segment.clone())),
        }
    }

    /// The same for a segment that is too long for a key.
    #[inline(never)]
    fn long(&self, closed: u32, segment: &[u8]) -> Option<&Unit> {
        let key = Key::long(segment, self.seed);
        let is = |known: Key| {
            let bytes = known.bytes(key).and_then(|bytes| self.texts.get(bytes));
            bytes.is_some_and(|bytes| same(bytes, segment))
        };
        self.units.find(closed, || key.hash(self.seed), is)
    }

    /// Tells what ends at a step, if it is where the text ends, or goes on, too.
    #[inline]
    fn end(&self, ended: Ends, is_end: bool, walker: &mut impl Walker) {
        let Ends(mut next) = ended;
        while let Some(ended) = self.ended.get(next as usize) {
            if ended.end.is_here(is_end) {
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

    /// Room for the steps of about so many templates.
    pub(super) fn reserve(&mut self, templates: usize) {
        self.units.reserve(UNITS * templates);
    }

    /// To be called once, when all trees are there.
    pub(super) fn freeze(&mut self) {
        self.units.shrink();
    }

    /// Room for a step, which leads nowhere yet. `None` when there are too many.
    pub(super) fn add_step(&mut self) -> Option<u32> {
        self.units.add_step()
    }

    /// Room for so many segments that lead on, if there are several. `None` when there are too many.
    #[expect(clippy::option_option, reason = "whether there is room, and whether it is needed")]
    pub(super) fn add_fan(&mut self, segments: usize) -> Option<Option<Fan>> {
        if segments > 1 { self.units.add_fan(segments).map(Some) } else { Some(None) }
    }

    /// A new step to which a segment leads, which must not be there yet. `None` when there are too many,
    /// or too many texts.
    pub(super) fn lead(&mut self, fan: Option<Fan>, key: Key, segment: &[u8]) -> Option<u32> {
        let known = if key.is_long() { key.at(self.texts.len(), segment.len())? } else { key };
        if key.is_long() {
            self.texts.extend_from_slice(segment);
        }
        self.units.lead(fan, key.hash(self.seed), known)
    }

    /// Makes a step lead on, and says what ends there. `None` when there are too many.
    pub(super) fn set(&mut self, step: u32, min_rank: u32, ways: Ways, ended: &[Ended]) -> Option<()> {
        let Ways { open, closed } = ways;
        if let [Ended { found, end, .. }] = ended
            && (open, closed) == (NONE, NONE)
            && let Some(Plain { rank, methods }) = found.only()
        {
            let Ends(only) = Ends::only(*end, methods);
            self.units.set_step(step, [rank, only, open, closed]);
            return Some(());
        }
        let mut next = NONE;
        for one in ended {
            self.ended.push(Ended { next, ..*one });
            next = u32::try_from(self.ended.len() - 1).ok().filter(|place| *place < Ends::ONLY)?;
        }
        self.units.set_step(step, [min_rank, next, open, closed]);
        Some(())
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.units.size_bytes() + size_of_val(self.ended.as_slice()) + self.texts.len()
    }
}
