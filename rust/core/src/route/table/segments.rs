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

/// No more segments than this may be open, so that what they add to a hash is taken off without a
/// loop.
pub(super) const MAX_OPEN: usize = 4;

/// A place where no text has a segment.
const NOWHERE: u8 = 15;

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

    /// A bit for each segment that is not open.
    #[inline]
    fn closed(self) -> u32 {
        !u32::from(self.open) & !(u32::MAX << self.count)
    }

    /// The places of the open segments, and nowhere for those that it might have.
    pub(super) fn open_places(self) -> [u8; MAX_OPEN] {
        let mut places = [NOWHERE; MAX_OPEN];
        for (slot, place) in places.iter_mut().zip((0..NOWHERE).filter(|place| self.open >> place & 1 == 1)) {
            *slot = place;
        }
        places
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
    /// The hash of each; zero where there is none.
    hashes: [u64; ROOM],
    /// The sums of the first none, one, two, ... hashes.
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
        let mut hasher = SegmentHasher::new(text, seed);
        let (mut start, mut sum, mut count) = (1, 0_u64, 0);
        while start <= text.len() && count < MOST {
            let (end, hash) = hasher.next(start);
            sum = sum.wrapping_add(hash);
            if end == start {
                self.empty |= 1 << count;
            }
            set(&mut self.ends, count, u32::try_from(end).unwrap_or(u32::MAX));
            set(&mut self.hashes, count, hash);
            count += 1;
            set(&mut self.sums, count, sum);
            start = end + 1;
        }
        self.count = if start <= text.len() { MOST + 1 } else { count };
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

    /// The hash of the first `count` segments without those at `open`, for one of the `set`s. A sum of
    /// hashes needs no mixing.
    #[inline]
    pub(super) fn hash(&self, count: u8, open: [u8; MAX_OPEN], set: u32) -> u64 {
        let at =
            |hashes: &[u64; ROOM], place: u8| hashes.get(usize::from(place) % ROOM).copied().unwrap_or(0);
        let opened = open.iter().fold(0_u64, |sum, place| sum.wrapping_add(at(&self.hashes, *place)));
        at(&self.sums, count).wrapping_sub(opened) ^ u64::from(set).wrapping_mul(FACTOR)
    }

    /// Whether the text, as far as `shape` goes and without what it leaves open, is `known`: a text
    /// of that shape, each open segment of which is empty.
    #[inline]
    pub(super) fn are(&self, shape: Shape, known: &[u8]) -> bool {
        let (mut closed, mut done, mut rest) = (shape.closed(), 0, known);
        // From one row of closed segments to the next; of the open ones between them `known` has the
        // slashes.
        while closed != 0 {
            let first = closed.trailing_zeros() as usize;
            let end = first + (closed >> first).trailing_ones() as usize;
            let from = if first == 0 { 0 } else { self.end(first - 1) };
            let Some(piece) = self.text.get(from..self.end(end - 1)) else { return false };
            let Some(after) = rest.get(first - done..) else { return false };
            let Some((same_long, after)) = after.split_at_checked(piece.len()) else { return false };
            if !same(piece, same_long) {
                return false;
            }
            (done, rest) = (end, after);
            closed &= u32::MAX << end;
        }
        rest.len() == usize::from(shape.count) - done
    }

    #[inline]
    fn end(&self, place: usize) -> usize {
        self.ends.get(place % ROOM).copied().unwrap_or(0) as usize
    }
}

#[inline]
fn set<T>(slots: &mut [T; ROOM], place: usize, value: T) {
    if let Some(slot) = slots.get_mut(place % ROOM) {
        *slot = value;
    }
}

/// Hashes the segments of a text, one after the other.
struct SegmentHasher<'x> {
    text: &'x [u8],
    /// The last sixteen bytes of the text, zeros before them if it has not so many.
    tail: u128,
    /// Another one for each place, so that segments do not change places unnoticed.
    key: u64,
    salt: u64,
}

impl<'x> SegmentHasher<'x> {
    #[inline]
    fn new(text: &'x [u8], seed: u64) -> Self {
        let tail = text.last_chunk().copied().unwrap_or_else(|| {
            let mut tail = [0; 16];
            tail.iter_mut().rev().zip(text.iter().rev()).for_each(|(to, from)| *to = *from);
            tail
        });
        Self { text, tail: u128::from_le_bytes(tail), key: seed, salt: FACTOR ^ seed.rotate_left(32) }
    }

    /// The next sixteen bytes of the text; a slash and zeros after its end.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    fn words(&self, at: usize) -> (u64, u64) {
        let rest = self.text.get(at..).unwrap_or_default();
        let words = if let Some(chunk) = rest.first_chunk() {
            u128::from_le_bytes(*chunk)
        } else {
            let left = 8 * rest.len() as u32;
            self.tail.checked_shr(128 - left).unwrap_or(0) | u128::from(b'/') << left
        };
        (words as u64, (words >> 64) as u64)
    }

    /// Where the segment that starts at `start` ends, and its hash.
    #[inline]
    fn next(&mut self, start: usize) -> (usize, u64) {
        self.key = self.key.wrapping_add(FACTOR);
        let (first, second) = self.words(start);
        let (in_first, in_second) = (zeros(first ^ SLASHES), zeros(second ^ SLASHES));
        if in_first | in_second == 0 {
            return self.long(start);
        }
        // By a mask and not by a branch: what is longer than eight bytes cannot be foreseen.
        let goes_on = u64::from(in_first == 0).wrapping_neg();
        let second = below(second, in_second) & goes_on;
        let hash = mix(below(first, in_first) ^ self.key, second ^ self.salt);
        let bits = u64::from(in_first.trailing_zeros()) + (u64::from(in_second.trailing_zeros()) & goes_on);
        (start + (bits / 8) as usize, hash)
    }

    /// The same for one of sixteen bytes or more.
    fn long(&self, start: usize) -> (usize, u64) {
        let (mut hash, mut at) = (self.key, start);
        loop {
            let (first, second) = self.words(at);
            let (in_first, in_second) = (zeros(first ^ SLASHES), zeros(second ^ SLASHES));
            let second = if in_first == 0 { below(second, in_second) } else { 0 };
            hash = mix(below(first, in_first) ^ hash, second ^ self.salt);
            if in_first != 0 {
                return (at + (in_first.trailing_zeros() / 8) as usize, hash);
            }
            if in_second != 0 {
                return (at + 8 + (in_second.trailing_zeros() / 8) as usize, hash);
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
