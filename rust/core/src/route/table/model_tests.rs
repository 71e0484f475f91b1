//! The fast table against the list.

use super::RouteTable;
use super::samples::{Asked, asked, header, query, rule, with_request};
use crate::route::{HostMode, LinearTable, PathMatch, Precedence, Rule, VirtualHosts};
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
