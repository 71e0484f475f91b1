//! Texts that are cut at their slashes, and the keys of what lies between them.

use super::bytes::{FACTOR, mix};
use super::target::{short, slashes};
use crate::likely::usual;
use std::hint::{cold_path, select_unpredictable};
use std::num::NonZero;
use std::ops::Range;

/// A segment in two words that are compared at once: at the upper end its bytes, at the lower one its
/// length and one. One that does not fit is told by its hash, and by its bytes then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(pub u64, pub u64);

/// What nobody should guess who sends requests: a seed, and another one made of it.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Seed(u64, u64);

impl Seed {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed, seed.rotate_left(32) ^ FACTOR)
    }
}

/// What stands in place of the length of a longer one.
const LONG: u64 = 0xFF;

/// What no length has, of a key of a step behind an open segment.
const BEHIND_OPEN: u64 = 0x80;

/// What a key takes of sixteen bytes that end with the segment, by its length.
const MASKS: [(u64, u64); 16] = {
    let mut masks = [(0, 0); 16];
    let mut length = 0;
    while length < 16 {
        #[expect(clippy::indexing_slicing, reason = "the length of the array, at build time")]
        {
            masks[length] = halves(!(u128::MAX >> (8 * length)));
        }
        length += 1;
    }
    masks
};

impl Key {
    /// No segment has it.
    pub(super) const NONE: Self = Self(0, 0);

    /// The key of a segment that stands alone.
    pub(super) fn of(segment: &[u8], seed: Seed) -> Self {
        Text::new(segment).key(&(0..segment.len())).unwrap_or_else(|| Self::long(segment, seed))
    }

    /// The key of a segment that is too long for one.
    pub(super) fn long(segment: &[u8], Seed(seed, salt): Seed) -> Self {
        let mut hash = seed ^ segment.len() as u64;
        let mut add = |chunk: &[u8; 16]| {
            let (first, second) = halves(u128::from_le_bytes(*chunk));
            hash = mix(first ^ hash, second ^ salt);
        };
        let mut rest = segment;
        while let Some((chunk, after)) = rest.split_first_chunk().filter(|(_, after)| !after.is_empty()) {
            add(chunk);
            rest = after;
        }
        // The last sixteen bytes come in any case, of which some were among those before.
        if let Some(chunk) = segment.last_chunk() {
            add(chunk);
        }
        Self(hash | LONG, 0)
    }

    /// Whether it is this one: one comparison, where `==` makes two.
    #[inline]
    pub(super) fn is(self, other: Self) -> bool {
        (self.0 ^ other.0) | (self.1 ^ other.1) == 0
    }

    /// The same, of a short segment, as it stands with a step behind an open segment: so that nothing finds it
    /// that is looked for by this key.
    #[inline]
    pub(super) fn behind_open(self) -> Self {
        Self(self.0 | BEHIND_OPEN, self.1)
    }

    #[inline]
    pub(super) fn is_long(self) -> bool {
        self.0 & LONG == LONG
    }

    /// The key of a long segment with the place where its bytes are kept. `None` when that is too far
    /// away, or the segment too long.
    pub(super) fn at(self, start: usize, length: usize) -> Option<Self> {
        let (start, length) = (u32::try_from(start).ok()?, u32::try_from(length).ok()?);
        Some(Self(self.0, u64::from(length) << 32 | u64::from(start)))
    }

    /// Where the bytes of a long segment begin and how many they are, if it may be the one that has the key
    /// `asked`.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both parts are taken")]
    pub(super) fn place(self, asked: Self) -> Option<(u32, usize)> {
        (self.0 == asked.0).then_some((self.1 as u32, (self.1 >> 32) as usize))
    }

    /// A hash that nobody can steer who does not know the seed.
    #[inline]
    pub(super) fn hash(self, seed: Seed) -> u64 {
        mix(self.0 ^ seed.0, self.1 ^ seed.1)
    }
}

/// A text of which sixteen bytes are read at a time.
#[derive(Debug, Clone, Copy)]
struct Text<'x> {
    bytes: &'x [u8],
    /// The first sixteen bytes, zeros behind them if there are not so many.
    head: u128,
}

impl<'x> Text<'x> {
    #[inline]
    fn new(bytes: &'x [u8]) -> Self {
        let head = if let Some(head) = bytes.first_chunk() {
            u128::from_le_bytes(*head)
        } else {
            cold_path();
            short(bytes)
        };
        Self { bytes, head }
    }

    /// The sixteen bytes before `end`, zeros before the start. No branch depends on where the end is: that
    /// of the second segment is among the first sixteen bytes as often as not.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "sixteen at most")]
    fn before(&self, end: usize) -> u128 {
        let far = select_unpredictable(end < 16, 16, end);
        let chunk = self.bytes.get(far - 16..far).and_then(<[u8]>::first_chunk);
        let chunk = usual(chunk.map(|chunk| u128::from_le_bytes(*chunk)), self.head);
        chunk.wrapping_shl(8 * (far - end) as u32)
    }

