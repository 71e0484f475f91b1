//! Texts that are cut at their slashes, and templates: texts some of whose segments may be anything.
//!
//! Templates that leave the same segments open have one *shape*, and a table has few shapes however
//! many templates it has. So a template is found by its hash: each segment of a path is hashed once,
//! and the hash for a shape is the sum over the segments that it does not leave open.

use super::bytes::{FACTOR, mix, same, zeros};

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

/// Room for `MOST` and one more; a power of two, so that a place is in it by a mask.
const ROOM: usize = 16;

/// A text that begins with a slash, cut at its slashes: `/a//b` is `a`, nothing and `b`.
#[derive(Debug, Default)]
pub(super) struct Segments<'x> {
    text: &'x [u8],
    /// Where the first, the second, ... segment ends.
    ends: [u32; ROOM],
    /// The sums of the hashes of the first none, one, two, ... segments.
    sums: [u64; ROOM],
    /// How many there are; `MOST` and one when there are more than are looked at.
    count: usize,
    /// Which of them are empty.
    empty: u16,
}

impl<'x> Segments<'x> {
    /// Cuts a text into these, which are new. False for one that does not begin with a slash, or is
    /// longer than 32-bit numbers count.
    pub(super) fn cut(&mut self, text: &'x [u8], seed: u64) -> bool {
        if text.first() != Some(&b'/') || u32::try_from(text.len()).is_err() {
            return false;
        }
        self.text = text;
        let mut short = [0; 8];
        let mut hasher = SegmentHasher::new(text, &mut short, seed);
        let (mut start, mut sum) = (1, 0_u64);
        while start <= text.len() && self.count < MOST {
            let (end, hash) = hasher.next(start);
            sum = sum.wrapping_add(hash);
            self.empty |= u16::from(end == start) << self.count;
            if let Some(slot) = self.ends.get_mut(self.count % ROOM) {
                *slot = u32::try_from(end).unwrap_or(u32::MAX);
            }
            self.count += 1;
            if let Some(slot) = self.sums.get_mut(self.count % ROOM) {
                *slot = sum;
            }
            start = end + 1;
        }
        if start <= text.len() {
            self.count = MOST + 1;
        }
        true
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether there is something in each segment that `shape` leaves open.
    #[inline]
    pub(super) fn fills(&self, shape: Shape) -> bool {
        self.empty & shape.open == 0
    }

    /// The hash of the segments that `shape`, which is one of `set`, does not leave open.
    #[inline]
    pub(super) fn hash(&self, shape: Shape, set: u32) -> u64 {
        let sum = |place: usize| self.sums.get(place % ROOM).copied().unwrap_or(0);
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
            let start = if place == 0 { 1 } else { self.end(place - 1) + 1 };
            let Some(piece) = self.text.get(from..start) else { return false };
            let Some((closed, after)) = rest.split_at_checked(piece.len()) else { return false };
            if !same(piece, closed) {
                return false;
            }
            (from, rest) = (self.end(place), after);
            open &= open - 1;
        }
        let end = self.end(usize::from(shape.count).wrapping_sub(1));
        self.text.get(from..end).is_some_and(|piece| same(piece, rest))
    }

    #[inline]
    fn end(&self, place: usize) -> usize {
        self.ends.get(place % ROOM).copied().unwrap_or(0) as usize
    }
}

/// Hashes the segments of a text, one after the other.
struct SegmentHasher<'w> {
    /// The text, with zeros after it if it has no eight bytes.
    words: &'w [u8],
    length: usize,
    /// Another one for each place, so that segments do not change places unnoticed.
    key: u64,
    salt: u64,
}

impl<'w> SegmentHasher<'w> {
    #[inline]
    fn new(text: &'w [u8], short: &'w mut [u8; 8], seed: u64) -> Self {
        let length = text.len();
        let words = match short.get_mut(..length) {
            None => text,
            Some(start) => {
                start.copy_from_slice(text);
                short
            }
        };
        Self { words, length, key: seed, salt: FACTOR ^ seed.rotate_left(32) }
    }

    /// The next eight bytes of the text, zeros where there are none; without a branch on where it
    /// ends, since that cannot be foreseen.
    #[inline]
    fn word(&self, at: usize) -> u64 {
        let from = at.min(self.words.len().saturating_sub(8));
        let word = self.words.get(from..).and_then(<[u8]>::first_chunk::<8>);
        let word = word.map_or(0, |word| u64::from_le_bytes(*word));
        let passed = at - from;
        if passed < 8 { word >> (8 * passed) } else { 0 }
    }

    /// Where the segment that starts at `start` ends, and its hash.
    #[inline]
    fn next(&mut self, start: usize) -> (usize, u64) {
        self.key = self.key.wrapping_add(FACTOR);
        let (mut hash, mut at) = (self.key, start);
        // Sixteen bytes at a time: few segments have more.
        loop {
            let (first, second) = (self.word(at), self.word(at + 8));
            let (in_first, in_second) = (zeros(first ^ SLASHES), zeros(second ^ SLASHES));
            let second = if in_first == 0 { below(second, in_second) } else { 0 };
            hash = mix(below(first, in_first) ^ hash, second ^ self.salt);
            // The end of the text is as good as a slash behind it.
            if in_first | in_second != 0 || self.length - at < 16 {
                let inside = if in_first == 0 { 8 + first_byte(in_second) } else { first_byte(in_first) };
                return ((at + inside).min(self.length), hash);
            }
            at += 16;
        }
    }
}

/// The bytes of a word below the first one that has its high bit among these; all if there is none.
#[inline]
fn below(word: u64, highs: u64) -> u64 {
    word & ((highs & highs.wrapping_neg()) >> 7).wrapping_sub(1)
}

/// The place of the first byte with its high bit among these; eight when there is none.
#[inline]
fn first_byte(highs: u64) -> usize {
    (highs.trailing_zeros() / 8) as usize
}
