//! The same key, the same target: weighted rendezvous hashing.
//!
//! Every target draws a number for the key, from its name and the key alone, and the best one for
//! its weight wins. When a weight changes, only keys move that the change makes move: to a target
//! that grew, or from one that shrank.

const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// A hash that is the same everywhere and in every version: what keeps a key where it is.
fn hash(seed: u64, text: &[u8]) -> u64 {
    let mix = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        #[expect(clippy::cast_possible_truncation, reason = "the halves of a product")]
        let (low, high) = (product as u64, (product >> 64) as u64);
        low ^ high
    };
    let mut state = seed ^ (text.len() as u64).wrapping_mul(FACTOR);
    for chunk in text.chunks(8) {
        let word = chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        state = mix(state ^ word ^ FACTOR, FACTOR | 1).wrapping_add(word);
    }
    mix(state ^ (state >> 32), 0xBF58_476D_1CE4_E5B9)
}

/// The target that `key` sticks to, among names with weights; `None` when no weight is above zero.
pub fn sticky<'n>(targets: impl IntoIterator<Item = (&'n str, u32)>, key: &[u8]) -> Option<usize> {
    let key = hash(0, key);
    let mut best: Option<(usize, f64)> = None;
    for (place, (name, weight)) in targets.into_iter().enumerate() {
        if weight == 0 {
            continue;
        }
        let drawn = hash(key, name.as_bytes());
        // A number in (0, 1]; its logarithm over the weight is the time until a target that
        // answers at that rate answers first.
        #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
        let part = ((drawn >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        let wait = -part.ln() / f64::from(weight);
        if best.is_none_or(|(_, least)| wait < least) {
            best = Some((place, wait));
        }
    }
    best.map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(targets: &[(&str, u32)], keys: u32) -> Vec<usize> {
        (0..keys)
            .map(|key| sticky(targets.iter().copied(), format!("user-{key}").as_bytes()).unwrap())
            .collect()
    }

    #[test]
    fn keys_are_shared_out_by_weight() {
        let placed = placed(&[("a", 60), ("none", 0), ("b", 30), ("c", 10)], 100_000);
        let count = |target| i32::try_from(placed.iter().filter(|at| **at == target).count()).unwrap();
        for (target, expected) in [(0, 60_000), (1, 0), (2, 30_000), (3, 10_000)] {
            assert!((count(target) - expected).abs() < 600, "{target}: {}", count(target));
        }
    }

    #[test]
    fn only_keys_that_must_move_do() {
        let before = placed(&[("a", 90), ("b", 10)], 20_000);
        let after = placed(&[("a", 90), ("b", 30)], 20_000);
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        assert!(before.iter().zip(&after).all(|(before, after)| before == after || *after == 1));
        // From a tenth to a quarter.
        assert!((2_700..3_300).contains(&moved), "{moved}");
    }

    #[test]
    fn the_order_of_targets_does_not_matter() {
        let there = placed(&[("a", 1), ("b", 2), ("c", 3)], 1000);
        let back = placed(&[("c", 3), ("b", 2), ("a", 1)], 1000);
        assert!(there.iter().zip(&back).all(|(there, back)| there + back == 2));
    }

    #[test]
    fn a_key_stays_where_it_was_in_every_version() {
        let targets = [("v1", 50), ("v2", 30), ("v3", 20)];
        let places: Vec<_> = placed(&targets, 20);
        assert_eq!(places, PLACES);
        assert_eq!(sticky([("a", 0)], b"key"), None);
    }

    const PLACES: [usize; 20] = [1, 1, 1, 0, 0, 0, 2, 1, 1, 0, 0, 0, 1, 0, 0, 2, 1, 0, 0, 1];
}
