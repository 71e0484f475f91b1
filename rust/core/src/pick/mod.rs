//! Weighted choice among the targets of a rule, as Envoy makes it.
//!
//! Envoy draws one 64-bit number for a request, takes it modulo the sum of the weights and walks
//! the list: target `i` owns the half-open interval that starts at the sum of the weights before
//! it. All integers, so the shares over one full cycle of values are exact.
//!
//! Beside this function of a given number there are sequences of picks ([`Weights::random`],
//! [`Weights::smooth`], [`RoundRobin`]), picks that stick to a key ([`sticky`]), and many at once
//! ([`Weights::split`]).

mod guide;
mod sequence;
mod split;
mod sticky;

pub use sequence::RoundRobin;
pub use sticky::sticky;

use guide::Guide;
use std::fmt;

/// Up to so many targets are counted through; more have a guide.
const FEW: usize = 8;

/// Why a list of weights cannot be picked from. Envoy refuses the same lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightsError {
    /// The sum is zero: nothing could ever be picked.
    Zero,
    /// The sum does not fit in 32 bits, Envoy's limit.
    Overflow,
}

impl fmt::Display for WeightsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zero => "the weights sum to zero, so no target could ever be picked",
            Self::Overflow => "the weights sum to more than 4294967295",
        })
    }
}

impl std::error::Error for WeightsError {}

/// Weights that can be picked from: a positive total within 32 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    /// The end (exclusive) of each target's interval; the last one is the total.
    ends: Box<[u32]>,
    total: u32,
    /// Left out where targets are few.
    guide: Option<Box<Guide>>,
}

impl Weights {
    /// Checks `weights` and sums them up.
    ///
    /// # Errors
    /// When they sum to zero or to more than `u32::MAX`.
    pub fn new(weights: impl IntoIterator<Item = u32>) -> Result<Self, WeightsError> {
        let mut total = 0_u32;
        let mut ends = Vec::new();
        for weight in weights {
            total = total.checked_add(weight).ok_or(WeightsError::Overflow)?;
            ends.push(total);
        }
        if total == 0 {
            return Err(WeightsError::Zero);
        }
        let guide = (ends.len() > FEW).then(|| Box::new(Guide::new(&ends, total)));
        Ok(Self { ends: ends.into(), total, guide })
    }

    /// The sum of the weights: values that differ by it pick the same target.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.total
    }

    /// How many targets there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a positive total has targets")]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The weight of each target.
    #[must_use]
    pub fn each(&self) -> Vec<u32> {
        let starts = std::iter::once(&0).chain(&self.ends);
        self.ends.iter().zip(starts).map(|(end, start)| end - start).collect()
    }

    /// The target that Envoy picks when it has drawn `value`. A target of weight zero owns an
    /// empty interval and is never picked.
    #[must_use]
    #[inline]
    pub fn pick(&self, value: u64) -> usize {
        // The rest of a division by 32 bits has 32 bits.
        self.at(u32::try_from(value % u64::from(self.total)).unwrap_or(0))
    }

    /// The target whose interval holds `point`, a number below the total.
    #[inline]
    fn at(&self, point: u32) -> usize {
        match &self.guide {
            Some(guide) => guide.find(&self.ends, point),
            // Counted without a branch that could be mispredicted.
            None => self.ends.iter().map(|end| usize::from(*end <= point)).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn intervals_are_half_open_and_in_list_order() {
        let weights = Weights::new([3, 0, 7]).unwrap();
        let picked: Vec<_> = (0..12).map(|value| weights.pick(value)).collect();
        assert_eq!(picked, [0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 0, 0]);
    }

    #[test]
    fn a_value_may_be_as_large_as_64_bits() {
        let weights = Weights::new([u32::MAX - 1, 1]).unwrap();
        // 2^64 - 1 is a multiple of 2^32 - 1.
        assert_eq!(weights.pick(u64::MAX), 0);
        assert_eq!(weights.pick(u64::MAX - 1), 1);
    }

    #[test]
    fn totals_of_zero_and_beyond_32_bits_are_refused() {
        assert_eq!(Weights::new([]), Err(WeightsError::Zero));
        assert_eq!(Weights::new([0, 0]), Err(WeightsError::Zero));
        assert_eq!(Weights::new([u32::MAX, 1]), Err(WeightsError::Overflow));
    }

    proptest! {
        #[test]
        fn shares_over_a_full_cycle_are_the_weights(
            list in prop::collection::vec(0_u32..40, 1..40), cycle in 0_u64..1000,
        ) {
            prop_assume!(list.iter().sum::<u32>() > 0);
            let weights = Weights::new(list.iter().copied()).unwrap();
            let total = u64::from(weights.total());
            let mut counts = vec![0; list.len()];
            for value in cycle * total..(cycle + 1) * total {
                counts[weights.pick(value)] += 1;
            }
            prop_assert_eq!(counts, list);
        }
    }
}
