//! Where in a text others may be: a few bytes out of each of them, as bits.

use super::bytes::{FACTOR, ONES, mix, word, word_at};

/// So many bits there are for each window: many, as long as all of them stay in the innermost cache.
const MANY_BITS: usize = 32;
const FEW_BITS: usize = 8;
/// So many words do.
const NEAR: usize = 2048;
/// Of texts that are longer, only so much of the beginning counts.
const LONGEST: usize = 8;
/// Makes capitals small, and some other bytes into others: a sieve may have them as one.
const SMALL: u64 = 0x20 * ONES;

/// A sieve. Texts of which the shortest has `length` bytes are known by windows of `size` of them, a bit more
/// than half: by as many windows at their beginnings as fit there, so that a look at one place out of
/// so many is enough. The places do not wait for each other. Nearly all that are none show it in
/// one word of the bits, which nobody can steer who does not know the seed.
#[derive(Debug)]
pub(super) struct Windows {
    size: usize,
    /// From one place that is looked at to the next.
    stride: usize,
    mask: u64,
    /// What each window is made small by, if capitals count as small letters.
    folded: u64,
    factor: u64,
    bits: Vec<u64>,
}

impl Windows {
    /// For texts in their order, of which none is empty.
    pub(super) fn new<'x>(texts: impl Iterator<Item = &'x [u8]> + Clone, folds: bool, seed: u64) -> Self {
        let folded = if folds { SMALL } else { 0 };
        let length = texts.clone().map(<[u8]>::len).min().unwrap_or(1).clamp(1, LONGEST);
        // Three bytes, if there are: two would be in any text.
        let size = (length / 2 + 1).max(length.min(3));
        let stride = length - size + 1;
        let mask = u64::MAX >> (64 - 8 * size);
        // Many begin alike, and those stand side by side.
        let mut heads: Vec<u64> = texts.map(|text| (word(text) | folded) << (64 - 8 * length)).collect();
        heads.dedup();
        let windows_of = |head: u64| (0..stride).map(move |at| head >> (64 - 8 * (length - at)) & mask);
        let mut known: Vec<u64> = heads.into_iter().flat_map(windows_of).collect();
        known.sort_unstable();
        known.dedup();
        let words = (known.len() * MANY_BITS / 64).min(NEAR).max(known.len() * FEW_BITS / 64);
        let words = words.next_power_of_two();
        let factor = mix(seed ^ FACTOR, FACTOR) | 1;
        let mut windows = Self { size, stride, mask, folded, factor, bits: vec![0; words] };
        for window in known {
            let (place, [a, b]) = windows.place(window);
            if let Some(word) = windows.bits.get_mut(place) {
                *word |= 1 << a | 1 << b;
            }
        }
        windows
    }

    /// The word in which a window has its bits, and which ones.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "some bits of a hash are as good as others")]
    fn place(&self, window: u64) -> (usize, [u64; 2]) {
        let hash = mix((window | self.folded) & self.mask, self.factor);
        (hash as usize & (self.bits.len() - 1), [hash >> 58, hash >> 52 & 63])
    }

    #[inline]
    fn has(&self, window: u64) -> bool {
        let (place, [a, b]) = self.place(window);
        self.bits.get(place).is_some_and(|word| word >> a & 1 == 1 && word >> b & 1 == 1)
    }

    /// The next place from `at` on where a text may be, and up to where one may begin if there is
    /// none before.
    pub(super) fn next(&self, text: &[u8], at: usize) -> Option<(usize, usize)> {
        let mut place = at + self.stride - 1;
        while let Some(next) = text.get(place..).and_then(<[u8]>::first_chunk::<8>) {
            if self.has(u64::from_le_bytes(*next)) {
                return Some((place + 1 - self.stride, place));
            }
            place += self.stride;
        }
        // The last few bytes are no whole word.
        while place + self.size <= text.len() {
            if self.has(word_at(text, place)) {
                return Some((place + 1 - self.stride, place));
            }
            place += self.stride;
        }
        None
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.bits.as_slice())
    }
}
