//! Bytes: hashing, folding, comparing. All of it eight bytes at a time.

use crate::likely::{likely, unlikely};
use memchr::memchr;

/// What a bad index or an absent thing is called in the arrays of a table.
pub(crate) const NONE: u32 = u32::MAX;

pub(crate) const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
const SEVENS: u64 = 0x7F7F_7F7F_7F7F_7F7F;
pub(crate) const ONES: u64 = 0x0101_0101_0101_0101;

/// Both halves of a product, folded into one: every bit of `a` and `b` reaches every bit of it.
#[expect(clippy::cast_possible_truncation, reason = "the halves are taken apart on purpose")]
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// The ASCII capitals of eight bytes made small.
pub(crate) fn lower(word: u64) -> u64 {
    let heptets = word & SEVENS;
    let above_z = heptets + (0x7F - u64::from(b'Z')) * ONES;
    let from_a = heptets + (0x80 - u64::from(b'A')) * ONES;
    let capital = !word & !SEVENS & (from_a ^ above_z);
    word | (capital >> 2)
}

/// A hash of a text that nobody can steer who does not know the seed. It may be asked for the
/// beginnings of the text on the way, the shorter ones first.
pub(crate) struct Hasher<'x, const FOLD: bool> {
    text: &'x [u8],
    seed: u64,
    state: u64,
    /// How much of the text is in the state: a multiple of eight.
    done: usize,
}

impl<'x, const FOLD: bool> Hasher<'x, FOLD> {
    /// With `FOLD`, capitals count as small letters.
    pub(crate) fn new(seed: u64, salt: u32, text: &'x [u8]) -> Self {
        Self { text, seed, state: seed ^ u64::from(salt).wrapping_mul(FACTOR), done: 0 }
    }

    /// The hash of the first `length` bytes.
    pub(crate) fn up_to(&mut self, length: usize) -> u64 {
        let folded = |word: u64| if FOLD { lower(word) } else { word };
        while self.done + 8 <= length {
            self.state = mix(self.state ^ folded(word_at(self.text, self.done)), FACTOR);
            self.done += 8;
        }
        // What is beyond the length is shifted out.
        let rest = length - self.done;
        let last = if rest == 0 { 0 } else { word_at(self.text, self.done) << (64 - 8 * rest) };
        mix(self.state ^ folded(last), (FACTOR ^ self.seed).wrapping_add(length as u64))
    }
}

/// The first eight bytes of `text`, the first one lowest; what is not there is zero.
pub(crate) fn word(text: &[u8]) -> u64 {
    if let Some(word) = text.first_chunk::<8>() {
        return u64::from_le_bytes(*word);
    }
    let byte = |byte: u8| u64::from(byte);
    match *text {
        [] => 0,
        [a] => byte(a),
        [a, b] => byte(a) | byte(b) << 8,
        [a, b, c] => byte(a) | byte(b) << 8 | byte(c) << 16,
        // The first four bytes and the last four, which may overlap.
        [a, b, c, d, ..] => {
            let end = text.last_chunk::<4>().map_or(0, |end| u64::from(u32::from_le_bytes(*end)));
            u64::from(u32::from_le_bytes([a, b, c, d])) | end << (8 * (text.len() - 4))
        }
    }
}

/// The eight bytes of `text` from `at` on, in the same way.
pub(crate) fn word_at(text: &[u8], at: usize) -> u64 {
    let rest = text.get(at..).unwrap_or_default();
    if let Some(word) = rest.first_chunk::<8>() {
        return u64::from_le_bytes(*word);
    }
    match (rest.len(), text.last_chunk::<8>()) {
        (0, _) => 0,
        // One load and a shift: the last eight bytes hold what is left.
        (left, Some(last)) => u64::from_le_bytes(*last) >> (8 * (8 - left)),
        _ => word(rest),
    }
}

/// The high bits of those bytes that are zero; above the first of them, of some that are one too.
pub(crate) fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & !SEVENS
}

/// The place of the first of eight bytes that is zero; eight when none is.
pub(crate) fn first_zero(word: u64) -> usize {
    (zeros(word).trailing_zeros() / 8) as usize
}

/// The place of the first `byte` in `text`. Short texts need no call of a function for this.
pub(crate) fn position(text: &[u8], byte: u8) -> Option<usize> {
    let wanted = u64::from(byte) * ONES;
    let mut rest = text;
    for done in [0, 8, 16, 24] {
        let Some((chunk, after)) = rest.split_first_chunk::<8>() else {
            return rest.iter().position(|other| *other == byte).map(|place| done + place);
        };
        let place = first_zero(u64::from_le_bytes(*chunk) ^ wanted);
        if place < 8 {
            return Some(done + place);
        }
        rest = after;
    }
    memchr(byte, rest).map(|place| text.len() - rest.len() + place)
}

/// How many bytes `a` and `b` have in common from their start.
pub(crate) fn common(a: &[u8], b: &[u8]) -> usize {
    let mut done = 0;
    let (mut left, mut right) = (a, b);
    while let (Some((x, left_rest)), Some((y, right_rest))) =
        (left.split_first_chunk::<8>(), right.split_first_chunk::<8>())
    {
        let differing = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differing != 0 {
            return done + (differing.trailing_zeros() / 8) as usize;
        }
        done += 8;
        (left, right) = (left_rest, right_rest);
    }
    done + left.iter().zip(right).take_while(|(x, y)| x == y).count()
}

