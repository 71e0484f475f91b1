//! What a match costs in Rust, by kind and size of table.
//! `cargo bench -p trimtab-core --bench table`; ns a match, best of many short rounds, since a machine is seldom alone; build in ms; bytes a route.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    missing_docs,
    reason = "a measurement reads the clock, and says what it read"
)]

mod common;

use common::{Asked, Dice, MANY, asked, measure, regex, rule, rules};
use trimtab_core::route::{HostPattern, PathMatch};

fn main() {
    for count in [100, 1_000, 10_000, MANY] {
        let make = |n: usize| rule(PathMatch::prefix(&format!("/svc{}/api/v1/items/{n}/", n % 100)));
        let key = |n: usize| asked(format!("/svc{}/api/v1/items/{n}/x?q=1", n % 100));
        let mut dice = Dice(1);
        let random: Vec<_> = (0..10_000).map(|_| key(dice.roll(count))).collect();
        let hot: Vec<_> = (0..100).map(|_| key(dice.roll(count))).collect();
        measure("prefixes, uniformly random", rules(count, make), &random);
        measure("prefixes, 100 hot", rules(count, make), &hot);
        let make = |n: usize| rule(PathMatch::exact(&format!("/svc{}/api/v1/items/{n}", n % 100)));
        let key = |n: usize| asked(format!("/svc{}/api/v1/items/{n}", n % 100));
        let random: Vec<_> = (0..10_000).map(|_| key(dice.roll(count))).collect();
        measure("whole paths, uniformly random", rules(count, make), &random);
        let make = |n: usize| rule(regex(&format!("/svc{}/[^/]+/items{n}/[0-9]+", n % 100)));
        let key = |n: usize| asked(format!("/svc{}/abc{n}/items{n}/{n}", n % 100));
        let random: Vec<_> = (0..10_000).map(|_| key(dice.roll(count))).collect();
        measure("templates, uniformly random", rules(count, make), &random);
    }
    let make = |n: usize| {
        let host = HostPattern::parse(&format!("h{}.example", n % 1000)).unwrap();
        rule(PathMatch::prefix(&format!("/api/{}/", n / 1000))).with_hosts(vec![host])
    };
    let mut dice = Dice(1);
    let requests: Vec<_> = (0..10_000)
        .map(|_| {
            let n = dice.roll(MANY);
            Asked { host: format!("h{}.example", n % 1000), ..asked(format!("/api/{}/x", n / 1000)) }
        })
        .collect();
    measure("1000 hosts of 100 prefixes, random", rules(MANY, make), &requests);
}
