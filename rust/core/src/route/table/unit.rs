//! The pieces of which trees of segments are made: steps and texts.

use super::fans::{Fan, PLACE, low};
use super::segments::{Key, halves};

/// Two to a line of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
pub(super) struct Unit([u64; 4]);

/// A step that leads nowhere.
pub(super) static NOWHERE: Unit = Unit([0, 0, u32::MAX as u64, 0]);

/// What is known of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub min_rank: u32,
    pub ended: u32,
    pub open: u32,
    pub closed: Fan,
}

impl Unit {
    pub(super) const EMPTY: Self = Self([0; 4]);
    /// What stands beside what ends at a step. Whether it stands in a table of which it is no step.
    pub(super) const GUEST: u32 = 1 << 29;
    /// Whether its key is that of the segment which has to come there.
    pub(super) const KEYED: u32 = 1 << 28;
    pub(super) const FLAGS: u32 = Self::GUEST | Self::KEYED;
    /// The lowest byte of a text: one that no key has.
    const TEXT: u8 = 0x80;

    /// The key that leads to this step.
    #[inline]
    pub(super) fn key(&self) -> Key {
        let [low, high, ..] = self.0;
        Key(low, high)
    }

    /// The best rank that this step leads to; `NONE` when it leads nowhere.
    #[inline]
    pub(super) fn min_rank(&self) -> u32 {
        low(self.0[2])
    }

    /// Whether nothing was put here.
    pub(super) fn is_empty(&self) -> bool {
        self.0 == Self::EMPTY.0
    }

    /// Whether it is free, or a step that stands in the table of others: none of those stands behind it that
    /// is looked for here first, since all of them were there before. Of a text this says nothing that
    /// matters: no key is the one that it seems to have.
    pub(super) fn is_no_step(&self) -> bool {
        self.key() == Key::NONE || self.flags() & Self::GUEST != 0
    }

    /// Those of its flags that are set.
    pub(super) fn flags(&self) -> u32 {
        low(self.0[2] >> 32) & Self::FLAGS
    }

    /// What ends at this step, zero when nothing does; and its flags.
    #[inline]
    pub(super) fn ended(&self) -> u32 {
        low(self.0[2] >> 32)
    }

    /// The place of the step that any segment leads to, zero when there is none.
    #[inline]
    pub(super) fn open(&self) -> u32 {
        low(self.0[3]) & ((1 << PLACE) - 1)
    }

    /// Where the segments lead that are known here.
    #[inline]
    pub(super) fn closed(&self) -> Fan {
        Fan(self.0[3] & (u64::MAX << PLACE))
    }

    /// One that holds a text; `None` when it is too short or too long.
    pub(super) fn of_text(text: &[u8]) -> Option<Self> {
        let [first, second] = text_words(text)?;
        let ((a, b), (c, d)) = (halves(first), halves(second));
        Some(Self([a, b, c, d]))
    }

    /// Whether it holds this text.
    #[inline]
    pub(super) fn is_text(&self, text: &[u8]) -> bool {
        let Self([a, b, c, d]) = *self;
        let same = |[first, second]: [u128; 2]| (halves(first), halves(second)) == ((a, b), (c, d));
        text_words(text).is_some_and(same)
    }

    /// Sets the key that leads to this step.
    pub(super) fn set_key(&mut self, key: Key) {
        let Self([low, high, ..]) = self;
        (*low, *high) = (key.0, key.1);
    }

    /// Sets one of its flags.
    pub(super) fn set_flag(&mut self, flag: u32) {
        let Self([_, _, first, _]) = self;
        *first |= u64::from(flag) << 32;
    }

    /// Sets what is known of this step.
    pub(super) fn set_step(&mut self, step: Step) {
        let Step { min_rank, ended, open, closed } = step;
        let ended = ended | self.flags();
        let Self([_, _, first, second]) = self;
        *first = u64::from(min_rank) | u64::from(ended) << 32;
        *second = u64::from(open) | closed.0;
    }
}

/// A text of 16 bytes or more is kept near its step if it is no longer than this.
pub(super) const LONGEST_NEAR: usize = 31;

/// Such a text in one unit, behind what says that it is one.
#[inline]
fn text_words(text: &[u8]) -> Option<[u128; 2]> {
    let unused = LONGEST_NEAR.checked_sub(text.len())?;
    let (first, last) = (text.first_chunk()?, text.last_chunk()?);
    Some([
        u128::from_le_bytes(*first) << 8 | u128::from(Unit::TEXT),
        // The last bytes, of which some were among the first.
        u128::from_le_bytes(*last) >> (8 * unused),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_is_told_from_others(a in "[ab]{16,31}", b in "[ab]{16,31}", at in 0_usize..31) {
            let unit = Unit::of_text(a.as_bytes()).unwrap();
            prop_assert!(unit.is_text(a.as_bytes()));
            prop_assert_eq!(unit.is_text(b.as_bytes()), a == b);
            let mut other = a.clone().into_bytes();
            if let Some(byte) = other.get_mut(at) {
                *byte = b'c';
                prop_assert!(!unit.is_text(&other));
            }
            prop_assert!(!unit.is_text(&other[..other.len() - 1]));
            // No segment has its key, and it is not free.
            prop_assert!(!unit.is_empty() && unit.key() != Key::NONE);
            prop_assert_eq!(unit.key().0.to_le_bytes()[0], Unit::TEXT);
        }
    }

    #[test]
    fn other_lengths_are_no_text_of_a_unit() {
        assert!(Unit::of_text(&[b'a'; 15]).is_none() && Unit::of_text(&[b'a'; 32]).is_none());
    }
}
