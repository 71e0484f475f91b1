//! What a match costs in Rust, by kind and size of table, hostile ones among them.
//! `cargo bench -p trimtab-core`; ns a match, best of many short rounds, since a machine is seldom alone; build in ms; bytes a route.
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

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use trimtab_core::route::{
    HeaderMatch, HeaderTest, HostPattern, PathMatch, Pattern, Precedence, Request, RouteTable, Rule,
    TextKind, TextMatch,
};

const MANY: usize = 100_000;

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below
    }
}

struct Asked {
    target: String,
    host: String,
    headers: Vec<(String, String)>,
}

fn asked(target: String) -> Asked {
    Asked { target, host: "shop.example".into(), headers: Vec::new() }
}

fn rules(count: usize, make: impl Fn(usize) -> Rule) -> Vec<Arc<Rule>> {
    (0..count).map(|n| Arc::new(make(n).checked().unwrap())).collect()
}

fn rule(path: PathMatch) -> Rule {
    Rule::named("r").with_path(path)
}

fn header_rule(prefix: &str, name: &str, kind: HeaderTest) -> Rule {
    let mut rule = rule(PathMatch::prefix(prefix));
    rule.set_headers(vec![HeaderMatch::new(name, kind, false, false).unwrap()]);
    rule
}

fn text(kind: TextKind) -> HeaderTest {
    HeaderTest::Text(TextMatch::new(kind, false).unwrap())
}

fn regex(pattern: &str) -> PathMatch {
    PathMatch::regex(Pattern::new(pattern).unwrap())
}

/// Measures one table: every request once a round, in their order.
fn measure(name: &str, rules: Vec<Arc<Rule>>, requests: &[Asked]) {
    let count = rules.len();
    let start = Instant::now();
    let table = RouteTable::from_rules(rules, Precedence::Listed, 42).unwrap();
    let built = start.elapsed();
    let (mut best, mut first) = (f64::MAX, 0.0);
    let mut found = 0;
    let repeat = (5_000 / requests.len()).max(1);
    for round in 0..60 {
        found = 0;
        let start = Instant::now();
        for _ in 0..if round == 0 { 1 } else { repeat } {
            found = 0;
            for asked in requests {
                let headers = asked.headers.as_slice();
                let request = Request {
                    host: asked.host.as_bytes(),
                    method: Some(b"GET"),
                    headers: &headers,
                    ..Request::to(asked.target.as_bytes())
                };
                found += usize::from(black_box(table.find(&request)).is_some());
            }
        }
        let times = if round == 0 { requests.len() } else { repeat * requests.len() };
        let each = start.elapsed().as_nanos() as f64 / times as f64;
        if round == 0 {
            first = each;
        }
        best = best.min(each);
    }
    println!(
        "{name:<46} {count:>7} rules {best:>9.0} ns ({first:>9.0} cold) {:>8.1} ms build {:>6.0} B/rule {:>4.0} % found",
        built.as_secs_f64() * 1e3,
        table.size_bytes() as f64 / count.max(1) as f64,
        found as f64 * 100.0 / requests.len() as f64,
    );
}

