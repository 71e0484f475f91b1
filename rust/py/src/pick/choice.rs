//! The targets of a rule, to be picked from.

use crate::route::{Rule, text};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use trimtab_core::pick::{Weights, sticky};

/// The targets of a rule that has some: checked weights, and the names as Python has them.
pub struct Choice<'a, 'py> {
    rule: &'a Rule,
    weights: &'a Weights,
    targets: Bound<'py, PyTuple>,
}

impl<'a, 'py> Choice<'a, 'py> {
    /// Raises ValueError when the rule has no targets.
    pub fn of(py: Python<'py>, rule: &'a Rule) -> PyResult<Self> {
        let weights = rule
            .inner
            .weights()
            .ok_or_else(|| PyValueError::new_err(format!("rule {:?} has no targets", rule.inner.name())))?;
        Ok(Self { rule, weights, targets: rule.targets(py)? })
    }

    pub fn weights(&self) -> &'a Weights {
        self.weights
    }

    /// The name of a target by its place.
    pub fn name(&self, place: usize) -> PyResult<Bound<'py, PyString>> {
        let target = self.targets.get_borrowed_item(place)?;
        Ok(target.cast::<PyTuple>()?.get_item(0)?.cast_into()?)
    }

    /// The name of the target that `key` sticks to.
    pub fn sticky(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
        let key = text(key, "key")?;
        let targets = self.rule.inner.targets().iter().map(|target| (target.name(), target.weight()));
        self.name(sticky(targets, &key).unwrap_or(0))
    }

    /// Names with their parts of `picks`.
    pub fn split(&self, picks: u64) -> PyResult<Bound<'py, PyTuple>> {
        let parts = self.weights.split(picks).into_iter().enumerate();
        let pairs: Vec<_> =
            parts.map(|(place, part)| Ok((self.name(place)?, part))).collect::<PyResult<_>>()?;
        PyTuple::new(self.targets.py(), pairs)
    }
}
