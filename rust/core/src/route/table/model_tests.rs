//! The fast table against the list, on alphabets where everything is almost something else.

use super::RouteTable;
use crate::route::{
    Grpc, HeaderMatch, HeaderTest, HostPattern, LinearTable, PathMatch, Pattern, Precedence, QueryMatch,
    QueryTest, Request, Rule, TextKind, TextMatch,
};
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;

/// Few bytes, so that texts collide: a slash, letters in both cases, a digit, halves of an é.
const PATH: &str = "[/aAb1é.]{0,6}";
const REGEXES: &[&str] = &[
    "/[^/]+",
    "/a/[^/]*",
    r"/\d+",
    r"/\d{1,2}/a",
    "/(a|b)(/.*)?",
    "/a.*",
    ".*a",
    ".*/b",
    "/.*a.*",
    "(?i)/a",
    "/[ab]+1",
    "/[ab]1?",
    "/a|/ab",
    "/a/[^/]+/[^/]+",
    "/[^/]+/b",
    "/é.?",
    "/.{2}",
    r"/\w*",
    "",
    "(/a)*",
    "a|b|1",
    "[ab]+",
    "[^a]*",
    "^/a$",
    "/[a-b][0-9]a",
    "/[^/]+/[0-9]+",
    r"[^\n]*",
    "(?s).*",
    "/.*/.*",
    "[aA]b|1",
    "/(a|b|1)/(a|b|1)",
];
const VALUES: &[&str] = &["", "a", "b", "ab", "A", "1", "2", "-1", "+1", " 1", "a,b", "é", "aab", "abab"];

fn text_kind() -> impl Strategy<Value = TextKind> {
    prop_oneof![
        select(VALUES).prop_map(|text| TextKind::Exact(text.into())),
        select(VALUES).prop_map(|text| TextKind::Exact(text.into())),
        "[ab1é]{1,3}".prop_map(|text| TextKind::Prefix(text.into())),
        "[ab1é]{1,3}".prop_map(|text| TextKind::Suffix(text.into())),
        "[ab1é]{1,2}".prop_map(|text| TextKind::Contains(text.into())),
        select(REGEXES).prop_map(|text| TextKind::Regex(Pattern::new(text).unwrap())),
    ]
}

fn text_match() -> impl Strategy<Value = TextMatch> {
    (text_kind(), any::<bool>()).prop_map(|(kind, ignore_case)| {
        let ignore_case = ignore_case && !matches!(kind, TextKind::Regex(_));
        TextMatch::new(kind, ignore_case).unwrap()
    })
}

fn path() -> impl Strategy<Value = Option<PathMatch>> {
    let ignoring = |path: PathMatch, ignore: bool| if ignore { path.ignoring_case().unwrap() } else { path };
    prop_oneof![
        1 => Just(None),
        3 => (PATH, any::<bool>()).prop_map(move |(text, ignore)| Some(ignoring(PathMatch::exact(&text), ignore))),
        4 => (PATH, any::<bool>()).prop_map(move |(text, ignore)| Some(ignoring(PathMatch::prefix(&text), ignore))),
        2 => ("[/aAb]{0,4}[aAb]", any::<bool>())
            .prop_map(|(text, ignore)| Some(PathMatch::separated(&text, ignore).unwrap())),
        4 => select(REGEXES).prop_map(|text| Some(PathMatch::regex(Pattern::new(text).unwrap()))),
        1 => Just(Some(PathMatch::exact("/\0a"))),
        1 => Just(Some(PathMatch::prefix("/\0"))),
    ]
}

fn header() -> impl Strategy<Value = HeaderMatch> {
    let test = prop_oneof![
        1 => any::<bool>().prop_map(HeaderTest::Present),
        4 => text_match().prop_map(HeaderTest::Text),
        2 => (-3_i64..3, 0_i64..4).prop_map(|(start, length)| HeaderTest::Range(start, start + length)),
    ];
    let name = select(&["x", "y", "Host", ":method", ":path", "content-type"][..]);
    (name, test, prop::bool::weighted(0.2), prop::bool::weighted(0.2))
        .prop_map(|(name, test, invert, missing)| HeaderMatch::new(name, test, invert, missing).unwrap())
}

fn query() -> impl Strategy<Value = QueryMatch> {
    let test =
        prop_oneof![any::<bool>().prop_map(QueryTest::Present), text_match().prop_map(QueryTest::Text)];
    (select(&["k", "l"][..]), test).prop_map(|(name, test)| QueryMatch::new(name, test).unwrap())
}