fn plain() {
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

/// Requests that carry one header.
fn with_header(name: &str, values: impl Iterator<Item = String>) -> Vec<Asked> {
    values.map(|value| Asked { headers: vec![(name.into(), value)], ..asked("/x".into()) }).collect()
}

fn hostile() {
    let mut dice = Dice(1);
    let mut random = |count: usize| -> Vec<usize> { (0..1000).map(|_| dice.roll(count)).collect() };
    let numbers = random(MANY);
    let values = |make: fn(usize) -> String| with_header("x", numbers.iter().map(|n| make(*n)));
    let exact = |n: usize| header_rule("/", "x", text(TextKind::Exact(format!("v{n}").into())));
    measure("one header, distinct values", rules(MANY, exact), &values(|n| format!("v{n}")));
    let prefix = |n: usize| header_rule("/", "x", text(TextKind::Prefix(format!("v{n}-").into())));
    measure("one header, distinct prefixes", rules(MANY, prefix), &values(|n| format!("v{n}-a")));
    let suffix = |n: usize| header_rule("/", "x", text(TextKind::Suffix(format!("-v{n}").into())));
    measure("one header, distinct suffixes", rules(MANY, suffix), &values(|n| format!("a-v{n}")));
    let range = |n: usize| header_rule("/", "x", HeaderTest::Range(n as i64 * 10, n as i64 * 10 + 10));
    measure("one header, distinct ranges", rules(MANY, range), &values(|n| format!("{}", n * 10 + 3)));
    let nested = |n: usize| header_rule("/", "x", HeaderTest::Range(n as i64, 2 * MANY as i64 - n as i64));
    measure("one header, nested ranges", rules(MANY, nested), &values(|n| format!("{n}")));
    let tail =
        |n: usize| header_rule("/", "x", text(TextKind::Regex(Pattern::new(&format!("v{n}-.*")).unwrap())));
    measure("one header, distinct regexes v1-.*", rules(MANY, tail), &values(|n| format!("v{n}-a")));
    let head =
        |n: usize| header_rule("/", "x", text(TextKind::Regex(Pattern::new(&format!(".*-v{n}")).unwrap())));
    measure("one header, distinct regexes .*-v1", rules(MANY, head), &values(|n| format!("a-v{n}")));

    let depth = 4_000;
    let nested = |n: usize| rule(PathMatch::prefix(&"/a".repeat(depth - n % depth)));
    let long = [asked("/a".repeat(4096)), asked("/a".repeat(2000) + "/b"), asked("/b".repeat(4096))];
    measure(
        "nested prefixes, path of 8 KB",
        rules(depth, |n| rule(PathMatch::prefix(&"/a".repeat(n + 1)))),
        &long,
    );
    measure("nested prefixes, inverted, path of 8 KB", rules(depth, nested), &long);
    let failing =
        |n: usize| header_rule(&"/a".repeat(depth - n % depth), "x", text(TextKind::Exact("no".into())));
    measure("nested prefixes that all fail on one header", rules(depth, failing), &long);
    let differing = |n: usize| {
        header_rule(&"/a".repeat(depth - n % depth), "x", text(TextKind::Exact(format!("no{n}").into())))
    };
    let carrying: Vec<_> = long
        .iter()
        .map(|a| Asked { headers: vec![("x".into(), "yes".into())], ..asked(a.target.clone()) })
        .collect();
    measure("nested prefixes that all fail on values", rules(depth, differing), &carrying);
    let crowded = |n: usize| {
        header_rule(&"/a".repeat(100 - n % 100), "x", text(TextKind::Exact(format!("no{n}").into())))
    };
    measure("100 nested prefixes of 1000 failing rules", rules(MANY, crowded), &carrying);
    let branching =
        |n: usize| rule(PathMatch::prefix(&("/a".repeat(n / 2 + 1) + if n % 2 == 0 { "" } else { "b" })));
    measure("nested prefixes that branch at each step", rules(depth, branching), &long);

    let suffix = |n: usize| {
        let labels = (0..=n % 60).map(|label| format!(".l{label}")).rev().collect::<String>();
        rule(PathMatch::prefix("/"))
            .with_hosts(vec![HostPattern::parse(&format!("*.x{}{labels}", n / 60)).unwrap()])
    };
    let hosts: Vec<_> = numbers
        .iter()
        .map(|n| {
            let labels = (0..=n % 60).map(|label| format!(".l{label}")).rev().collect::<String>();
            Asked { host: format!("a.x{}{labels}", n / 60), ..asked("/".into()) }
        })
        .collect();
    measure("nested host suffixes", rules(MANY, suffix), &hosts);

    let numbers = random(MANY);
    let requests: Vec<_> = numbers.iter().map(|n| asked(format!("/a/b/x{n}/c"))).collect();
    measure("regexes without a head", rules(MANY, |n| rule(regex(&format!(".*/x{n}/.*")))), &requests);
    let caseless = |n: usize| rule(regex(&format!("(?i)/a/[^/]+/x{n}/.*")));
    measure("regexes that ignore case", rules(MANY, caseless), &requests);
    let inside = |n: usize| header_rule("/", "x", text(TextKind::Contains(format!("-v{n}-").into())));
    let carrying = with_header("x", numbers.iter().map(|n| format!("a-v{n}-b")));
    measure("one header, distinct parts", rules(MANY, inside), &carrying);
    let wordless =
        |n: usize| rule(regex(&format!("(?:/[a-z]+[0-9]*){{{}}}/?[ab]{{{}}}", n % 9 + 1, n / 9 + 1)));
    let requests: Vec<_> = numbers.iter().map(|n| asked("/x1".repeat(n % 9 + 1))).collect();
    measure("regexes without any text", rules(100, wordless), &requests);
    let crossed = |n: usize| {
        let part = |bit: usize| if n >> bit & 1 == 0 { "/a" } else { "/[^/]+" };
        rule(regex(&(0..16).map(part).collect::<String>()))
    };
    let requests = [asked("/a".repeat(16)), asked("/b".repeat(16)), asked("/a".repeat(15) + "/b/c")];
    measure("templates that cross in every way", rules(65_536, crossed), &requests);
}

fn main() {
    if std::env::args().all(|argument| argument != "hostile") {
        plain();
    }
    hostile();
}
