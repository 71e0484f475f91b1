//! Picks one after the other.

use super::Choice;
use crate::chance::Turns;
use crate::error::rule_error;
use crate::route::{Rule, parse_targets};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use std::sync::{Mutex, PoisonError};
use trimtab_core::pick::{RoundRobin, Weights};
use trimtab_core::route::RuleError;

/// A sequence of picks from weighted targets, pairs of name and weight.
///
/// `mode` is "random", each pick by chance; "smooth", in which every target has its share at any
/// time, to within a few picks; or "swrr", nginx's smooth weighted round robin, whose cost grows
/// with the number of targets. The same `seed` gives the same sequence ("swrr" has only one);
/// without one it is drawn anew, in forked processes too. Threads may share a picker: each pick of
/// the sequence is given once. A weight of zero is never picked. Raises RuleError for weights that
/// sum to zero or to more than 2**32 - 1.
///
/// >>> Picker([("v1", 3), ("v2", 1)], "swrr").pick_many(8)
/// ['v1', 'v1', 'v2', 'v1', 'v1', 'v1', 'v2', 'v1']
#[pyclass(frozen, module = "trimtab._core")]
pub struct Picker {
    rule: Py<Rule>,
    sequence: Sequence,
}

enum Sequence {
    Random(Turns),
    Smooth(Turns),
    RoundRobin(Mutex<RoundRobin>),
}

impl Sequence {
    fn new(py: Python<'_>, weights: &Weights, mode: &str, seed: Option<u64>) -> PyResult<Self> {
        match (mode, seed) {
            ("random", _) => Turns::new(py, seed).map(Self::Random),
            ("smooth", _) => Turns::new(py, seed).map(Self::Smooth),
            ("swrr", None) => Ok(Self::RoundRobin(Mutex::new(RoundRobin::new(weights)))),
            ("swrr", Some(_)) => Err(PyValueError::new_err("seed: mode 'swrr' has only one sequence")),
            _ => {
                let message = format!("mode must be 'random', 'smooth' or 'swrr', not {mode:?}");
                Err(PyValueError::new_err(message))
            }
        }
    }

    /// The places of the next `count` targets.
    fn each(
        &self,
        weights: &Weights,
        count: u64,
        mut give: impl FnMut(usize) -> PyResult<()>,
    ) -> PyResult<()> {
        match self {
            Self::Random(turns) | Self::Smooth(turns) => {
                let (seed, first) = (turns.seed(), turns.take(count));
                let smooth = matches!(self, Self::Smooth(_));
                (0..count).map(|turn| first.wrapping_add(turn)).try_for_each(|turn| {
                    give(if smooth { weights.smooth(seed, turn) } else { weights.random(seed, turn) })
                })
            }
            Self::RoundRobin(turns) => {
                // Nothing of Python's is called while the lock is held: `give` only keeps.
                let mut turns = turns.lock().unwrap_or_else(PoisonError::into_inner);
                (0..count).try_for_each(|_| give(turns.next_pick()))
            }
        }
    }
}

#[pymethods]
impl Picker {
    #[new]
    #[pyo3(signature = (targets, mode="random", *, seed=None))]
    fn new(py: Python<'_>, targets: Vec<(String, i64)>, mode: &str, seed: Option<u64>) -> PyResult<Self> {
        let rule = parse_targets(&targets)
            .and_then(Rule::of_targets)
            .map_err(|error| rule_error(py, &RuleError { rule: String::new(), ..error }))?;
        Self::of(py, Py::new(py, rule)?, mode, seed)
    }

    /// The name of the next target.
    fn pick<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let choice = self.choice(py)?;
        let mut picked = 0;
        self.sequence.each(choice.weights(), 1, |place| {
            picked = place;
            Ok(())
        })?;
        choice.name(picked)
    }

    /// The names of the next `count` targets.
    fn pick_many<'py>(&self, py: Python<'py>, count: u32) -> PyResult<Bound<'py, PyList>> {
        let choice = self.choice(py)?;
        let names: Vec<_> =
            (0..choice.weights().len()).map(|place| choice.name(place)).collect::<PyResult<_>>()?;
        let mut picked = Vec::with_capacity(count as usize);
        self.sequence.each(choice.weights(), count.into(), |place| {
            picked.push(place);
            Ok(())
        })?;
        PyList::new(py, picked.into_iter().map(|place| names.get(place)))
    }

    /// Pairs of name and weight.
    #[getter]
    fn targets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.rule.get().targets(py)
    }

    /// "random", "smooth" or "swrr".
    #[getter]
    fn mode(&self) -> &'static str {
        match self.sequence {
            Sequence::Random(_) => "random",
            Sequence::Smooth(_) => "smooth",
            Sequence::RoundRobin(_) => "swrr",
        }
    }

    /// What the sequence depends on: given again, it gives the same one.
    #[getter]
    fn seed(&self) -> Option<u64> {
        match &self.sequence {
            Sequence::Random(turns) | Sequence::Smooth(turns) => Some(turns.seed()),
            Sequence::RoundRobin(_) => None,
        }
    }

    fn __repr__(&self) -> String {
        let targets = self.rule.get().inner.targets().len();
        format!("Picker({targets} targets, '{}')", self.mode())
    }
}

impl Picker {
    /// A sequence of picks from the targets of a rule.
    pub fn of(py: Python<'_>, rule: Py<Rule>, mode: &str, seed: Option<u64>) -> PyResult<Self> {
        let sequence = Sequence::new(py, Choice::of(py, rule.get())?.weights(), mode, seed)?;
        Ok(Self { rule, sequence })
    }

    fn choice<'py>(&self, py: Python<'py>) -> PyResult<Choice<'_, 'py>> {
        Choice::of(py, self.rule.get())
    }
}