/// Whether two texts are the same. Keys are short: the first and the last bytes, as many of them as
/// are compared at once, are mostly all of one.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    if unlikely(a.len() != b.len()) {
        return false;
    }
    // What is usual is asked first.
    if likely((8..=32).contains(&a.len())) {
        return if a.len() < 16 { same_ends::<8>(a, b) } else { same_ends::<16>(a, b) };
    }
    match a.len() {
        0..4 => a.iter().zip(b).all(|(a, b)| a == b),
        4..8 => same_ends::<4>(a, b),
        _ => a == b,
    }
}

/// Whether the first `N` bytes of two texts, and the last, are the same.
#[inline]
fn same_ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
    a.first_chunk::<N>() == b.first_chunk() && a.last_chunk::<N>() == b.last_chunk()
}

/// The length of a text, and its first and last bytes: all of it, when it is short. To compare with them
/// takes no look at the text.
#[derive(Debug, Clone, Copy)]
pub struct Edges {
    length: usize,
    first: u64,
    last: u64,
}

impl Edges {
    /// The edges are all there is of a text that is no longer.
    pub const WHOLE: usize = 16;

    /// Those of this text.
    #[must_use]
    #[inline]
    pub fn of(text: &[u8]) -> Self {
        let (first, last) = match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => (word(text), 0),
        };
        Self { length: text.len(), first, last }
    }

    /// Whether these are those of this text.
    #[must_use]
    #[inline]
    pub fn fit(&self, text: &[u8]) -> bool {
        if unlikely(text.len() != self.length) {
            return false;
        }
        match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) => {
                u64::from_le_bytes(*first) == self.first && u64::from_le_bytes(*last) == self.last
            }
            _ => word(text) == self.first,
        }
    }
}

/// Whether `text`, with its capitals made small, is `small`.
pub(crate) fn eq_folded(text: &[u8], small: &[u8]) -> bool {
    text.len() == small.len() && text.eq_ignore_ascii_case(small)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lower_is_the_ascii_lower_case(bytes in any::<[u8; 8]>()) {
            let expected = bytes.map(|byte| byte.to_ascii_lowercase());
            prop_assert_eq!(lower(u64::from_le_bytes(bytes)).to_le_bytes(), expected);
        }

        #[test]
        fn a_folded_hash_ignores_case(text in "[a-zA-Z0-9./é]{0,40}", seed: u64) {
            let small = text.to_ascii_lowercase();
            let hash = Hasher::<true>::new(seed, 1, text.as_bytes()).up_to(text.len());
            prop_assert_eq!(hash, Hasher::<true>::new(seed, 1, small.as_bytes()).up_to(small.len()));
            prop_assert_eq!(hash, Hasher::<false>::new(seed, 1, small.as_bytes()).up_to(small.len()));
        }

        #[test]
        fn a_byte_is_found_where_it_is(text in "[abc]{0,70}", byte in b'a'..=b'd') {
            let text = text.as_bytes();
            prop_assert_eq!(position(text, byte), text.iter().position(|other| *other == byte));
        }

        #[test]
        fn a_word_is_what_comes_next(text in "[a-z]{0,20}", at in 0_usize..22) {
            let mut expected = [0; 8];
            for (to, from) in expected.iter_mut().zip(text.as_bytes().get(at..).unwrap_or_default()) {
                *to = *from;
            }
            prop_assert_eq!(word_at(text.as_bytes(), at).to_le_bytes(), expected);
        }

        #[test]
        fn a_beginning_hashes_as_if_it_were_all(text in "[ab]{0,40}", more in "[ab]{0,20}", seed: u64) {
            let whole = text.clone() + &more;
            let mut hasher = Hasher::<false>::new(seed, 1, whole.as_bytes());
            let beginnings: Vec<u64> = (0..=text.len()).map(|length| hasher.up_to(length)).collect();
            prop_assert_eq!(beginnings.last().copied(), Some(Hasher::<false>::new(seed, 1, text.as_bytes()).up_to(text.len())));
            prop_assert_eq!(beginnings.iter().collect::<std::collections::BTreeSet<_>>().len(), text.len() + 1);
        }

        #[test]
        fn texts_are_the_same_when_they_are_equal(a in "[ab]{0,40}", b in "[ab]{0,40}", at in 0_usize..40) {
            prop_assert_eq!(same(a.as_bytes(), b.as_bytes()), a == b);
            prop_assert!(same(a.as_bytes(), a.clone().as_bytes()));
            let mut other = a.clone().into_bytes();
            if let Some(byte) = other.get_mut(at) {
                *byte = b'c';
                prop_assert!(!same(a.as_bytes(), &other));
            }
        }

        #[test]
        fn edges_tell_short_texts_apart(a in "[ab]{0,20}", b in "[ab]{0,20}", at in 0_usize..20) {
            let same_edges = |a: &str, b: &str| {
                let is_whole = a.len() <= Edges::WHOLE;
                a.len() == b.len() && (is_whole && a == b || !is_whole && a[..8] == b[..8] && a[a.len() - 8..] == b[b.len() - 8..])
            };
            let mut other = a.clone();
            if at < a.len() {
                other.replace_range(at..=at, "c");
            }
            for b in [&b, &other, &a] {
                prop_assert_eq!(Edges::of(a.as_bytes()).fit(b.as_bytes()), same_edges(&a, b), "{:?}", b);
            }
        }

        #[test]
        fn common_counts_equal_bytes(a in "[ab]{0,30}", b in "[ab]{0,30}") {
            let expected = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
            prop_assert_eq!(common(a.as_bytes(), b.as_bytes()), expected);
        }
    }
}
