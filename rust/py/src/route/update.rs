//! Tables made from another one.

use super::rule::{Rule, parse_targets};
use super::table::RouteTable;
use crate::error::rule_error;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString};
use std::collections::BTreeMap;
use trimtab_core::route::{HostPattern, UpdateError};

/// The same table with other targets for the rules of these names.
pub fn with_targets(table: &RouteTable, changes: &Bound<'_, PyMapping>) -> PyResult<RouteTable> {
    let py = changes.py();
    let mut numbered = Vec::new();
    for change in changes.items()? {
        let (name, targets): (String, Vec<(String, i64)>) = change.extract()?;
        let targets = parse_targets(&targets).map_err(|error| rule_error(py, &error.in_rule(&name)))?;
        let numbers = table.compiled().named(&name);
        if numbers.is_empty() {
            return Err(PyValueError::new_err(format!("the table has no rule {name:?}")));
        }
        numbered.extend(numbers.iter().map(|number| (*number, targets.clone())));
    }
    let numbers: Vec<u32> = numbered.iter().map(|(number, _)| *number).collect();
    let compiled = table.compiled().with_targets(numbered).map_err(|error| refused(py, &error))?;
    let mut rules = BTreeMap::new();
    for number in numbers {
        let (Some(known), Some(rule)) = (table.rule_object(number), compiled.rule(number)) else { continue };
        rules.insert(number, Some(Py::new(py, known.get().with_inner(py, rule.clone()))?));
    }
    table.changed(py, compiled, rules)
}

/// The same table with these rules for these hosts.
pub fn with_host(
    table: &RouteTable,
    hosts: &Bound<'_, PyAny>,
    rules: &Bound<'_, PyAny>,
) -> PyResult<RouteTable> {
    let py = hosts.py();
    let patterns = patterns_of(hosts)?;
    let rules = table.in_order(rules)?;
    let inner = rules.iter().map(|rule| rule.get().inner.clone()).collect();
    let compiled = table.compiled().with_host(&patterns, inner).map_err(|error| refused(py, &error))?;
    let mut changed = gone(table, &compiled, &patterns);
    let numbers = patterns.first().map(|pattern| compiled.served_by(pattern)).unwrap_or_default();
    changed.extend(numbers.into_iter().zip(rules.into_iter().map(Some)));
    table.changed(py, compiled, changed)
}

/// The same table without these hosts.
pub fn without_host(table: &RouteTable, hosts: &Bound<'_, PyAny>) -> PyResult<RouteTable> {
    let py = hosts.py();
    let patterns = patterns_of(hosts)?;
    let mut compiled = table.compiled().clone();
    for pattern in &patterns {
        compiled = compiled.without_host(pattern).map_err(|error| refused(py, &error))?;
    }
    let rules = gone(table, &compiled, &patterns);
    table.changed(py, compiled, rules)
}

/// The numbers of these hosts that have no rule any more.
fn gone(
    table: &RouteTable,
    compiled: &trimtab_core::route::RouteTable,
    patterns: &[HostPattern],
) -> BTreeMap<u32, Option<Py<Rule>>> {
    let before = patterns.iter().flat_map(|pattern| table.compiled().served_by(pattern));
    before.filter(|number| compiled.rule(*number).is_none()).map(|number| (number, None)).collect()
}

/// One host, or several.
fn patterns_of(hosts: &Bound<'_, PyAny>) -> PyResult<Vec<HostPattern>> {
    let named: Vec<String> =
        if hosts.is_instance_of::<PyString>() { vec![hosts.extract()?] } else { hosts.extract()? };
    if named.is_empty() {
        return Err(PyValueError::new_err("hosts: name at least one"));
    }
    let parsed = named.iter().map(|host| HostPattern::parse(host));
    parsed.collect::<Result<_, _>>().map_err(|error| rule_error(hosts.py(), &error))
}

fn refused(py: Python<'_>, error: &UpdateError) -> PyErr {
    match error {
        UpdateError::Rule(error) => rule_error(py, error),
        other => PyValueError::new_err(other.to_string()),
    }
}
