//! Rules and requests for property tests, of alphabets where everything is almost something else.

use crate::route::{
    Grpc, HeaderMatch, HeaderTest, HostPattern, PathMatch, Pattern, QueryMatch, QueryTest, Request, Rule,
    TextKind, TextMatch,
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
    ".*a.*",
    "(?s).*/b.*",
    ".*a.+",
    "/.*b.*1",
    ".*ab.*[^/]",
    r"[^\n]*b[^\n]*",
];
const VALUES: &[&str] =
    &["", "a", "b", "ab", "A", "1", "2", "-1", "+1", " 1", "a,b", "é", "aab", "abab", "ab\n"];

fn text_kind() -> impl Strategy<Value = TextKind> {
    prop_oneof![
        select(VALUES).prop_map(|text| TextKind::Exact(text.into())),
        select(VALUES).prop_map(|text| TextKind::Exact(text.into())),
        "[ab1é]{1,3}".prop_map(|text| TextKind::Prefix(text.into())),
        "[ab1é]{1,3}".prop_map(|text| TextKind::Suffix(text.into())),
        "[ab1é]{1,4}".prop_map(|text| TextKind::Contains(text.into())),
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

pub(super) fn header() -> impl Strategy<Value = HeaderMatch> {
    let test = prop_oneof![
        1 => any::<bool>().prop_map(HeaderTest::Present),
        4 => text_match().prop_map(HeaderTest::Text),
        2 => (-3_i64..3, 0_i64..4).prop_map(|(start, length)| HeaderTest::Range(start, start + length)),
    ];
    let name = select(&["x", "y", "Host", ":method", ":path", "content-type"][..]);
    (name, test, prop::bool::weighted(0.2), prop::bool::weighted(0.2))
        .prop_map(|(name, test, invert, missing)| HeaderMatch::new(name, test, invert, missing).unwrap())
}

pub(super) fn query() -> impl Strategy<Value = QueryMatch> {
    let test =
        prop_oneof![any::<bool>().prop_map(QueryTest::Present), text_match().prop_map(QueryTest::Text)];
    (select(&["k", "l"][..]), test).prop_map(|(name, test)| QueryMatch::new(name, test).unwrap())
}

/// Patterns of which several fit most hosts.
pub(super) const HOSTS: &[&str] = &["a", "a.b", "*.b", "*b", "a.*", "a*", "*"];

fn grpc() -> impl Strategy<Value = Option<Grpc>> {
    let calls = select(&["a", "a/b", "*/b", "b.a/1"][..]).prop_map(|calls| Grpc::parse(calls).unwrap());
    prop_oneof![9 => Just(None), 1 => prop_oneof![Just(Grpc::Any), calls].prop_map(Some)]
}

prop_compose! {
    pub(super) fn rule()(
        path in path(),
        hosts in prop::collection::vec(select(HOSTS), 0..3),
        methods in prop::collection::vec(select(&["GET", "POST", "get", "M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8"][..]), 0..2),
        scheme in prop_oneof![3 => Just(None), 1 => select(&["http", "https", "ftp"][..]).prop_map(Some)],
        port in prop_oneof![3 => Just(None), 1 => (80_u16..82).prop_map(Some)],
        grpc in grpc(),
        headers in prop::collection::vec(header(), 0..3),
        query in prop::collection::vec(query(), 0..2),
        plain in prop::bool::weighted(0.4),
    ) -> Arc<Rule> {
        let mut rule = Rule::named("r");
        if let Some(path) = path.filter(|_| grpc.as_ref().is_none_or(|grpc| *grpc == Grpc::Any)) {
            rule = rule.with_path(path);
        }
        rule = rule.with_hosts(hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect());
        if !plain {
            rule.set_methods(methods.into_iter().map(Into::into).collect());
            rule.set_entry(scheme, port);
            rule.set_headers(headers);
            rule.set_query(query);
        }
        if let Some(grpc) = grpc {
            rule.set_grpc(&grpc).unwrap();
        }
        rule.checked().unwrap().into()
    }
}

/// Target, host, method, scheme, port, headers.
pub(super) type Asked = (
    String,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    Option<u16>,
    Vec<(&'static str, &'static str)>,
);

pub(super) fn asked() -> impl Strategy<Value = Asked> {
    let target = (PATH, prop_oneof![2 => Just(String::new()), 3 => r"\?[kla1&=é]{0,6}", 1 => r"\?(k|l)=(a|b|ab|1|2)", 1 => Just("#".to_owned())])
        .prop_map(|(path, query)| format!("{}{query}", if path.starts_with('/') { path } else { format!("/{path}") }));
    let names = &["x", "X", "y", "content-type"][..];
    let values =
        select([VALUES, &["application/grpc", "application/grpc+a", "application/grpc-web"]].concat());
    (
        target,
        select(&["", "a", "A.b", "x.b", "b", "a.x", "aB", "c"][..]),
        prop::option::of(select(&["GET", "POST", "get", "M1", "M8", "M9"][..])),
        prop::option::of(select(&["http", "https", "ftp"][..])),
        prop::option::of(80_u16..82),
        prop::collection::vec((select(names), values), 0..4),
    )
}

/// Calls `ask` with the request that these parts make.
pub(super) fn with_request<T>(asked: &Asked, ask: impl FnOnce(&Request<'_>) -> T) -> T {
    let (target, host, method, scheme, port, headers) = asked;
    let headers = headers.as_slice();
    ask(&Request {
        target: target.as_bytes(),
        host: host.as_bytes(),
        method: method.map(str::as_bytes),
        scheme: scheme.map(str::as_bytes),
        port: *port,
        headers: &headers,
    })
}
