//! The fast table against the list.

use super::samples::{Asked, asked, header, query, rule, with_request};
use super::{RouteTable, TooLarge};
use crate::route::{
    HeaderMatch, HeaderTest, HostMode, LinearTable, PathMatch, Pattern, Precedence, Request, Rule, TextKind,
    TextMatch, VirtualHosts,
};
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;

/// Asks both tables; they must agree.
fn compare(
    mut rules: Vec<Arc<Rule>>,
    order: Precedence,
    mode: HostMode,
    requests: &[Asked],
) -> Result<(), TestCaseError> {
    order.sort(&mut rules);
    let hosts = VirtualHosts::of(&rules).in_mode(mode);
    let table = RouteTable::new(rules.clone(), &hosts, 42).unwrap();
    let model = LinearTable::new(rules, hosts);
    for asked in requests {
        let (found, expected) = with_request(asked, |request| (table.find(request), model.find(request)));
        prop_assert_eq!(found, expected, "{:?}", asked);
    }
    Ok(())
}

fn order() -> impl Strategy<Value = Precedence> {
    select(&[Precedence::Listed, Precedence::PriorityThenLength, Precedence::GatewayApi][..])
}

fn mode() -> impl Strategy<Value = HostMode> {
    select(&[HostMode::Best, HostMode::InTurn, HostMode::Together][..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn small_tables_answer_as_the_list_does(
        rules in prop::collection::vec(rule(), 0..12), order in order(), mode in mode(), requests in prop::collection::vec(asked(), 1..30),
    ) {
        compare(rules, order, mode, &requests)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// So many rules that buckets are divided, and divided again.
    #[test]
    fn large_tables_answer_as_the_list_does(
        rules in prop::collection::vec(rule(), 100..400), mode in mode(), requests in prop::collection::vec(asked(), 30..60),
    ) {
        let reversed = rules.iter().rev().cloned().collect();
        compare(rules, Precedence::Listed, mode, &requests)?;
        compare(reversed, Precedence::Listed, mode, &requests)?;
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
        compare(rules, Precedence::Listed, HostMode::Best, &requests)?;
    }
}

/// A template: its segments, `p` an open one, how it ends, a method and the headers that it asks for.
type Template = (Vec<&'static str>, u8, Option<&'static str>, &'static str);

/// Names and values; a header of which the name stands alone has no value, or any.
fn names_and_values(headers: &'static str) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    headers.split(',').filter(|header| !header.is_empty()).map(|header| match header.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (header, None),
    })
}

fn segment() -> impl Strategy<Value = &'static str> {
    select(&["a", "b", "", "p", "p", "aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaa"][..])
}

fn template_rule((segments, end, method, headers): Template) -> Arc<Rule> {
    let path = |open: &'static str| {
        segments.iter().flat_map(|segment| ["/", if *segment == "p" { open } else { segment }]).collect()
    };
    let (literal, regex): (String, String) = (path("p"), path("[^/]+"));
    let path = match end {
        _ if segments.contains(&"p") => PathMatch::regex(Pattern::new(&regex).unwrap()),
        0 => PathMatch::exact(&literal),
        1 => PathMatch::separated(&literal, false).unwrap_or_else(|_| PathMatch::exact(&literal)),
        _ => PathMatch::prefix(&format!("{literal}/")),
    };
    let mut rule = Rule::named("r").with_path(path);
    rule.set_methods(method.map(Into::into).into_iter().collect());
    let asked = names_and_values(headers).map(|(name, value)| {
        let exact = |value: &str| TextMatch::new(TextKind::Exact(value.into()), false).unwrap();
        let test = value.map_or(HeaderTest::Present(true), |value| HeaderTest::Text(exact(value)));
        HeaderMatch::new(name, test, false, false).unwrap()
    });
    rule.set_headers(asked.collect());
    rule.checked().unwrap().into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// So many templates of few segments that they are a tree, cross, and share their places.
    #[test]
    fn templates_answer_as_the_list_does(
        templates in prop::collection::vec(
            (prop::collection::vec(segment(), 1..5), 0_u8..3, prop::option::of(select(&["GET", "POST"][..])), select(&["", "", "", "x", "x=1", "x=1", "x=2", "y=1,x=1"][..])),
            20..120,
        ),
        requests in prop::collection::vec(
            (prop::collection::vec(segment(), 1..6), select(&["", "?a=/b", "#"][..]), select(&["GET", "POST"][..]), select(&["", "x", "x=1", "x=2", "x=1,y=1", "x=1,x=2"][..])),
            30..60,
        ),
    ) {
        let rules: Vec<_> = templates.into_iter().map(template_rule).collect();
        let requests: Vec<Asked> = requests.into_iter().map(|(segments, query, method, headers)| {
            let path: String = segments.iter().flat_map(|segment| ["/", segment]).collect();
            let headers = names_and_values(headers).map(|(name, value)| (name, value.unwrap_or("")));
            (path + query, "a", Some(method), None, None, headers.collect())
        }).collect();
        compare(rules, Precedence::Listed, HostMode::Best, &requests)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// One path for all, and nothing that can be looked up but methods and ports.
    #[test]
    fn rules_that_differ_in_methods_and_ports_alone_answer_as_the_list_does(
        entries in prop::collection::vec((prop::collection::vec(1_u8..12, 0..3), prop::option::of(80_u16..84), any::<bool>()), 40..200),
        requests in prop::collection::vec(asked(), 30..60),
    ) {
        let rules: Vec<Arc<Rule>> = entries.into_iter().map(|(methods, port, inverted)| {
            let mut rule = Rule::named("r").with_path(PathMatch::prefix("/"));
            rule.set_methods(methods.iter().map(|method| format!("M{method}").into()).collect());
            rule.set_entry(None, port);
            let absent = HeaderMatch::new("y", HeaderTest::Present(true), inverted, false).unwrap();
            rule.set_headers(vec![absent]);
            rule.checked().unwrap().into()
        }).collect();
        compare(rules, Precedence::Listed, HostMode::Best, &requests)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// So many headers that those of the request are gone through, pseudo-headers and repeated ones too.
    #[test]
    fn rules_that_ask_for_many_headers_answer_as_the_list_does(
        asked_for in prop::collection::vec((0_u8..20, select(&["a", "b", "ab"][..])), 100..300),
        pseudo in prop::collection::vec(header(), 0..40),
        headers in prop::collection::vec((0_u8..22, select(&["a", "b", "ab", "c"][..])), 0..30),
    ) {
        let named = |(number, value): (u8, &str)| {
            let kind = TextKind::Prefix(value.into());
            let test = HeaderTest::Text(TextMatch::new(kind, false).unwrap());
            HeaderMatch::new(&format!("h{number}"), test, false, false).unwrap()
        };
        let rules = asked_for.into_iter().map(named).chain(pseudo).map(|header| {
            let mut rule = Rule::named("r");
            rule.set_headers(vec![header]);
            Arc::new(rule.checked().unwrap())
        });
        let rules: Vec<_> = rules.collect();
        let table = RouteTable::from_rules(rules.clone(), Precedence::Listed, 42).unwrap();
        let model = LinearTable::from_rules(rules, Precedence::Listed);
        let headers: Vec<_> = headers.iter().map(|(number, value)| (format!("H{number}"), *value)).collect();
        let headers = headers.as_slice();
        let request = Request { host: b"a", headers: &headers, ..Request::to(b"/") };
        prop_assert_eq!(table.find(&request), model.find(&request));
    }
}

/// A text that is asked for anywhere: how, and whether for a method too.
type Contained = (String, u8, bool);

fn part_rule((part, how, asks): Contained) -> Arc<Rule> {
    let regex = |text: String| TextKind::Regex(Pattern::new(&text).unwrap());
    let (kind, ignore_case) = match how {
        0 => (TextKind::Contains(part.into()), false),
        1 => (TextKind::Contains(part.into()), true),
        2 => (regex(format!(".*{part}.*")), false),
        3 => (regex(format!("(?s).*{part}.*")), false),
        4 => (regex(format!(".+{part}.*a")), false),
        _ => (regex(format!("a.*{part}.*")), false),
    };
    let mut rule = Rule::named("r");
    let test = HeaderTest::Text(TextMatch::new(kind, ignore_case).unwrap());
    rule.set_headers(vec![HeaderMatch::new("x", test, false, false).unwrap()]);
    rule.set_methods(if asks { vec!["POST".into()] } else { Vec::new() });
    rule.checked().unwrap().into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Few texts and many, short ones and long ones, those that begin with each other among them.
    #[test]
    fn texts_inside_others_answer_as_the_list_does(
        parts in prop::collection::vec(("[abA]{1,3}|[ab]{4,12}|a{1,12}b?", 0_u8..6, any::<bool>()), 8..150),
        values in prop::collection::vec(("[abA]{0,40}|a{0,40}b?|[abc\n]{0,40}", any::<bool>()), 20..40),
    ) {
        let texts: Vec<_> = parts.iter().map(|(text, ..)| text.clone()).collect();
        let rules: Vec<_> = parts.into_iter().map(part_rule).collect();
        let table = RouteTable::from_rules(rules.clone(), Precedence::Listed, 42).unwrap();
        let model = LinearTable::from_rules(rules, Precedence::Listed);
        for (number, (value, posts)) in values.into_iter().enumerate() {
            // One of the texts is there, at least in part of the requests.
            let value = if number % 2 == 0 { value } else { format!("{value}{}c", texts[number % texts.len()]) };
            let headers = &[("x", value.as_str())][..];
            let method = Some(if posts { &b"POST"[..] } else { b"GET" });
            let request = Request { host: b"a", method, headers: &headers, ..Request::to(b"/") };
            prop_assert_eq!(table.find(&request), model.find(&request), "{:?}", value);
        }
    }
}

/// Methods that have no bit, and a scheme: the rule itself is asked, also where none asks for a header.
#[test]
fn rules_of_unusual_methods_and_schemes_are_found() {
    let mut rules: Vec<Rule> = (0..12).map(|_| Rule::named("r").with_path(PathMatch::prefix("/a"))).collect();
    for (number, rule) in rules.iter_mut().enumerate() {
        rule.set_methods(vec![format!("M{number}").into()]);
    }
    let mut other = Rule::named("r").with_path(PathMatch::prefix("/a"));
    other.set_entry(Some("ftp"), None);
    rules.push(other);
    let table = RouteTable::from_rules(rules.into_iter().map(Arc::new).collect(), Precedence::Listed, 42);
    let find = |method: &str, scheme: &'static [u8]| {
        let (method, scheme) = (Some(method.as_bytes()), Some(scheme));
        table.as_ref().unwrap().find(&Request { method, scheme, ..Request::to(b"/a") })
    };
    for number in 0..12 {
        assert_eq!(find(&format!("M{number}"), b"http"), Some(number));
    }
    assert_eq!((find("M12", b"http"), find("M12", b"ftp")), (None, Some(12)));
}

fn refusal(rules: impl Iterator<Item = Rule>) -> TooLarge {
    let rules = rules.map(|rule| Arc::new(rule.checked().unwrap())).collect();
    RouteTable::from_rules(rules, Precedence::Listed, 42).unwrap_err()
}

#[test]
fn rules_that_nothing_tells_apart_are_refused_when_they_are_too_many() {
    let rule = |n: i64| {
        let mut rule = Rule::named(&format!("r{n}"));
        rule.set_headers(vec![HeaderMatch::new("x", HeaderTest::Range(0, n), true, false).unwrap()]);
        rule
    };
    let table = RouteTable::from_rules((0..900).map(|n| rule(n).into()).collect(), Precedence::Listed, 42);
    assert!(table.is_ok());
    let refused = refusal((0..1000).map(rule));
    assert_eq!(refused, TooLarge::Listed("r910".into()));
    assert!(refused.to_string().starts_with("rule \"r910\": it and others of one path ask for nothing"));
}

#[test]
fn regexes_that_cross_in_too_many_ways_are_refused() {
    let crossed = |depth: u32| {
        (0..1_u32 << depth).map(move |n| {
            let part = |bit: u32| if n >> bit & 1 == 0 { "/a" } else { "/[^/]+" };
            let pattern: String = (0..16).map(|bit| if bit < depth { part(bit) } else { "/a" }).collect();
            Rule::named("r").with_path(PathMatch::regex(Pattern::new(&pattern).unwrap()))
        })
    };
    assert_eq!(refusal(crossed(10)), TooLarge::Crossing("r".into()));
    assert!(RouteTable::from_rules(crossed(6).map(Arc::new).collect(), Precedence::Listed, 42).is_ok());
}

#[test]
fn of_templates_of_a_header_the_first_one_gets_the_request_whichever_way_leads_there() {
    // Known segments are gone through first here, for the sake of the first rule, and lead to the third; the
    // last two, which fit as well, are met afterwards, on the way to the second.
    let fitting = ["/a/b/z", "/a/[^/]+/c/q", "/a/b/c", "/a/[^/]+/c", "/a/[^/]+/c"].map(String::from);
    let others = (0..200).map(|number| format!("/x{number}/[^/]+/z"));
    let rules = fitting.into_iter().chain(others).map(|pattern| {
        let pattern = TextKind::Regex(Pattern::new(&pattern).unwrap());
        let test = HeaderTest::Text(TextMatch::new(pattern, false).unwrap());
        let mut rule = Rule::named("r");
        rule.set_headers(vec![HeaderMatch::new("x", test, false, false).unwrap()]);
        Arc::new(rule)
    });
    let table = RouteTable::from_rules(rules.collect(), Precedence::Listed, 42).unwrap();
    let find = |value: &str| {
        let headers = &[("x", value)][..];
        table.find(&Request { headers: &headers, ..Request::to(b"/") })
    };
    for (value, expected) in [("/a/b/z", 0), ("/a/b/c/q", 1), ("/a/b/c", 2), ("/a/y/c", 3), ("/x7/y/z", 12)] {
        assert_eq!(find(value), Some(expected), "{value}");
    }
}
