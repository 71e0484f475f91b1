//! What a pick costs in Rust, by mode and number of targets. `cargo bench -p trimtab-core --bench pick`;
//! ns a pick, best of many short rounds, since a machine is seldom alone; for sequences also the worst
//! difference of a count from its share within 10,000 picks.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a measurement reads the clock, and says what it read"
)]

use std::hint::black_box;
use std::time::Instant;
use trimtab_core::pick::{RoundRobin, Weights, sticky};

const COUNTS: [u32; 4] = [2, 10, 100, 1000];
const PICKS: u64 = 10_000;
const SEED: u64 = 7;
/// Odd and far from powers of two, so that successive multiples visit all of 64 bits.
const STRIDE: u64 = 0x9E37_79B9_7F4A_7C15;

/// Uneven weights, one in seven of them zero, as after a ramp.
fn weights(count: u32) -> Vec<u32> {
    (0..count).map(|place| if place % 7 == 6 { 0 } else { 1 + place * place % 97 }).collect()
}

/// Nanoseconds a pick: `pick` is asked for the turns 0, 1, 2 and so on.
fn measured(mut pick: impl FnMut(u64) -> usize) -> f64 {
    let mut best = f64::MAX;
    let mut turn = 0;
    for _ in 0..200 {
        let start = Instant::now();
        for _ in 0..2_000 {
            black_box(pick(black_box(turn)));
            turn += 1;
        }
        best = best.min(start.elapsed().as_nanos() as f64 / 2_000.0);
    }
    best
}

fn deviation(weights: &[u32], mut pick: impl FnMut(u64) -> usize) -> f64 {
    let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
    let mut counts = vec![0.0; weights.len()];
    let mut worst = 0.0_f64;
    for turn in 0..PICKS {
        counts[pick(turn)] += 1.0;
        let so_far = (turn + 1) as f64;
        for (count, weight) in counts.iter().zip(weights) {
            worst = worst.max((count - so_far * f64::from(*weight) / total).abs());
        }
    }
    worst
}

fn told(mode: &str, count: u32, ns: f64, deviation: Option<f64>) {
    let deviation = deviation.map_or(String::new(), |worst| format!("   within {worst:.1} picks"));
    println!("{mode:<10} {count:>5} targets {ns:>9.1} ns{deviation}");
}

fn main() {
    for count in COUNTS {
        let list = weights(count);
        let weights = Weights::new(list.iter().copied()).unwrap();
        let names: Vec<String> = (0..count).map(|place| format!("v{place}")).collect();
        let value = |turn: u64| weights.pick(turn.wrapping_mul(STRIDE));
        told("value", count, measured(value), None);
        let random = |turn| weights.random(SEED, turn);
        told("random", count, measured(random), Some(deviation(&list, random)));
        let smooth = |turn| weights.smooth(SEED, turn);
        told("smooth", count, measured(smooth), Some(deviation(&list, smooth)));
        let mut turns = RoundRobin::new(&weights);
        let worst = deviation(&list, |_| turns.next_pick());
        told("swrr", count, measured(|_| turns.next_pick()), Some(worst));
        let mut key = *b"user-0000000000";
        told(
            "sticky",
            count,
            measured(|turn| {
                key[7..].copy_from_slice(&turn.to_be_bytes());
                sticky(names.iter().map(String::as_str).zip(list.iter().copied()), &key).unwrap_or(0)
            }),
            None,
        );
        let split = measured(|turn| weights.split(PICKS + turn).len()) / PICKS as f64;
        told("split", count, split, None);
    }
}
