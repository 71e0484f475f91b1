//! What the measurements of tables share.
#![allow(dead_code, reason = "no measurement needs all of it")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use trimtab_core::route::{
    HeaderMatch, HeaderTest, PathMatch, Pattern, Precedence, Request, RouteTable, Rule, TextKind, TextMatch,
};

pub const MANY: usize = 100_000;

/// The same numbers in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below
    }
}

#[derive(Clone)]
pub struct Asked {
    pub target: String,
    pub host: String,
    pub headers: Vec<(String, String)>,
}

pub fn asked(target: String) -> Asked {
    Asked { target, host: "shop.example".into(), headers: Vec::new() }
}

pub fn rules(count: usize, make: impl Fn(usize) -> Rule) -> Vec<Arc<Rule>> {
    (0..count).map(|n| Arc::new(make(n).checked().unwrap())).collect()
}

pub fn rule(path: PathMatch) -> Rule {
    Rule::named("r").with_path(path)
}

pub fn header_rule(prefix: &str, name: &str, kind: HeaderTest) -> Rule {
    let mut rule = rule(PathMatch::prefix(prefix));
    rule.set_headers(vec![HeaderMatch::new(name, kind, false, false).unwrap()]);
    rule
}

pub fn text(kind: TextKind) -> HeaderTest {
    HeaderTest::Text(TextMatch::new(kind, false).unwrap())
}

pub fn regex(pattern: &str) -> PathMatch {
    PathMatch::regex(Pattern::new(pattern).unwrap())
}

/// Measures one table: every request once a round, in their order.
pub fn measure(name: &str, rules: Vec<Arc<Rule>>, requests: &[Asked]) {
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

/// Requests that carry one header.
pub fn with_header(name: &str, values: impl Iterator<Item = String>) -> Vec<Asked> {
    values.map(|value| Asked { headers: vec![(name.into(), value)], ..asked("/x".into()) }).collect()
}
