//! A match asks for no memory, whatever the rules ask and whatever the request holds.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by a panic")]

use allocation_counter::measure;
use std::sync::Arc;
use trimtab_core::route::{
    Grpc, HeaderMatch, HeaderTest, HostMode, HostPattern, PathMatch, Pattern, QueryMatch, QueryTest, Request,
    RouteTable, Rule, TextKind, TextMatch, VirtualHosts,
};

/// So many rules of each kind that all of them are found by looking up, not one by one.
const EACH: usize = 40;

fn texts(n: usize) -> Vec<TextMatch> {
    let regex = |text: String| TextKind::Regex(Pattern::new(&text).unwrap());
    let kinds = [
        TextKind::Exact(format!("v{n}").into()),
        TextKind::Prefix(format!("p{n}-").into()),
        TextKind::Suffix(format!("-s{n}").into()),
        TextKind::Contains(format!("-c{n}-").into()),
    ];
    let regexes = [format!("r{n}-.*"), format!(".*-e{n}"), format!("x.*-{n}.*y"), format!("(a{n}|b)*")];
    let folded = kinds.clone().map(|kind| TextMatch::new(kind, true).unwrap());
    let plain = kinds.into_iter().chain(regexes.map(regex)).map(|kind| TextMatch::new(kind, false).unwrap());
    plain.chain(folded).collect()
}

fn paths(n: usize) -> Vec<PathMatch> {
    let regex = |text: String| PathMatch::regex(Pattern::new(&text).unwrap());
    vec![
        PathMatch::exact(&format!("/exact/{n}")),
        PathMatch::exact(&format!("/folded/{n}")).ignoring_case().unwrap(),
        PathMatch::prefix(&format!("/prefix/{n}/")),
        PathMatch::prefix(&"/a".repeat(n * 90)),
        PathMatch::separated(&format!("/separated/{n}"), false).unwrap(),
        PathMatch::separated(&format!("/Separated/{n}"), true).unwrap(),
        regex(format!("/template/[^/]+/{n}/[0-9]+")),
        regex(format!("(?i)/Template/[^/]+/{n}")),
        regex(format!("/(x|y)*/{n}/.*z")),
        regex(format!(".*/tail{n}")),
        regex(format!(".*/inside{n}/.*")),
    ]
}

fn rules() -> Vec<Arc<Rule>> {
    let mut rules = Vec::new();
    let mut add = |change: &dyn Fn(&mut Rule)| {
        let mut rule = Rule::named("r");
        change(&mut rule);
        rules.push(Arc::new(rule.checked().unwrap()));
    };
    for n in 0..EACH {
        for path in paths(n) {
            add(&|rule| {
                *rule = rule.clone().with_path(path.clone());
                rule.set_methods(vec!["PURGE".into()]);
            });
        }
        for text in texts(n) {
            for (invert, missing) in [(false, false), (true, false), (false, true)] {
                let test = || HeaderTest::Text(text.clone());
                add(&|rule| {
                    let header = HeaderMatch::new("x-text", test(), invert, missing).unwrap();
                    rule.set_headers(vec![header, HeaderMatch::new("no", test(), false, false).unwrap()]);
                });
            }
            add(&|rule| {
                let asks = |name| QueryMatch::new(name, QueryTest::Text(text.clone())).unwrap();
                rule.set_query(vec![asks("k"), asks("no")]);
            });
        }
        let start = i64::try_from(n).unwrap() * 10;
        add(&|rule| {
            let range = HeaderTest::Range(start, start + 15);
            rule.set_headers(vec![
                HeaderMatch::new("x-number", range.clone(), false, false).unwrap(),
                HeaderMatch::new("x-number", range, true, false).unwrap(),
            ]);
        });
        add(&|rule| rule.set_methods(vec![format!("M{n}").into()]));
        add(&|rule| rule.set_entry(Some("ftp"), Some(80)));
        add(&|rule| rule.set_grpc(&Grpc::AnyService(format!("M{n}"))).unwrap());
    }
    rules
}

/// Requests of every length that matters, most of which get nothing.
fn each_request(mut ask: impl FnMut(&Request<'_>)) {
    let long = "x".repeat(8000);
    let targets = [
        "/".to_owned(),
        "/exact/7?k=v7".to_owned(),
        "/FOLDED/7?k=P7-x&k=2".to_owned(),
        "/template/abc/7/12".to_owned(),
        "/xyxyxy/7/abcz".to_owned(),
        format!("{}?k={}-c7-", "/a".repeat(3900), "-".repeat(300)),
        format!("/{long}/tail7?{}", "k&".repeat(4000)),
        format!("/b/inside7/{long}"),
        "/a#b".to_owned(),
    ];
    let hosts = ["", "a.example", "X.A.EXAMPLE:80", &format!("{long}.a.example"), &format!("www.{long}")];
    let mut headers: Vec<(String, String)> = (0..100).map(|n| (format!("h{n}"), long[..n].into())).collect();
    for value in ["v7", "P7-a", "a-s7", "a-C7-b", "r7-x", "q-e7", "x--7-y", "a7bba7", &long, ""] {
        headers.push(("X-Text".into(), value.into()));
        headers.push(("x-number".into(), format!(" +{}", value.len())));
    }
    let headers = headers.as_slice();
    for target in &targets {
        for host in hosts {
            for method in [None, Some(&b"GET"[..]), Some(b"PURGE"), Some(b"M39")] {
                ask(&Request {
                    target: target.as_bytes(),
                    host: host.as_bytes(),
                    method,
                    scheme: Some(b"https"),
                    port: Some(443),
                    headers: &headers,
                });
            }
        }
    }
}

fn assert_no_allocation(rules: Vec<Arc<Rule>>, mode: HostMode) {
    let hosts = VirtualHosts::of(&rules).in_mode(mode);
    let table = RouteTable::new(rules, &hosts, 42).unwrap();
    let mut found = 0;
    each_request(|request| {
        let allocated = measure(|| found += usize::from(table.find(request).is_some()));
        let target = String::from_utf8_lossy(&request.target[..request.target.len().min(40)]);
        assert_eq!(allocated.count_total, 0, "{target} {:?}", request.method);
    });
    assert!(found > 0);
}

#[test]
fn a_match_asks_for_no_memory_whatever_is_asked() {
    assert_no_allocation(rules(), HostMode::Best);
}

#[test]
fn a_match_asks_for_no_memory_where_many_hosts_fit() {
    let patterns = ["a.example", "*.a.example", "*.example", "www.*", "*"];
    let hosted = rules().into_iter().enumerate().map(|(n, rule)| {
        let pattern = HostPattern::parse(patterns[n % patterns.len()]).unwrap();
        Arc::new(Rule::clone(&rule).with_hosts(vec![pattern]))
    });
    let hosted: Vec<_> = hosted.collect();
    for mode in [HostMode::Best, HostMode::InTurn, HostMode::Together] {
        assert_no_allocation(hosted.clone(), mode);
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(measure(|| drop(std::hint::black_box(Box::new(1)))).count_total, 1);
}
