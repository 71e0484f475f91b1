//! What a match costs in Rust in tables and for requests that mean harm: every worst case that a table of
//! 100,000 rules may be made of, and the tables that are refused because nothing bounds them.
//! `cargo bench -p trimtab-core --bench hostile`; the figures are those of the bench `table`.
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

use common::{Asked, Dice, MANY, asked, header_rule, measure, regex, rule, rules, text, with_header};
use std::sync::Arc;
use std::time::Instant;
use trimtab_core::route::{
    HeaderMatch, HeaderTest, HostMode, HostPattern, PathMatch, Pattern, Precedence, QueryMatch, QueryTest,
    RouteTable, Rule, Target, TextKind, TextMatch, VirtualHosts,
};

/// Places in a table, by chance.
fn random(count: usize) -> Vec<usize> {
    let mut dice = Dice(1);
    (0..1000).map(|_| dice.roll(count)).collect()
}

/// Rules under "/" that values of one header tell apart.
fn one_header() {
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
    let inside = |n: usize| header_rule("/", "x", text(TextKind::Contains(format!("-v{n}-").into())));
    let carrying = with_header("x", numbers.iter().map(|n| format!("a-v{n}-b")));
    measure("one header, distinct parts", rules(MANY, inside), &carrying);
    for (name, kind, value) in [
        (
            "suffixes in any case",
            (|n| TextKind::Suffix(format!("-V{n}").into())) as fn(usize) -> TextKind,
            "a-v",
        ),
        ("parts in any case", |n| TextKind::Contains(format!("-V{n}").into()), "a-v"),
        ("values in any case", |n| TextKind::Exact(format!("A-V{n}").into()), "a-v"),
    ] {
        let make = |n: usize| header_rule("/", "x", HeaderTest::Text(TextMatch::new(kind(n), true).unwrap()));
        let requests = with_header("x", numbers.iter().map(|n| format!("{value}{n}")));
        measure(&format!("one header, distinct {name}"), rules(MANY, make), &requests);
    }
}

/// Rules under "/" that other things tell apart.
fn other_conditions() {
    let numbers = random(MANY);
    let methods = |n: usize| {
        let mut rule = rule(PathMatch::prefix("/"));
        rule.set_methods(vec![format!("M{n}").into()]);
        rule
    };
    measure("distinct methods, none of them asked", rules(MANY, methods), &[asked("/".into())]);
    let ports = |n: usize| {
        let mut rule = rule(PathMatch::prefix("/"));
        rule.set_entry(None, Some((n % 65_535 + 1) as u16));
        rule
    };
    measure("distinct ports, none of them asked", rules(65_535, ports), &[asked("/".into())]);
    let query = |n: usize| {
        let test = QueryTest::Text(TextMatch::new(TextKind::Exact(format!("v{n}").into()), false).unwrap());
        let mut rule = rule(PathMatch::prefix("/"));
        rule.set_query(vec![QueryMatch::new("k", test).unwrap()]);
        rule
    };
    let requests: Vec<_> = numbers.iter().map(|n| asked(format!("/?a=b&k=v{n}"))).collect();
    measure("one parameter, distinct values", rules(MANY, query), &requests);
    let long: Vec<_> = (0..3).map(|_| asked(format!("/?{}k=v7", "a&".repeat(4000)))).collect();
    measure("one parameter after 4000 others", rules(MANY, query), &long);
    let failing = |n: usize| {
        let present =
            |name: String| HeaderMatch::new(&name, HeaderTest::Present(true), false, false).unwrap();
        let mut rule =
            header_rule("/", &format!("h{}", n % 100), text(TextKind::Exact(format!("v{n}").into())));
        rule.set_headers(rule.headers().iter().cloned().chain([present("no".into())]).collect());
        rule
    };
    let headers: Vec<_> = (0..100).map(|n| (format!("h{n}"), format!("v{n}"))).collect();
    let crowded = [Asked { headers, ..asked("/".into()) }];
    measure("100 headers, all of them asked, all fail", rules(MANY, failing), &crowded);
    let spelled = |n: usize| rule(PathMatch::exact(&format!("/Case/{n}")).ignoring_case().unwrap());
    let requests: Vec<_> = numbers.iter().map(|n| asked(format!("/cAsE/{n}"))).collect();
    measure("whole paths in any case", rules(MANY, spelled), &requests);
}