prop_compose! {
    fn rule()(
        path in path(),
        hosts in prop::collection::vec(select(&["a", "a.b", "*.b", "*b", "a.*", "*"][..]), 0..2),
        methods in prop::collection::vec(select(&["GET", "POST", "get", "M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8"][..]), 0..2),
        scheme in prop_oneof![3 => Just(None), 1 => select(&["http", "https", "ftp"][..]).prop_map(Some)],
        port in prop_oneof![3 => Just(None), 1 => (80_u16..82).prop_map(Some)],
        grpc in prop::bool::weighted(0.1),
        headers in prop::collection::vec(header(), 0..3),
        query in prop::collection::vec(query(), 0..2),
        plain in prop::bool::weighted(0.4),
    ) -> Arc<Rule> {
        let mut rule = Rule::named("r");
        if let Some(path) = path {
            rule = rule.with_path(path);
        }
        rule = rule.with_hosts(hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect());
        if !plain {
            rule.set_methods(methods.into_iter().map(Into::into).collect());
            rule.set_entry(scheme, port);
            rule.set_headers(headers);
            rule.set_query(query);
            if grpc {
                rule.set_grpc(&Grpc::Any).unwrap();
            }
        }
        rule.checked().unwrap().into()
    }
}

type Asked = (
    String,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    Option<u16>,
    Vec<(&'static str, &'static str)>,
);

fn asked() -> impl Strategy<Value = Asked> {
    let target = (PATH, prop_oneof![2 => Just(String::new()), 3 => r"\?[kla1&=é]{0,6}", 1 => r"\?(k|l)=(a|b|ab|1|2)", 1 => Just("#".to_owned())])
        .prop_map(|(path, query)| format!("{}{query}", if path.starts_with('/') { path } else { format!("/{path}") }));
    let names = &["x", "X", "y", "content-type"][..];
    let values =
        select([VALUES, &["application/grpc", "application/grpc+a", "application/grpc-web"]].concat());
    (
        target,
        select(&["", "a", "A.b", "x.b", "b", "a.x", "c"][..]),
        prop::option::of(select(&["GET", "POST", "get", "M1", "M8", "M9"][..])),
        prop::option::of(select(&["http", "https", "ftp"][..])),
        prop::option::of(80_u16..82),
        prop::collection::vec((select(names), values), 0..4),
    )
}

/// Asks both tables; they must agree.
fn compare(rules: &[Arc<Rule>], order: Precedence, requests: &[Asked]) -> Result<(), TestCaseError> {
    let model = LinearTable::from_rules(rules.to_vec(), order);
    let table = RouteTable::from_rules(rules.to_vec(), order, 42).unwrap();
    for asked in requests {
        let (target, host, method, scheme, port, headers) = asked;
        let headers = headers.as_slice();
        let request = Request {
            target: target.as_bytes(),
            host: host.as_bytes(),
            method: method.map(str::as_bytes),
            scheme: scheme.map(str::as_bytes),
            port: *port,
            headers: &headers,
        };
        prop_assert_eq!(table.find(&request), model.find(&request), "{:?}", asked);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn small_tables_answer_as_the_list_does(
        rules in prop::collection::vec(rule(), 0..12), by_length: bool, requests in prop::collection::vec(asked(), 1..30),
    ) {
        let order = if by_length { Precedence::PriorityThenLength } else { Precedence::Listed };
        compare(&rules, order, &requests)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// So many rules that buckets are divided, and divided again.
    #[test]
    fn large_tables_answer_as_the_list_does(
        rules in prop::collection::vec(rule(), 100..400), requests in prop::collection::vec(asked(), 30..60),
    ) {
        compare(&rules, Precedence::Listed, &requests)?;
        let mut reversed = rules;
        reversed.reverse();
        compare(&reversed, Precedence::Listed, &requests)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// One path and one host for all, so that headers and query alone tell the rules apart.
    #[test]
    fn rules_that_differ_in_headers_alone_answer_as_the_list_does(
        conditions in prop::collection::vec((prop::collection::vec(header(), 1..3), prop::collection::vec(query(), 0..2)), 20..200),
        prefix in select(&["/", "/a", "/a/b"][..]),
        requests in prop::collection::vec(asked(), 30..60),
    ) {
        let rules: Vec<Arc<Rule>> = conditions.into_iter().map(|(headers, query)| {
            let mut rule = Rule::named("r").with_path(PathMatch::prefix(prefix));
            rule.set_headers(headers);
            rule.set_query(query);
            rule.checked().unwrap().into()
        }).collect();
        compare(&rules, Precedence::Listed, &requests)?;
    }
}
