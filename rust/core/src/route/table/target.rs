//! The path in the target of a request, and what is seen of it on the way.

use super::bytes::word;
use crate::likely::{likely, unlikely, usual};
use memchr::{memchr, memchr2};
use std::hint::cold_path;
use wide::u8x16;

/// A target that is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target<'r> {
    /// What comes before the first `?`.
    pub path: &'r [u8],
    /// Which of the first 64 bytes of the path are slashes.
    pub slashes: u64,
}

impl<'r> Target<'r> {
    /// For a target that is more than a path: which of its first 64 bytes are slashes.
    #[expect(clippy::inline_always, reason = "as for `scan`")]
    #[inline(always)]
    pub(super) fn plain(target: &'r [u8]) -> Result<Self, u64> {
        let (slashes, is_plain) = scan(target);
        if likely(is_plain) { Ok(Self { path: target, slashes }) } else { Err(slashes) }
    }

    /// A target of which these are the slashes among the first 64 bytes. `None` for one with a `#` in it.
    /// No call: what it gives would be put together in memory, and read from there too soon.
    #[expect(clippy::inline_always, reason = "as for `scan`")]
    #[inline(always)]
    pub(super) fn split(target: &'r [u8], slashes: u64) -> Option<Self> {
        let end = match Blocks::of(target) {
            Some(blocks) if blocks.places_of(b'#') != 0 => return None,
            Some(blocks) => target.len().min(blocks.places_of(b'?').trailing_zeros() as usize),
            None => {
                let end = memchr2(b'?', b'#', target).unwrap_or(target.len());
                memchr(b'#', target.get(end..)?).map_or(Some(end), |_| None)?
            }
        };
        let slashes = if end < 64 { slashes & ((1 << end) - 1) } else { slashes };
        Some(Self { path: target.get(..end)?, slashes })
    }
}

/// Which of the first 64 bytes of a text are slashes, a bit for each, the first one lowest.
#[inline]
pub(super) fn slashes(text: &[u8]) -> u64 {
    scan(text.get(..64).unwrap_or(text)).0
}

/// The same, and whether there is neither `?` nor `#` in all of it.
#[expect(clippy::inline_always, reason = "a call costs as much as to look at a short path")]
#[inline(always)]
fn scan(text: &[u8]) -> (u64, bool) {
    let Some(first) = text.first_chunk() else {
        cold_path();
        let (slashes, marks) = see(short(text).to_le_bytes());
        return (slashes, marks.to_bitmask() == 0);
    };
    let (first_slashes, first_marks) = see(*first);
    let end = text.len() - 16;
    let also = |place: usize| {
        let place = place.min(end);
        // Bytes that are seen again are seen the same.
        let (some, marks) = see(*usual(text.get(place..).and_then(<[u8]>::first_chunk), first));
        (some << (place % 64), marks)
    };
    // The same steps for each usual length, since lengths cannot be foreseen.
    let [second, third, fourth] = [also(16), also(32), also(48)];
    let mut marks = (first_marks | second.1) | (third.1 | fourth.1);
    if unlikely(end > 48) {
        marks |= marks_beyond(text);
    }
    ((first_slashes | second.0) | (third.0 | fourth.0), marks.to_bitmask() == 0)
}

/// Where `?` and `#` are in what is beyond the first 64 bytes of a text, all of it in one block.
#[inline(never)]
fn marks_beyond(text: &[u8]) -> u8x16 {
    let (blocks, rest) = text.get(64..).unwrap_or_default().as_chunks();
    let last = text.last_chunk().filter(|_| !rest.is_empty());
    let all = blocks.iter().chain(last).map(|block| see(*block).1);
    all.fold(u8x16::splat(0), |all, marks| all | marks)
}

/// Which of these bytes are slashes, and which are `?` or `#`.
#[inline]
fn see(block: [u8; 16]) -> (u64, u8x16) {
    let block = u8x16::new(block);
    let is = |byte| block.simd_eq(u8x16::splat(byte));
    (u64::from(is(b'/').to_bitmask()), is(b'?') | is(b'#'))
}

/// Up to 64 bytes, and where each block begins.
struct Blocks([(u8x16, usize); 4]);

impl Blocks {
    fn of(text: &[u8]) -> Option<Self> {
        let Some(end) = text.len().checked_sub(16) else {
            return Some(Self([(u8x16::new(short(text).to_le_bytes()), 0); 4]));
        };
        if end > 48 {
            return None;
        }
        let block = |place: usize| Some((u8x16::new(*text.get(place..)?.first_chunk()?), place));
        Some(Self([block(0)?, block(end.min(16))?, block(end.min(32))?, block(end)?]))
    }

    /// Where a byte is: a bit for each place.
    #[inline]
    fn places_of(&self, byte: u8) -> u64 {
        let of = |(block, place): &(u8x16, usize)| {
            u64::from(block.simd_eq(u8x16::splat(byte)).to_bitmask()) << place
        };
        self.0.iter().map(of).fold(0, |all, some| all | some)
    }
}

/// Fewer than sixteen bytes, zeros behind them.
pub(super) fn short(bytes: &[u8]) -> u128 {
    let (low, high) = bytes.split_at(bytes.len().min(8));
    u128::from(word(low)) | u128::from(word(high)) << 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_target_is_split_at_its_first_question_mark(target in "[/a]{0,70}[/a?#]{0,3}[/a?]{0,20}") {
            let path = target.split('?').next().filter(|_| !target.contains('#'));
            let expected = path.map(|path| {
                let slashes = path.bytes().take(64).enumerate().filter(|(_, byte)| *byte == b'/');
                let slashes = slashes.fold(0, |all, (place, _)| all | 1_u64 << place);
                Target { path: path.as_bytes(), slashes }
            });
            let slashes = slashes(target.as_bytes());
            prop_assert_eq!(Target::split(target.as_bytes(), slashes), expected);
            let expected = expected.filter(|expected| expected.path.len() == target.len());
            prop_assert_eq!(Target::plain(target.as_bytes()), expected.ok_or(slashes));
        }
    }
}