fn nested_paths() {
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
    let branching = |n: usize| {
        rule(PathMatch::prefix(&("/a".repeat(n / 2 + 1) + if n.is_multiple_of(2) { "" } else { "b" })))
    };
    measure("nested prefixes that branch at each step", rules(depth, branching), &long);
}

/// Templates of which one path fits 64, each six times open or not; what tells them apart comes last.
fn crossing() {
    let path = |n: usize| {
        let open = |place: usize| if n >> place & 1 == 1 { "/[^/]+" } else { "/a" };
        (0..6).map(open).collect::<String>() + &format!("/x{}", n / 64)
    };
    let ask = |n: usize| asked(format!("/a/a/a/a/a/a/x{n}"));
    let requests: Vec<_> = random(MANY / 64).into_iter().map(ask).collect();
    measure("templates that cross six times", rules(MANY, |n| rule(regex(&path(n)))), &requests);
    let none: Vec<_> = (0..10).map(|n| ask(MANY + n)).collect();
    measure("templates that cross, none of which fits", rules(MANY, |n| rule(regex(&path(n)))), &none);
}

fn nested_hosts() {
    let numbers = random(MANY);
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
    // Each one a suffix of the next, as deep as a header of 8 KB can be.
    let deep = |n: usize| {
        rule(PathMatch::prefix("/"))
            .with_hosts(vec![HostPattern::parse(&format!("*{}", ".a".repeat(n + 1))).unwrap()])
    };
    let hosts: Vec<_> = (0..10)
        .map(|n| Asked { host: "b".to_owned() + &".a".repeat(4000 - n * 399), ..asked("/".into()) })
        .collect();
    measure("host suffixes, each one of the next", rules(4_000, deep), &hosts);
}

fn regexes() {
    let numbers = random(MANY);
    let requests: Vec<_> = numbers.iter().map(|n| asked(format!("/a/b/x{n}/c"))).collect();
    measure("regexes without a head", rules(MANY, |n| rule(regex(&format!(".*/x{n}/.*")))), &requests);
    let program = |n: usize| rule(regex(&format!(".*/x{n}/[a-z]+.*")));
    measure("regexes without a head, with programs", rules(MANY, program), &requests);
    let caseless = |n: usize| rule(regex(&format!("(?i)/a/[^/]+/x{n}/.*")));
    measure("regexes that ignore case", rules(MANY, caseless), &requests);
    let wordless =
        |n: usize| rule(regex(&format!("(?:/[a-z]+[0-9]*){{{}}}/?[ab]{{{}}}", n % 9 + 1, n / 9 + 1)));
    let requests: Vec<_> = numbers.iter().map(|n| asked("/x1".repeat(n % 9 + 1))).collect();
    measure("regexes without any text", rules(100, wordless), &requests);
    let words = |n: usize| (0..200).map(|word| format!("w{word}x{n}")).collect::<Vec<_>>().join("|");
    let requests: Vec<_> = (0..100).map(|n| asked(format!("/w{n}x{n}/y"))).collect();
    measure(
        "alternatives of 200 words",
        rules(100, |n| rule(regex(&format!("/({})/[xy]*", words(n))))),
        &requests,
    );
}

