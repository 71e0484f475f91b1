//! Texts that are cut at their slashes, and templates: texts some of whose segments may be anything.
//!
//! Templates that leave the same segments open have one *shape*, and a table has few shapes however
//! many templates it has. So a template is found by its hash: each segment of a path is hashed once,
//! and the hash for a shape is the sum over the segments that it does not leave open.

use super::bytes::{FACTOR, SEVENS, mix, same, word_at};

/// So many segments of a text are looked at.
pub(super) const MOST: usize = 12;
const SLASHES: u64 = 0x2F2F_2F2F_2F2F_2F2F;

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

/// What templates have in common: how many segments they have, which of them are open (a bit for
/// each, the first one lowest; something must be there), and where they end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    pub count: u8,
    pub open: u16,
    pub end: End,
}

impl Shape {
    /// Whether a text of so many segments may have this shape.
    pub(super) fn fits(self, count: usize) -> bool {
        let own = usize::from(self.count);
        match self.end {
            End::Text => own == count,
            End::Segment => own <= count,
            End::Slash => own < count,
        }
    }
}

/// A text that begins with a slash, cut at its slashes: `/a//b` is `a`, nothing and `b`.
#[derive(Debug)]
pub(super) struct Segments<'x> {
    text: &'x [u8],
    /// Where the first, the second, ... segment ends.
    ends: [u32; MOST],
    /// The sums of the hashes of the first none, one, two, ... segments.
    sums: [u64; MOST + 1],
    /// How many there are; more than `MOST` when there are more than are looked at.
    count: usize,
    /// Which of them are empty.
    empty: u16,
}

/// The high bits of those bytes that are slashes.
fn slashes(word: u64) -> u64 {
    let other = word ^ SLASHES;
    !(((other & SEVENS) + SEVENS) | other | SEVENS)
}

/// A bit for each of eight bytes: their high bits.
fn bits(highs: u64) -> u64 {
    (highs >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The low bytes of a word, so many of them.
fn low_bytes(word: u64, count: usize) -> u64 {
    if count < 8 { word & ((1 << (8 * count)) - 1) } else { word }
}

impl<'x> Segments<'x> {
    /// `None` for a text that does not begin with a slash, or is longer than 32-bit numbers count.
    #[inline]
    pub(super) fn of(text: &'x [u8], seed: u64) -> Option<Self> {
        if text.first() != Some(&b'/') || u32::try_from(text.len()).is_err() {
            return None;
        }
        let mut segments = Self { text, ends: [0; MOST], sums: [0; MOST + 1], count: 0, empty: 0 };
        let mut start = 1;
        // The slash at the start ends nothing.
        let mut passed = 1;
        for block in (0..text.len()).step_by(64) {
            let mut found = 0;
            for (place, at) in (block..text.len().min(block + 64)).step_by(8).enumerate() {
                found |= bits(slashes(word_at(text, at))) << (8 * place);
            }
            found &= !passed;
            passed = 0;
            while found != 0 {
                let end = block + found.trailing_zeros() as usize;
                segments.push(start, end, seed);
                if segments.count > MOST {
                    return Some(segments);
                }
                start = end + 1;
                found &= found - 1;
            }
        }
        segments.push(start, text.len(), seed);
        Some(segments)
    }

    /// Takes the next segment, or counts it when it is too many.
    #[inline]
    fn push(&mut self, start: usize, end: usize, seed: u64) {
        let place = self.count;
        self.count += 1;
        let (Some(slot), Some(sum), Ok(to)) =
            (self.ends.get_mut(place), self.sums.get(place).copied(), u32::try_from(end))
        else {
            return;
        };
        *slot = to;
        self.empty |= u16::from(start == end) << place;
        let hash = self.hash_of(start, end, seed ^ (place as u64 + 1).wrapping_mul(FACTOR));
        if let Some(next) = self.sums.get_mut(place + 1) {
            *next = sum.wrapping_add(hash);
        }
    }

    /// Sixteen bytes need one multiplication, and few segments have more.
    #[inline]
    fn hash_of(&self, start: usize, end: usize, seed: u64) -> u64 {
        let length = end - start;
        let word = |at: usize| low_bytes(word_at(self.text, at), end.saturating_sub(at));
        let salt = (FACTOR ^ seed.rotate_left(32)).wrapping_add(length as u64);
        let mut state = mix(word(start) ^ seed, word(start + 8) ^ salt);
        for at in (start + 16..end).step_by(16) {
            state = mix(state ^ word(at), word(at + 8) ^ salt);
        }
        state
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether there is something in each segment that `shape` leaves open.
    pub(super) fn fills(&self, shape: Shape) -> bool {
        self.empty & shape.open == 0
    }

    /// The hash of the segments that `shape`, which is one of `set`, does not leave open.
    #[inline]
    pub(super) fn hash(&self, shape: Shape, set: u32) -> u64 {
        let sum = |place: usize| self.sums.get(place).copied().unwrap_or(0);
        let mut hash = sum(usize::from(shape.count));
        let mut open = shape.open;
        while open != 0 {
            let place = open.trailing_zeros() as usize;
            hash = hash.wrapping_sub(sum(place + 1).wrapping_sub(sum(place)));
            open &= open - 1;
        }
        mix(hash ^ u64::from(set).wrapping_mul(FACTOR), FACTOR)
    }

    /// Whether the text, as far as `shape` goes and without what it leaves open, is `known`.
    #[inline]
    pub(super) fn are(&self, shape: Shape, known: &[u8]) -> bool {
        let (mut from, mut rest, mut open) = (0, known, shape.open);
        while open != 0 {
            let place = open.trailing_zeros() as usize;
            let start = self.start(place);
            let Some(after) = self.after(from, start, rest) else { return false };
            (from, rest) = (self.end(place), after);
            open &= open - 1;
        }
        let end = self.end(usize::from(shape.count).wrapping_sub(1));
        self.text.get(from..end).is_some_and(|piece| same(piece, rest))
    }

    /// What is left of `rest` after this piece of the text.
    #[inline]
    fn after<'k>(&self, from: usize, to: usize, rest: &'k [u8]) -> Option<&'k [u8]> {
        let piece = self.text.get(from..to)?;
        let (start, after) = rest.split_at_checked(piece.len())?;
        same(piece, start).then_some(after)
    }

    fn start(&self, place: usize) -> usize {
        place.checked_sub(1).map_or(0, |before| self.end(before)) + 1
    }

    fn end(&self, place: usize) -> usize {
        self.ends.get(place).copied().unwrap_or(0) as usize
    }
}
