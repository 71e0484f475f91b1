//! What Python cannot see: the core alone, and single picks. `make bench-match` runs it and reads it.
//! `cargo bench -p trimtab-core --bench goals [-- ROUTES REQUESTS]`, two files of lines `METHOD KIND PATH`
//! (kind: path, prefix or regex; method: - for any) and `METHOD PATH`; without them only picks. One JSON object a line: a name, and a
//! figure of each round, in nanoseconds, milliseconds or bytes. All are measured in turn, round by round.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a measurement reads the clock, and says what it read"
)]

use std::fs::read_to_string;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use trimtab_core::pick::{RoundRobin, Weights, sticky};
use trimtab_core::route::{HostPattern, PathMatch, Pattern, Precedence, Request, RouteTable, Rule, Target};

/// The allocator of the extension. It reads its options from `_RJEM_MALLOC_CONF`; the extension's is `thp:always`.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const ROUNDS: usize = 9;
const REPEATS: usize = 5;
const PICKS: u64 = 20_000;
const HOST: &str = "api.shop.example";

/// Something that is timed: its name, and a run of it that says how many calls it made.
struct Timed<'a>(String, Box<dyn FnMut() -> u64 + 'a>);

/// Prints the nanoseconds of a call: the least of a few repeats, in each round.
fn measure(mut all: Vec<Timed<'_>>) {
    let mut rounds = vec![Vec::new(); all.len()];
    for _ in 0..ROUNDS {
        for (Timed(_, run), figures) in all.iter_mut().zip(&mut rounds) {
            let mut best = f64::MAX;
            for _ in 0..REPEATS {
                let start = Instant::now();
                let calls = run();
                best = best.min(start.elapsed().as_nanos() as f64 / calls as f64);
            }
            figures.push(best);
        }
    }
    for (Timed(name, _), figures) in all.iter().zip(&rounds) {
        print(name, "ns", figures);
    }
}

fn print(name: &str, unit: &str, figures: &[f64]) {
    println!(r#"{{"name": "{name}", "unit": "{unit}", "rounds": {figures:?}}}"#);
}

/// A number that looks drawn, without the cost of drawing one.
fn drawn(turn: u64) -> u64 {
    turn.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn picks(count: u32) -> Vec<Timed<'static>> {
    // The same uneven weights as in bench/match/picks.py.
    let weights = Weights::new((0..count).map(|n| 1 + n * 7 % 20)).unwrap();
    let mut turns = RoundRobin::new(&weights);
    let names: Vec<_> = (0..count).map(|n| format!("t{n}")).collect();
    let each = weights.each();
    let timed = |mode: &str, mut pick: Box<dyn FnMut(u64) -> usize>| {
        let mut turn = 0;
        let run = move || {
            for _ in 0..PICKS {
                turn += 1;
                black_box(pick(turn));
            }
            PICKS
        };
        Timed(format!("pick {mode}, {count}"), Box::new(run))
    };
    let (chance, even) = (weights.clone(), weights.clone());
    let by_key = move |turn: u64| {
        let targets = names.iter().map(String::as_str).zip(each.iter().copied());
        sticky(targets, &drawn(turn).to_le_bytes()).unwrap_or(0)
    };
    vec![
        timed("value", Box::new(move |turn| weights.pick(drawn(turn)))),
        timed("random", Box::new(move |turn| chance.random(7, turn))),
        timed("smooth", Box::new(move |turn| even.smooth(7, turn))),
        timed("swrr", Box::new(move |_| turns.next_pick())),
        timed("sticky", Box::new(by_key)),
    ]
}

/// The seconds that this thread has run, to within a tick: they stand still while others run. Linux
/// tells them; elsewhere the clock on the wall has to do.
fn has_run() -> Option<f64> {
    let told = read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(told.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

fn rules(lines: &str) -> Vec<Arc<Rule>> {
    let rule = |line: &str| {
        let (method, rest) = line.split_once(' ').unwrap();
        let (kind, path) = rest.split_once(' ').unwrap();
        let path = match kind {
            "path" => PathMatch::exact(path),
            "prefix" => PathMatch::prefix(path),
            _ => PathMatch::regex(Pattern::new(path).unwrap()),
        };
        let mut rule = Rule::named("r").with_path(path).with_hosts(vec![HostPattern::parse(HOST).unwrap()]);
        if method != "-" {
            rule.set_methods(vec![method.into()]);
        }
        Arc::new(rule.with_targets(vec![Target::new("v1", 90), Target::new("v2", 10)]).checked().unwrap())
    };
    lines.lines().map(rule).collect()
}

fn built(rules: &[Arc<Rule>]) -> RouteTable {
    let mut times = Vec::new();
    let mut table = RouteTable::from_rules(rules.to_vec(), Precedence::Listed, 42).unwrap();
    for _ in 0..ROUNDS {
        let rules = rules.to_vec();
        let (start, ran) = (Instant::now(), has_run());
        table = RouteTable::from_rules(rules, Precedence::Listed, 42).unwrap();
        let took = start.elapsed().as_secs_f64();
        times.push(has_run().zip(ran).map_or(took, |(end, start)| end - start) * 1e3);
    }
    print("build", "ms", &times);
    print("size of a route", "bytes", &[table.size_bytes() as f64 / rules.len() as f64]);
    table
}

fn finds(table: &RouteTable, asked: &str) {
    let requests: Vec<_> = asked.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let find = |(method, path): &(&str, &str)| {
        table.find(&Request {
            host: HOST.as_bytes(),
            method: Some(method.as_bytes()),
            ..Request::to(path.as_bytes())
        })
    };
    assert!(requests.iter().all(|one| find(one).is_some()), "a request has no route");
    let all = |found: &dyn Fn(&(&str, &str))| {
        requests.iter().for_each(found);
        requests.len() as u64
    };
    let picking = |one: &(&str, &str)| {
        let rule = find(one).and_then(|rank| table.rule(rank));
        black_box(rule.and_then(|rule| rule.pick_index(drawn(one.1.len() as u64))));
    };
    let finding = |one: &(&str, &str)| {
        black_box(find(one));
    };
    measure(vec![
        Timed("match".into(), Box::new(|| all(&finding))),
        Timed("match and pick".into(), Box::new(|| all(&picking))),
    ]);
}

fn main() {
    let files: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let [routes, asked] = files.as_slice() {
        let table = built(&rules(&read_to_string(routes).unwrap()));
        finds(&table, &read_to_string(asked).unwrap());
    }
    measure([2, 10, 100].into_iter().flat_map(picks).collect());
}
