//! Picks one after the other: by chance, evenly, or in turn. State and seed are arguments.

use super::Weights;

/// 2^64 over the golden ratio: its multiples spread more evenly than any other number's.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Every bit of the number reaches every bit of the result (the finish of `SplitMix64`).
fn scrambled(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

impl Weights {
    /// The pick at this turn of the random sequence of `seed`.
    #[must_use]
    pub fn random(&self, seed: u64, turn: u64) -> usize {
        self.scaled(scrambled(seed.wrapping_add(turn.wrapping_mul(GOLDEN))))
    }

    /// The pick at this turn of a sequence that gives every target its share at any time, to
    /// within a few picks. `seed` says where it starts, lest processes go in step.
    #[must_use]
    pub fn smooth(&self, seed: u64, turn: u64) -> usize {
        self.scaled(scrambled(seed).wrapping_add(turn.wrapping_mul(GOLDEN)))
    }

    /// The target that a number of 64 bits falls on: each gets its share of them, and those that
    /// follow each other lie together.
    fn scaled(&self, drawn: u64) -> usize {
        let point = (u128::from(drawn) * u128::from(self.total)) >> 64;
        self.at(u32::try_from(point).unwrap_or(0))
    }
}

/// Smooth weighted round robin: nginx's sequence, exact over each round, its picks well mixed.
#[derive(Debug, Clone)]
pub struct RoundRobin {
    weights: Vec<i64>,
    current: Vec<i64>,
    total: i64,
}

impl RoundRobin {
    /// Starts a round.
    #[must_use]
    pub fn new(weights: &Weights) -> Self {
        let each: Vec<i64> = weights.each().into_iter().map(i64::from).collect();
        Self { current: vec![0; each.len()], weights: each, total: i64::from(weights.total) }
    }

    /// The next pick: everyone gains its weight, the first of the richest is picked and pays for all.
    pub fn next_pick(&mut self) -> usize {
        let mut best: Option<(usize, i64)> = None;
        for (place, (current, weight)) in self.current.iter_mut().zip(&self.weights).enumerate() {
            *current += weight;
            if *weight > 0 && best.is_none_or(|(_, most)| *current > most) {
                best = Some((place, *current));
            }
        }
        let picked = best.map_or(0, |(place, _)| place);
        if let Some(current) = self.current.get_mut(picked) {
            *current -= self.total;
        }
        picked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn checked(weights: &[u32]) -> Weights {
        Weights::new(weights.iter().copied()).unwrap()
    }

    /// The worst difference of a count from its share, looked at after every pick.
    fn deviation(weights: &[u32], picks: u64, mut pick: impl FnMut(u64) -> usize) -> f64 {
        let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let mut counts = vec![0_u32; weights.len()];
        let mut worst = 0.0_f64;
        for turn in 0..picks {
            counts[pick(turn)] += 1;
            let so_far = f64::from(u32::try_from(turn).unwrap() + 1);
            for (count, weight) in counts.iter().zip(weights) {
                worst = worst.max((f64::from(*count) - so_far * f64::from(*weight) / total).abs());
            }
        }
        worst
    }

    const MIXES: &[&[u32]] = &[&[99, 1], &[1, 1, 1], &[50, 30, 20], &[0, 7, 0, 3], &[1000, 1]];

    #[test]
    fn smooth_picks_stay_within_five_of_their_share() {
        let tens: Vec<u32> = (1..=10).collect();
        let hundred: Vec<u32> = (1..=100).collect();
        for weights in MIXES.iter().copied().chain([&tens[..], &hundred[..]]) {
            let list = checked(weights);
            for seed in 0..5 {
                let worst = deviation(weights, 10_000, |turn| list.smooth(seed, turn));
                assert!(worst <= 5.0, "{weights:?} seed {seed}: {worst}");
            }
        }
    }

    #[test]
    fn random_picks_follow_the_weights_and_the_seed() {
        let weights = checked(&[60, 0, 40]);
        let counts = |seed| {
            (0..100_000).fold([0_u32; 3], |mut counts, turn| {
                counts[weights.random(seed, turn)] += 1;
                counts
            })
        };
        assert_eq!(counts(1), counts(1));
        assert_ne!(counts(1), counts(2));
        assert!((59_000..61_000).contains(&counts(1)[0]) && counts(1)[1] == 0);
    }

    #[test]
    fn round_robin_is_the_sequence_of_nginx() {
        let mut turns = RoundRobin::new(&checked(&[5, 1, 1]));
        let picked: Vec<_> = (0..7).map(|_| turns.next_pick()).collect();
        assert_eq!(picked, [0, 0, 1, 0, 2, 0, 0]);
    }

    proptest! {
        #[test]
        fn every_round_gives_each_target_its_weight(weights in prop::collection::vec(0_u32..30, 1..12)) {
            let total: u32 = weights.iter().sum();
            prop_assume!(total > 0);
            let mut turns = RoundRobin::new(&checked(&weights));
            for _ in 0..3 {
                let mut counts = vec![0; weights.len()];
                for _ in 0..total {
                    counts[turns.next_pick()] += 1;
                }
                prop_assert_eq!(&counts, &weights);
            }
        }
    }
}
