//! Answers: made once, given as often as they are asked for.

use super::rule::Rule;
use crate::pick::{Choice, Picker};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use std::num::NonZeroU32;
use std::sync::OnceLock;
use trimtab_core::pick::Weights;
use trimtab_core::route::Target;

/// The rule that gets a request.
///
/// >>> match = RouteTable([Rule("cart", targets=[("v1", 9), ("v2", 1)])]).match("/")
/// >>> match.pick(9), match.sticky("user-1"), match.split(1000)
/// ('v2', 'v1', (('v1', 900), ('v2', 100)))
#[pyclass(frozen, module = "trimtab._core")]
pub struct Match {
    rule: Py<Rule>,
    /// The place of the rule in its table, 0 for the one that is tried first.
    #[pyo3(get)]
    rank: u32,
    /// The place of the picked target from 1, where one was picked.
    picked: Option<NonZeroU32>,
    /// The same answer with each of the targets picked.
    picks: OnceLock<Box<Picks>>,
}

/// What a pick needs, together: a pick is a matter of few reads.
pub struct Picks {
    weights: Weights,
    answers: Box<[Py<Match>]>,
}

impl Picks {
    /// The answer with the target that `pick` picks.
    #[inline]
    pub fn pick<'py>(
        &self,
        py: Python<'py>,
        pick: impl FnOnce(&Weights) -> usize,
    ) -> Option<&Bound<'py, Match>> {
        self.answers.get(pick(&self.weights)).map(|answer| answer.bind(py))
    }
}

#[pymethods]
impl Match {
    /// The name of the rule.
    #[getter]
    fn route(&self) -> &str {
        self.rule.get().name()
    }

    /// The rule itself.
    #[getter]
    fn rule(&self, py: Python<'_>) -> Py<Rule> {
        self.rule.clone_ref(py)
    }

    /// Pairs of name and weight.
    #[getter]
    fn targets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.rule.get().targets(py)
    }

    /// What the rule was given as `data`.
    #[getter]
    fn data(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.rule.get().data(py)
    }

    /// The name of the target that was picked, where the match comes from `RouteTable.route`.
    #[getter]
    fn target(&self) -> Option<&str> {
        let targets = self.rule.get().inner.targets();
        self.place().and_then(|place| targets.get(place)).map(Target::name)
    }

    /// The name of the target that Envoy picks when it has drawn `value` (0 to 2**64 - 1).
    ///
    /// Raises ValueError when the rule has no targets.
    fn pick<'py>(&self, py: Python<'py>, value: u64) -> PyResult<Bound<'py, PyString>> {
        let choice = Choice::of(py, self.rule.get())?;
        choice.name(choice.weights().pick(value))
    }

    /// The name of the target that `key`, str or bytes, always gets: by weighted rendezvous, so that
    /// a changed weight moves only the keys that it must. The same in every process and version.
    ///
    /// Raises ValueError when the rule has no targets.
    fn sticky<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
        Choice::of(py, self.rule.get())?.sticky(key)
    }

    /// Pairs of name and number: `picks` shared out by weight, what is left over to the largest
    /// remainders, the earlier first.
    ///
    /// Raises ValueError when the rule has no targets.
    fn split<'py>(&self, py: Python<'py>, picks: u64) -> PyResult<Bound<'py, PyTuple>> {
        Choice::of(py, self.rule.get())?.split(picks)
    }

    /// A sequence of picks from these targets, as `Picker` makes it.
    ///
    /// Raises ValueError when the rule has no targets.
    #[pyo3(signature = (mode="random", *, seed=None))]
    fn picker(&self, py: Python<'_>, mode: &str, seed: Option<u64>) -> PyResult<Picker> {
        Picker::of(py, self.rule.clone_ref(py), mode, seed)
    }

    fn __repr__(&self) -> String {
        match self.target() {
            None => format!("Match('{}', rank={})", self.route(), self.rank),
            Some(target) => format!("Match('{}', rank={}, target='{target}')", self.route(), self.rank),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.rule)?;
        self.picks.get().map_or(Ok(()), |picks| picks.answers.iter().try_for_each(|pick| visit.call(pick)))
    }
}

impl Match {
    pub fn new(py: Python<'_>, rule: Py<Rule>, rank: u32) -> PyResult<Py<Self>> {
        Self::with(py, rule, rank, None)
    }

    fn with(py: Python<'_>, rule: Py<Rule>, rank: u32, picked: Option<NonZeroU32>) -> PyResult<Py<Self>> {
        Py::new(py, Self { rule, rank, picked, picks: OnceLock::new() })
    }

    /// The same answer with each of the targets picked; None when the rule has no targets.
    #[inline]
    pub fn picks(&self, py: Python<'_>) -> PyResult<Option<&Picks>> {
        self.picks.get().map_or_else(|| self.make_picks(py), |picks| Ok(Some(picks)))
    }

    #[cold]
    fn make_picks(&self, py: Python<'_>) -> PyResult<Option<&Picks>> {
        let rule = &self.rule.get().inner;
        let Some(weights) = rule.weights().cloned() else { return Ok(None) };
        let places = 1..=u32::try_from(rule.targets().len())?;
        let each =
            places.map(|place| Self::with(py, self.rule.clone_ref(py), self.rank, NonZeroU32::new(place)));
        let made = Box::new(Picks { weights, answers: each.collect::<PyResult<_>>()? });
        // Whoever is second drops what it made.
        let _ = self.picks.set(made);
        Ok(self.picks.get().map(AsRef::as_ref))
    }

    fn place(&self) -> Option<usize> {
        self.picked.and_then(|place| usize::try_from(place.get() - 1).ok())
    }
}
