//! Picks one after the other: by chance, evenly, or in turn. State and seed are arguments.

use super::Weights;

/// 2^64 over the golden ratio: its multiples spread more evenly than any other number's.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Weights with a guide for picking from many targets.
#[derive(Debug, Clone)]
pub struct Spread {
    weights: Weights,
    /// For as many equal parts of all numbers as there are targets: the first target in each.
    /// Left out where targets are few enough to be counted through.
    guide: Box<[u32]>,
}

impl Spread {
    /// Prepares to pick from `weights`.
    #[must_use]
    pub fn new(weights: Weights) -> Self {
        let (total, count) = (u64::from(weights.total), weights.ends.len() as u64);
        let first = |part: u64| {
            let point = u128::from(part) * u128::from(total) / u128::from(count);
            u32::try_from(weights.ends.partition_point(|end| u128::from(*end) <= point)).unwrap_or(u32::MAX)
        };
        let guide = if count > 16 { (0..=count).map(first).collect() } else { Box::default() };
        Self { weights, guide }
    }

    /// The target that a number drawn from all of 64 bits falls on: each gets its share of them,
    /// and those that follow each other lie together.
    fn at(&self, drawn: u64) -> usize {
        let scaled = |whole: u64| u64::try_from((u128::from(drawn) * u128::from(whole)) >> 64).unwrap_or(0);
        let point = scaled(u64::from(self.weights.total));
        let part = usize::try_from(scaled(self.weights.ends.len() as u64)).unwrap_or(0);
        match (self.guide.get(part), self.guide.get(part + 1)) {
            (Some(first), Some(last)) => {
                let first = *first as usize;
                let ends = self.weights.ends.get(first..*last as usize).unwrap_or_default();
                first + ends.partition_point(|end| u64::from(*end) <= point)
            }
            _ => self.weights.pick(point),
        }
    }

    /// The pick of the number `turn` in the random sequence of `seed`.
    #[must_use]
    pub fn random(&self, seed: u64, turn: u64) -> usize {
        self.at(scrambled(seed.wrapping_add(turn.wrapping_mul(GOLDEN))))
    }

    /// The pick of the number `turn` in a sequence that gives every target its share at any time, to
    /// within a few picks. `seed` says where it starts, lest processes go in step.
    #[must_use]
    pub fn smooth(&self, seed: u64, turn: u64) -> usize {
        self.at(scrambled(seed).wrapping_add(turn.wrapping_mul(GOLDEN)))
    }
}

/// Every bit of the number reaches every bit of the result (the finish of `SplitMix64`).
fn scrambled(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
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

    fn spread(weights: &[u32]) -> Spread {
        Spread::new(Weights::new(weights.iter().copied()).unwrap())
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
            let spread = spread(weights);
            for seed in 0..5 {
                let worst = deviation(weights, 10_000, |turn| spread.smooth(seed, turn));
                assert!(worst <= 5.0, "{weights:?} seed {seed}: {worst}");
            }
        }
    }

    #[test]
    fn random_picks_follow_the_weights_and_the_seed() {
        let spread = spread(&[60, 0, 40]);
        let counts = |seed| {
            (0..100_000).fold([0_u32; 3], |mut counts, turn| {
                counts[spread.random(seed, turn)] += 1;
                counts
            })
        };
        assert_eq!(counts(1), counts(1));
        assert_ne!(counts(1), counts(2));
        assert!((59_000..61_000).contains(&counts(1)[0]) && counts(1)[1] == 0);
    }

    #[test]
    fn round_robin_is_the_sequence_of_nginx() {
        let mut turns = RoundRobin::new(&Weights::new([5, 1, 1]).unwrap());
        let picked: Vec<_> = (0..7).map(|_| turns.next_pick()).collect();
        assert_eq!(picked, [0, 0, 1, 0, 2, 0, 0]);
    }

    proptest! {
        #[test]
        fn a_guide_leads_where_the_search_does(weights in prop::collection::vec(0_u32..1000, 17..200), drawn: u64) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let spread = spread(&weights);
            let point = (u128::from(drawn) * u128::from(spread.weights.total())) >> 64;
            prop_assert_eq!(spread.at(drawn), spread.weights.pick(u64::try_from(point).unwrap()));
        }

        #[test]
        fn every_round_gives_each_target_its_weight(weights in prop::collection::vec(0_u32..30, 1..12)) {
            let total: u32 = weights.iter().sum();
            prop_assume!(total > 0);
            let mut turns = RoundRobin::new(&Weights::new(weights.iter().copied()).unwrap());
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
