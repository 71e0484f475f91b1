//! Tables and requests by chance, each a mutation of the one before, compared with the model; says
//! how long the worst match and the worst build took, and for what.
//! `cargo run --release -p trimtab-fuzz --bin soak -- [tables] [requests for each] [seed]`
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement reads the clock, and says what it read"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use trimtab_fuzz::{Asked, Bytes, asked, build, compare, table};

/// A time that is worse than any before is taken again so often, and the best one counts: the
/// machine is seldom alone.
const AGAIN: usize = 20;
/// How much is shown of an input.
const SHOWN: usize = 1500;

/// Numbers that look like chance: splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.roll() % (count.max(1) as u64)).unwrap_or(0)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.roll().to_le_bytes()[0]).collect()
    }

    /// Changes, inserts, removes or repeats a few of the bytes; now and then makes them all anew.
    fn mutate(&mut self, bytes: &mut Vec<u8>, most: usize) {
        if bytes.is_empty() || self.below(8) == 0 {
            let count = self.below(most);
            *bytes = self.bytes(count);
        }
        for _ in 0..=self.below(4) {
            let (start, count) = (self.below(bytes.len()), self.below(12));
            let end = (start + count).min(bytes.len());
            let new = match self.below(4) {
                0 => Vec::new(),
                1 => bytes.get(start..end).unwrap_or_default().repeat(2),
                _ => self.bytes(end - start),
            };
            bytes.splice(start..end, new);
        }
        bytes.truncate(most);
    }
}

/// The longest time so far, and what took it.
#[derive(Default)]
struct Worst {
    time: Duration,
    what: String,
}

impl Worst {
    /// Keeps this time if it is worse, and stays so when it is taken again.
    fn offer(&mut self, time: Duration, mut again: impl FnMut() -> Duration, what: impl FnOnce() -> String) {
        if time > self.time {
            let best = (0..AGAIN).map(|_| again()).min().unwrap_or(time).min(time);
            if best > self.time {
                *self = Self { time: best, what: what().chars().take(SHOWN).collect() };
            }
        }
    }
}

fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = run();
    (result, start.elapsed())
}

#[derive(Default)]
struct Report {
    tables: usize,
    refused: usize,
    rules: usize,
    requests: usize,
    found: usize,
    faults: usize,
    worst_match: Worst,
    worst_build: Worst,
}

impl Report {
    fn fault(&mut self, what: &str) {
        self.faults += 1;
        println!("FAULT {what}");
    }

    fn one_table(&mut self, dice: &mut Dice, of_table: &[u8], of_request: &mut Vec<u8>, requests: usize) {
        self.tables += 1;
        let make = || table(&mut Bytes::new(of_table), 2000);
        let (both, time) = timed(|| build(make()));
        let Some(both) = both else {
            self.refused += 1;
            return;
        };
        let rules = both.1.rules();
        self.rules += rules.len();
        let shown = || format!("{} rules: {rules:?}", rules.len());
        self.worst_build.offer(time, || timed(|| build(make())).1, shown);
        for _ in 0..requests {
            dice.mutate(of_request, 120);
            let asked = asked(&mut Bytes::new(of_request));
            let find = || asked.with(|request| both.0.find(request));
            let (found, time) = timed(find);
            self.requests += 1;
            self.found += usize::from(found.is_some());
            let shown = |asked: &Asked| {
                let request: String = format!("{asked:?}").chars().take(SHOWN / 5).collect();
                format!("path of {} bytes, {request}\n    {} rules: {rules:?}", asked.path_len(), rules.len())
            };
            self.worst_match.offer(time, || timed(find).1, || shown(&asked));
            if let Some(answers) = compare(&both, &asked) {
                self.fault(&format!("{answers:?} for {asked:?} of {rules:#?}"));
            }
        }
    }

    fn print(&self) {
        println!(
            "{} tables ({} refused) of {:.1} rules, {} requests ({:.0} % found), {} faults",
            self.tables,
            self.refused,
            self.rules as f64 / self.tables.max(1) as f64,
            self.requests,
            self.found as f64 * 100.0 / self.requests.max(1) as f64,
            self.faults,
        );
        for (what, worst) in [("match", &self.worst_match), ("build", &self.worst_build)] {
            println!("worst {what}: {:?}\n    {}", worst.time, worst.what);
        }
    }
}

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse().ok());
    let mut number = |default| numbers.next().flatten().unwrap_or(default);
    let (tables, requests, seed) = (number(1000), number(100), number(1));
    let mut dice = Dice(seed as u64);
    let mut report = Report::default();
    let (mut of_table, mut of_request) = (Vec::new(), Vec::new());
    for _ in 0..tables {
        // Most tables are small: then more of them are unlike each other.
        let most = if dice.below(50) == 0 { 20_000 } else { 800 };
        dice.mutate(&mut of_table, most);
        let run = || report.one_table(&mut dice, &of_table, &mut of_request, requests);
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            report.fault(&format!("panic for a table of {of_table:?}"));
        }
    }
    report.print();
    if report.faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