    /// The key of a segment, if it is short enough.
    #[inline]
    fn key(&self, segment: &Range<usize>) -> Option<Key> {
        let length = segment.end - segment.start;
        let Some((low, high)) = MASKS.get(length) else {
            cold_path();
            return None;
        };
        let (first, second) = halves(self.before(segment.end));
        // The first byte is free, since there are fifteen at most.
        Some(Key((first & low) | (length as u64 + 1), second & high))
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
pub(super) const fn halves(bytes: u128) -> (u64, u64) {
    (bytes as u64, (bytes >> 64) as u64)
}

/// A text that begins with a slash, and with each one after it a segment: `/a//b` is `a`, nothing and
/// `b`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segments<'x> {
    text: Text<'x>,
}

/// How far a text was read: up to a slash, or to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor {
    pub at: usize,
    /// Where the segments behind it end among the 64 bytes of which it is one: a bit for each slash, and
    /// one for the end of the text.
    ends: u64,
}

/// The bit that says that a text ends at this place, if that is among the first 64.
#[inline]
fn end_bit(place: usize) -> u64 {
    if place < 64 { 1 << place } else { 0 }
}

impl<'x> Segments<'x> {
    /// `None` for a text that does not begin with a slash; `slashes` are those among its first 64 bytes.
    #[inline]
    pub(super) fn of(bytes: &'x [u8], slashes: u64) -> Option<(Self, Cursor)> {
        let starts = slashes & 1 == 1;
        let ends = (slashes & !1) | end_bit(bytes.len());
        starts.then(|| (Self { text: Text::new(bytes) }, Cursor { at: 0, ends }))
    }

    #[inline]
    pub(super) fn is_end(&self, cursor: Cursor) -> bool {
        cursor.at == self.text.bytes.len()
    }

    /// The next segment, from where to where, and what comes then; not to be asked for at the end.
    #[inline]
    pub(super) fn next(&self, cursor: Cursor) -> (Range<usize>, Cursor) {
        let from = cursor.at & !63;
        let (from, ends) = match NonZero::new(cursor.ends) {
            Some(ends) => (from, ends),
            None => self.beyond(from),
        };
        let end = from | ends.trailing_zeros() as usize;
        (cursor.at + 1..end, Cursor { at: end, ends: ends.get() & (ends.get() - 1) })
    }

    /// The next 64 bytes in which a segment ends, and where those in them end.
    #[cold]
    #[inline(never)]
    fn beyond(&self, mut from: usize) -> (usize, NonZero<u64>) {
        loop {
            from += 64;
            let rest = self.text.bytes.get(from..).unwrap_or_default();
            let ends = slashes(rest) | end_bit(rest.len());
            if let Some(ends) = NonZero::new(ends) {
                return (from, ends);
            }
        }
    }

    pub(super) fn get(&self, segment: Range<usize>) -> &'x [u8] {
        self.text.bytes.get(segment).unwrap_or_default()
    }

    /// The key of a segment, if it is short enough to have one of its own.
    #[inline]
    pub(super) fn short_key(&self, segment: &Range<usize>) -> Option<Key> {
        self.text.key(segment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEED: Seed = Seed(7, 11);

    proptest! {
        #[test]
        fn a_text_is_cut_at_its_slashes(text in "(/[ab]{0,3}|/[ab]{0,40}|/a{60,70}){1,20}") {
            let (segments, mut cursor) = Segments::of(text.as_bytes(), slashes(text.as_bytes())).unwrap();
            for part in text.split('/').skip(1) {
                prop_assert!(!segments.is_end(cursor));
                let (segment, next) = segments.next(cursor);
                prop_assert_eq!(segments.get(segment.clone()), part.as_bytes());
                let key = Key::of(part.as_bytes(), SEED);
                prop_assert_eq!(segments.short_key(&segment), Some(key).filter(|key| !key.is_long()), "{:?}", part);
                cursor = next;
            }
            prop_assert!(segments.is_end(cursor));
        }

        #[test]
        fn keys_are_alike_where_texts_are(a in "[a\0]{0,17}|[ab]{14,40}", b in "[a\0]{0,17}|[ab]{14,40}", seed: u64) {
            let (of_a, of_b) = (Key::of(a.as_bytes(), Seed::new(seed)), Key::of(b.as_bytes(), Seed::new(seed)));
            prop_assert_eq!(of_a == of_b, a == b);
            prop_assert!(of_a != Key::NONE);
            prop_assert_eq!(of_a.is_long(), a.len() > 15);
        }
    }

    #[test]
    fn keys_tell_lengths_apart_where_bytes_do_not() {
        for length in 0..40 {
            let (short, long) = ("a".repeat(length), "a".repeat(length + 1));
            assert_ne!(Key::of(short.as_bytes(), SEED), Key::of(long.as_bytes(), SEED));
            let zero = "\0".to_owned() + &short;
            assert_ne!(Key::of(short.as_bytes(), SEED), Key::of(zero.as_bytes(), SEED));
        }
    }

    #[test]
    fn what_begins_with_no_slash_is_not_cut() {
        let cut = |text| Segments::of(text, slashes(text)).is_some();
        assert!(!cut(b"") && !cut(b"a/b") && cut(b"/"));
    }
}