/// Texts of 8 KB, in which there may be 100,000 others at each place.
fn inside() {
    let inside = |n: usize| rule(regex(&format!(".*/x{n}/.*")));
    let table = || rules(MANY, inside);
    let asking = |text: String| (0..5).map(|n| asked(format!("/{text}/x{n}/c"))).collect::<Vec<_>>();
    measure("regexes without a head, path of 8 KB", table(), &asking("a/".repeat(4000)));
    let mut dice = Dice(3);
    let letters: String =
        (0..8000).map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz/0123456789"[dice.roll(37)])).collect();
    measure("the same, 8 KB by chance", table(), &asking(letters));
    measure("the same, 8 KB of what they begin with", table(), &asking("/x12".repeat(2000)));
    let better = (0..1000).map(|n| format!("/x{}", MANY - 1 - 97 * n)).collect::<Vec<_>>().concat();
    measure("the same, 1000 of them in 8 KB, each better", table(), &asking(better));
    let short = |n: usize| if n == MANY - 1 { rule(regex(".*-.*")) } else { inside(n) };
    measure("the same and one of a single byte", rules(MANY, short), &asking("a/".repeat(4000)));
    let spelled = |n: usize| {
        let part = TextMatch::new(TextKind::Contains(format!("/X{n}/").into()), true).unwrap();
        header_rule("/", "x", HeaderTest::Text(part))
    };
    let header = with_header("x", (0..5).map(|n| format!("/{}/x{n}/c", "a/".repeat(4000))));
    measure("parts in any case, header of 8 KB", rules(MANY, spelled), &header);
    let letter = |n: usize| char::from(b'A' + (n % 46) as u8);
    let triple = |n: usize| {
        let part: String = [letter(n), letter(n / 46), letter(n / 2116)].iter().collect();
        header_rule("/", "x", text(TextKind::Contains(part.into())))
    };
    let header = with_header("x", (0..5).map(|_| (0..8000).map(|_| letter(dice.roll(46))).collect()));
    measure("parts of three bytes, one at each of 8000", rules(46 * 46 * 46, triple), &header);
    let periodic = |n: usize| rule(regex(&format!(".*{}b.*", "a".repeat(n + 1))));
    measure("parts a..ab, 8 KB of a", rules(1000, periodic), &[asked(format!("/{}", "a".repeat(8000)))]);
}

/// Tables that are refused, and what they are told.
fn refused() {
    let crossed = |n: usize| {
        let part = |bit: usize| if n >> bit & 1 == 0 { "/a" } else { "/[^/]+" };
        rule(regex(&(0..16).map(part).collect::<String>()))
    };
    let inverted = |n: usize| {
        let mut rule = rule(PathMatch::prefix("/"));
        rule.set_headers(vec![HeaderMatch::new("x", HeaderTest::Range(0, n as i64), true, false).unwrap()]);
        rule
    };
    let nested = |n: usize| {
        rule(PathMatch::prefix("/"))
            .with_hosts(vec![HostPattern::parse(&format!("*{}", ".a".repeat(n + 1))).unwrap()])
    };
    for rules in [rules(65_536, crossed), rules(MANY, inverted), rules(100, nested)] {
        let count = rules.len();
        let hosts = VirtualHosts::of(&rules).in_mode(HostMode::InTurn);
        let start = Instant::now();
        let refused = RouteTable::new(rules, &hosts, 42).unwrap_err();
        println!("{count} rules refused in {:.1} ms: {refused}", start.elapsed().as_secs_f64() * 1e3);
    }
}

/// The least time of a few runs, in microseconds.
fn least<T>(mut run: impl FnMut() -> T) -> f64 {
    let once = |run: &mut dyn FnMut() -> T| {
        let start = Instant::now();
        let made = run();
        let time = start.elapsed();
        drop(made);
        time.as_secs_f64() * 1e6
    };
    (0..50).map(|_| once(&mut run)).fold(f64::MAX, f64::min)
}

/// Changes of tables of 100,000 rules.
fn changes() {
    let hosted = |hosts: usize| {
        move |n: usize| {
            let host = HostPattern::parse(&format!("h{}", n % hosts)).unwrap();
            Rule::named(&format!("r{n}"))
                .with_path(PathMatch::prefix(&format!("/{n}/")))
                .with_hosts(vec![host])
        }
    };
    for hosts in [1, 1000, MANY] {
        let table = RouteTable::from_rules(rules(MANY, hosted(hosts)), Precedence::Listed, 42).unwrap();
        let weights =
            least(|| table.with_targets([(7, vec![Target::new("a", 90), Target::new("b", 10)])]).unwrap());
        let known = [HostPattern::parse("h7").unwrap()];
        let new = [HostPattern::parse("new").unwrap()];
        let few: Vec<Arc<Rule>> = rules(10, hosted(1));
        let other = least(|| table.with_host(&known[..], few.clone()).unwrap());
        let more = least(|| table.with_host(&new[..], few.clone()).unwrap());
        println!(
            "{hosts:>6} hosts: weights {weights:.1} us; 10 rules of a host that is there {other:.0} us, of a new one {more:.0} us"
        );
    }
}

fn main() {
    one_header();
    other_conditions();
    nested_paths();
    crossing();
    nested_hosts();
    regexes();
    inside();
    refused();
    changes();
}
