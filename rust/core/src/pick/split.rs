//! So many picks at once, as near to the weights as whole picks can be.

use super::Weights;

impl Weights {
    /// How many of `picks` each target gets: what is owed it rounded down, and then one more to those
    /// who are owed the largest rest, the earlier first.
    #[must_use]
    pub fn split(&self, picks: u64) -> Vec<u64> {
        let total = u128::from(self.total);
        let owed: Vec<u128> =
            self.each().into_iter().map(|weight| u128::from(weight) * u128::from(picks)).collect();
        let mut counts: Vec<u64> =
            owed.iter().map(|owed| u64::try_from(owed / total).unwrap_or(u64::MAX)).collect();
        let left = picks - counts.iter().sum::<u64>();
        let mut rests: Vec<(usize, u128)> = owed.iter().map(|owed| owed % total).enumerate().collect();
        rests.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        for (place, _) in rests.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            if let Some(count) = counts.get_mut(place) {
                *count += 1;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_largest_rest_gets_the_pick_that_is_left() {
        let split = |weights: &[u32], picks| Weights::new(weights.iter().copied()).unwrap().split(picks);
        assert_eq!(split(&[1, 1, 1], 10), [4, 3, 3]);
        assert_eq!(split(&[70, 20, 10], 5), [4, 1, 0]);
        assert_eq!(split(&[1, 0], u64::MAX), [u64::MAX, 0]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nobody_is_a_pick_off(weights in prop::collection::vec(0_u32..u32::MAX / 50, 1..40), picks: u32) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
            let counts = Weights::new(weights.iter().copied()).unwrap().split(u64::from(picks));
            prop_assert_eq!(counts.iter().sum::<u64>(), u64::from(picks));
            for (count, weight) in counts.iter().zip(&weights) {
                let owed = u128::from(*weight) * u128::from(picks);
                prop_assert!((u128::from(*count) * u128::from(total)).abs_diff(owed) < u128::from(total));
                prop_assert!(*weight > 0 || *count == 0);
            }
        }
    }
}
