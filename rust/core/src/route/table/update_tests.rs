//! Tables that were changed, against tables that are built anew.

use super::samples::{Asked, HOSTS, asked, rule, with_request};
use super::shard::USUAL_RULES;
use super::{RouteTable, UpdateError};
use crate::route::{
    HostMode, HostPattern, LinearTable, PathMatch, Precedence, Request, Rule, Target, VirtualHosts,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is done to a table.
#[derive(Debug, Clone)]
enum Change {
    Host(Vec<HostPattern>, Vec<Arc<Rule>>),
    Gone(HostPattern),
    Targets(Index, u32),
}

fn pattern() -> impl Strategy<Value = HostPattern> {
    let other = "h[0-9]{1,2}".prop_map(|host| HostPattern::parse(&host).unwrap());
    prop_oneof![3 => select(HOSTS).prop_map(|host| HostPattern::parse(host).unwrap()), 1 => other]
}

fn change() -> impl Strategy<Value = Change> {
    let rules =
        prop_oneof![9 => prop::collection::vec(rule(), 0..5), 1 => prop::collection::vec(rule(), 200..300)];
    prop_oneof![
        3 => (prop::collection::vec(pattern(), 1..3), rules).prop_map(|(hosts, rules)| Change::Host(hosts, rules)),
        1 => pattern().prop_map(Change::Gone),
        2 => (any::<Index>(), 1_u32..9).prop_map(|(place, weight)| Change::Targets(place, weight)),
    ]
}

/// For each pattern its rules: what a table that is built anew is built of.
type Model = BTreeMap<HostPattern, Vec<Arc<Rule>>>;

fn model_of(table: &RouteTable) -> Model {
    let rules_of = |served: &super::Served| {
        let numbers = served.numbers.iter();
        numbers.filter_map(|number| table.rule(number)).cloned().collect()
    };
    table.patterns.iter().cloned().zip(table.served.iter().map(rules_of)).collect()
}

fn change_both(table: &RouteTable, model: &mut Model, change: Change) -> RouteTable {
    match change {
        Change::Host(patterns, rules) => {
            model.extend(patterns.iter().map(|pattern| (pattern.clone(), rules.clone())));
            table.with_host(&patterns, rules).unwrap()
        }
        Change::Gone(pattern) => {
            model.remove(&pattern);
            table.without_host(&pattern).unwrap()
        }
        Change::Targets(place, weight) => {
            let rules: Vec<_> = table.rules().collect();
            let Some((number, old)) = (!rules.is_empty()).then(|| *place.get(&rules)) else {
                return table.clone();
            };
            let changed = table.with_targets([(number, vec![Target::new("t", weight)])]).unwrap();
            let new = changed.rule(number).unwrap();
            // A rule of several hosts is one rule until one of the hosts is given others.
            for rule in model.values_mut().flatten() {
                if Arc::ptr_eq(rule, old) {
                    *rule = new.clone();
                }
            }
            changed
        }
    }
}

/// The rules that this model has a request tried with, one after the other.
fn find<'m>(model: &'m Model, mode: HostMode, request: &Request<'_>) -> Option<&'m Arc<Rule>> {
    let mut rules = Vec::new();
    let lists = model.iter().map(|(pattern, list)| {
        let start = u32::try_from(rules.len()).unwrap();
        rules.extend(list);
        (pattern.clone(), (start..start + u32::try_from(list.len()).unwrap()).collect())
    });
    let hosts = VirtualHosts::of_lists(lists.collect::<Vec<_>>(), mode);
    let list = LinearTable::new(rules.iter().copied().cloned().collect(), hosts);
    list.find(request).and_then(|rank| rules.get(rank as usize).copied())
}

fn same(table: &RouteTable, model: &Model, requests: &[Asked]) -> Result<(), TestCaseError> {
    let list = table.linear();
    for asked in requests {
        with_request(asked, |request| {
            let found = table.find(request).and_then(|number| table.rule(number));
            let expected = find(model, table.mode, request);
            prop_assert_eq!(found.map(Arc::as_ptr), expected.map(Arc::as_ptr), "{:?}", asked);
            let listed = list.find(request).and_then(|rank| list.rules().get(rank as usize));
            prop_assert_eq!(listed.map(Arc::as_ptr), expected.map(Arc::as_ptr), "{:?}", asked);
            Ok(())
        })?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_changed_table_answers_as_one_that_is_built_anew(
        rules in prop::collection::vec(rule(), 0..40),
        in_turn: bool,
        changes in prop::collection::vec(change(), 1..9),
        requests in prop::collection::vec(asked(), 10..30),
    ) {
        let mode = if in_turn { HostMode::InTurn } else { HostMode::Best };
        let hosts = VirtualHosts::of(&rules).in_mode(mode);
        let first = RouteTable::new(rules, &hosts, 42).unwrap();
        let (before, mut model) = (model_of(&first), model_of(&first));
        let mut table = first.clone();
        for change in changes {
            table = change_both(&table, &mut model, change);
            same(&table, &model, &requests)?;
        }
        same(&first, &before, &requests)?;
    }
}

fn plain(name: &str, prefix: &str, host: &str) -> Arc<Rule> {
    let hosts = vec![HostPattern::parse(host).unwrap()];
    Rule::named(name).with_path(PathMatch::prefix(prefix)).with_hosts(hosts).checked().unwrap().into()
}

fn name_at(table: &RouteTable, host: &str) -> Option<String> {
    let request = Request { host: host.as_bytes(), ..Request::to(b"/a") };
    table.find(&request).and_then(|number| table.rule(number)).map(|rule| rule.name().to_owned())
}

#[test]
fn the_parts_of_other_hosts_are_shared() {
    let rules = (0..1000).map(|n| plain("r", "/", &format!("h{n}"))).collect();
    let table = RouteTable::from_rules(rules, Precedence::Listed, 42).unwrap();
    let changed =
        table.with_host(&[HostPattern::parse("h7").unwrap()], vec![plain("new", "/", "x")]).unwrap();
    let shards = |table: &RouteTable| {
        let mut shards: Vec<_> = table.served.iter().map(|served| Arc::as_ptr(&served.shard)).collect();
        shards.dedup();
        shards
    };
    let (before, after) = (shards(&table), shards(&changed));
    assert!(before.len() > 3);
    assert_eq!(before.iter().zip(&after).filter(|(before, after)| before != after).count(), 1);
    assert!(Arc::ptr_eq(&table.hosts, &changed.hosts));
    assert_eq!((name_at(&changed, "h7"), name_at(&changed, "h8")), (Some("new".into()), Some("r".into())));
    let retargeted = table.with_targets([(7, vec![Target::new("t", 1)])]).unwrap();
    assert_eq!(before, shards(&retargeted));
}

#[test]
fn hosts_that_come_one_by_one_share_a_part() {
    let mut table = RouteTable::from_rules(vec![plain("r", "/", "h")], Precedence::Listed, 42).unwrap();
    for name in ["a", "b", "c"] {
        table = table.with_host(&[HostPattern::parse(name).unwrap()], vec![plain("new", "/", "x")]).unwrap();
    }
    let shards: BTreeSet<_> = table.served.iter().map(|served| Arc::as_ptr(&served.shard)).collect();
    assert_eq!((table.served.len(), shards.len()), (4, 1));
}

#[test]
fn a_part_that_would_be_too_large_is_left_alone() {
    let rules = (0..USUAL_RULES).map(|n| plain("r", "/", &format!("h{n}"))).collect();
    let table = RouteTable::from_rules(rules, Precedence::Listed, 42).unwrap();
    let host = HostPattern::parse("h7").unwrap();
    let shard_of = |table: &RouteTable, host: &str| {
        let place = table.patterns.binary_search(&HostPattern::parse(host).unwrap()).unwrap();
        table.served.get(place).map(|served| Arc::as_ptr(&served.shard))
    };
    let more = |count| (0..count).map(|_| plain("new", "/", "x")).collect();
    let changed = table.with_host(std::slice::from_ref(&host), more(1)).unwrap();
    assert_eq!(shard_of(&changed, "h7"), shard_of(&changed, "h8"));
    let changed = table.with_host(&[host], more(2)).unwrap();
    assert_ne!(shard_of(&changed, "h7"), shard_of(&changed, "h8"));
    assert_eq!(shard_of(&table, "h8"), shard_of(&changed, "h8"));
}

#[test]
fn numbers_of_rules_that_are_gone_are_given_again() {
    let rules = ["a", "b", "c"].map(|host| plain(host, "/", host)).to_vec();
    let mut table = RouteTable::from_rules(rules, Precedence::Listed, 42).unwrap();
    let host = HostPattern::parse("b").unwrap();
    for round in 0..5 {
        let rules = (0..round % 3).map(|_| plain("new", "/", "b")).collect();
        table = table.with_host(std::slice::from_ref(&host), rules).unwrap();
    }
    let known: Vec<_> = table.rules().map(|(number, rule)| (number, rule.name())).collect();
    assert_eq!(known, [(0, "a"), (1, "new"), (2, "c")]);
    assert_eq!(table.named("new"), [1]);
    assert_eq!(table.with_targets([(3, Vec::new())]).unwrap_err(), UpdateError::NoRule(3));
}

#[test]
fn what_cannot_be_changed_is_refused() {
    let rules = vec![plain("a", "/", "a")];
    let hosts = VirtualHosts::of(&rules).in_mode(HostMode::Together);
    let table = RouteTable::new(rules, &hosts, 42).unwrap();
    let host = HostPattern::parse("a").unwrap();
    assert_eq!(table.without_host(&host).unwrap_err(), UpdateError::Together);
    let refused = table.with_targets([(0, vec![Target::new("t", 0)])]).unwrap_err().to_string();
    assert!(refused.starts_with("rule \"a\": targets: the weights sum to zero"), "{refused}");
}
