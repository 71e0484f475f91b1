//! What must hold whatever the bytes are.

use super::rules::REGEX_PIECES;
use super::{Asked, Bytes, Table, asked, table};
use regex::bytes::RegexBuilder;
use std::slice;
use std::sync::Arc;
use trimtab_core::route::{
    HostMode, HostPattern, LinearTable, Pattern, RouteTable, VirtualHosts, translate_re2,
};

/// A table and its model.
type Both = (RouteTable, LinearTable);

/// Builds the table and its model. `None` where the table is refused, which its model never is.
#[must_use]
pub fn build(table: Table) -> Option<Both> {
    let Table { mut rules, order, mode } = table;
    order.sort(&mut rules);
    let hosts = VirtualHosts::of(&rules).in_mode(mode);
    let fast = RouteTable::new(rules.clone(), &hosts, 42).ok()?;
    Some((fast, LinearTable::new(rules, hosts)))
}

/// The answers of a table and of its model, where they differ.
#[must_use]
pub fn compare((table, model): &Both, asked: &Asked) -> Option<[Option<u32>; 2]> {
    let answers = asked.with(|request| [table.find(request), model.find(request)]);
    let [found, expected] = answers;
    (found != expected).then_some(answers)
}

/// A table answers as its model does, before and after a host of it was given its rules anew.
///
/// # Panics
/// When it does not.
#[expect(clippy::panic, reason = "that is how a fuzzer is told")]
pub fn check_table(data: &[u8]) {
    let (of_table, of_requests) = data.split_at(data.len() * 3 / 4);
    let Some(both) = build(table(&mut Bytes::new(of_table), 300)) else { return };
    let changed = change(&both.0);
    let mut bytes = Bytes::new(of_requests);
    while !bytes.is_empty() {
        let asked = asked(&mut bytes);
        if let Some([found, expected]) = compare(&both, &asked) {
            panic!("{asked:?}: found {found:?}, expected {expected:?}\n{:#?}", both.1.rules());
        }
        if let Some(changed) = &changed {
            let answers = [&both.0, changed]
                .map(|table| asked.with(|request| table.find(request)).and_then(|number| table.rule(number)));
            let [before, after] = answers.map(|rule| rule.map(Arc::as_ptr));
            assert!(before == after, "{asked:?}: {answers:?} after a change that changes nothing");
        }
    }
}

/// The same table, after the rules of one host have been replaced with themselves.
fn change(table: &RouteTable) -> Option<RouteTable> {
    let hosts = table.hosts().map(|(pattern, numbers)| {
        let rules = numbers.filter_map(|number| table.rule(number)).cloned().collect::<Vec<_>>();
        (pattern.clone(), rules)
    });
    let (pattern, rules): (HostPattern, _) = hosts.last()?;
    if table.mode() == HostMode::Together {
        return None;
    }
    table.with_host(slice::from_ref(&pattern), rules).ok()
}

/// A regex is refused, or it matches what its translation matches.
///
/// # Panics
/// When it does not.
#[expect(clippy::panic, reason = "that is how a fuzzer is told")]
pub fn check_regex(data: &[u8]) {
    let (of_pattern, of_texts) = data.split_at(data.len() / 2);
    let source = match of_pattern.split_first() {
        // Half of them are what the bytes say, half are made of pieces.
        Some((first, rest)) if first % 2 == 0 => String::from_utf8_lossy(rest).into_owned(),
        _ => Bytes::new(of_pattern).text(REGEX_PIECES, 12),
    };
    let Ok(pattern) = Pattern::new(&source) else { return };
    let translated = translate_re2(&source).unwrap_or_else(|refusal| panic!("{source:?}: {refusal}"));
    let engine = RegexBuilder::new(&format!(r"\A(?:{translated})\z")).unicode(false).nest_limit(300).build();
    let Ok(engine) = engine else { return };
    for text in of_texts.split(|byte| *byte == 0xFF).take(20) {
        let answers = [pattern.is_full_match(text), engine.is_match(text)];
        assert!(answers[0] == answers[1], "{source:?} {text:?}: {answers:?}");
    }
}
