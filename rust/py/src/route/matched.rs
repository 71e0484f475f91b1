//! Answers: a rule of a table, and perhaps a target.

use super::answers::Rules;
use super::rule::Rule;
use crate::pick::{Choice, Picker};
use pyo3::exceptions::PySystemError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use trimtab_core::route::Target;

/// What an answer names: the number of a rule, and in the upper half the place of a target from 1, zero
/// where none was picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names(u64);

impl Names {
    /// The rule of this number.
    #[inline]
    pub fn rule(number: u32) -> Self {
        Self(u64::from(number))
    }

    /// The same with the target at `place` picked.
    #[inline]
    pub fn picked(self, place: usize) -> Self {
        Self(self.0 | (place as u64 + 1) << 32)
    }

    /// A number by which it is kept: subsequent ones for rules of subsequent numbers, and for the targets of
    /// one rule numbers that are far apart.
    #[expect(clippy::cast_possible_truncation, reason = "any of its bits will do")]
    #[inline]
    pub fn spread(self) -> usize {
        let targets = (self.0 >> 32).wrapping_mul(0x9E37_79B9) >> 20;
        (self.0 ^ targets) as usize
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half is taken")]
    fn number(self) -> u32 {
        self.0 as u32
    }

    fn target(self) -> Option<usize> {
        usize::try_from(self.0 >> 32).ok()?.checked_sub(1)
    }
}

/// The rule that gets a request. Two that name the same rule at the same rank, and the same target if one was
/// picked, are equal.
///
/// >>> match = RouteTable([Rule("cart", targets=[("v1", 9), ("v2", 1)])]).match("/")
/// >>> match.pick(9), match.sticky("user-1"), match.split(1000)
/// ('v2', 'v1', (('v1', 900), ('v2', 100)))
#[pyclass(frozen, module = "trimtab._core")]
pub struct Match {
    rules: Py<Rules>,
    /// Changed only while nobody has it.
    names: AtomicU64,
}

#[pymethods]
impl Match {
    /// The name of the rule.
    #[getter]
    fn route(&self) -> PyResult<&str> {
        Ok(self.rule()?.get().name())
    }

    /// The rule itself.
    #[getter]
    #[pyo3(name = "rule")]
    fn rule_object(&self, py: Python<'_>) -> PyResult<Py<Rule>> {
        Ok(self.rule()?.clone_ref(py))
    }

    /// Pairs of name and weight.
    #[getter]
    fn targets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.rule()?.get().targets(py)
    }

    /// What the rule was given as `data`.
    #[getter]
    fn data(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        Ok(self.rule()?.get().data(py))
    }

    /// The name of the target that was picked, where the match comes from `RouteTable.route`.
    #[getter]
    fn target(&self) -> PyResult<Option<&str>> {
        let targets = self.rule()?.get().inner.targets();
        Ok(self.names().target().and_then(|place| targets.get(place)).map(Target::name))
    }

    /// The name of the target that Envoy picks when it has drawn `value` (0 to 2**64 - 1).
    ///
    /// Raises ValueError when the rule has no targets.
    fn pick<'py>(&self, py: Python<'py>, value: u64) -> PyResult<Bound<'py, PyString>> {
        let choice = Choice::of(py, self.rule()?.get())?;
        choice.name(choice.weights().pick(value))
    }

    /// The name of the target that `key`, str or bytes, always gets: by weighted rendezvous, so that
    /// a changed weight moves only the keys that it must. The same in every process and version.
    ///
    /// Raises ValueError when the rule has no targets.
    fn sticky<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
        Choice::of(py, self.rule()?.get())?.sticky(key)
    }

    /// Pairs of name and number: `picks` shared out by weight, what is left over to the largest
    /// remainders, the earlier first.
    ///
    /// Raises ValueError when the rule has no targets.
    fn split<'py>(&self, py: Python<'py>, picks: u64) -> PyResult<Bound<'py, PyTuple>> {
        Choice::of(py, self.rule()?.get())?.split(picks)
    }

    /// A sequence of picks from these targets, as `Picker` makes it.
    ///
    /// Raises ValueError when the rule has no targets.
    #[pyo3(signature = (mode="random", *, seed=None))]
    fn picker(&self, py: Python<'_>, mode: &str, seed: Option<u64>) -> PyResult<Picker> {
        Picker::of(py, self.rule()?.clone_ref(py), mode, seed)
    }

    /// The place of the rule in its table, 0 for the one that is tried first.
    #[getter]
    fn rank(&self) -> u32 {
        self.names().number()
    }

    fn __repr__(&self) -> PyResult<String> {
        let (route, rank) = (self.route()?, self.rank());
        Ok(match self.target()? {
            None => format!("Match('{route}', rank={rank})"),
            Some(target) => format!("Match('{route}', rank={rank}, target='{target}')"),
        })
    }

    fn __eq__(&self, other: &Self) -> PyResult<bool> {
        Ok(self.names() == other.names() && self.rule()?.is(other.rule()?))
    }

    fn __hash__(&self) -> PyResult<u64> {
        Ok(self.rule()?.as_ptr() as u64 ^ self.names().0)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.rules)
    }
}

impl Match {
    pub fn new(py: Python<'_>, rules: Py<Rules>, names: Names) -> PyResult<Bound<'_, Self>> {
        Bound::new(py, Self { rules, names: AtomicU64::new(names.0) })
    }

    #[inline]
    pub fn names(&self) -> Names {
        Names(self.names.load(Relaxed))
    }

    /// To be called only while nobody has this answer.
    #[inline]
    pub fn rename(&self, names: Names) {
        self.names.store(names.0, Relaxed);
    }

    fn rule(&self) -> PyResult<&Py<Rule>> {
        let rule = self.rules.get().rule(self.names().number());
        rule.ok_or_else(|| PySystemError::new_err("the table has no such rule"))
    }
}
