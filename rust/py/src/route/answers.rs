//! The answers of a table.

use super::matched::{Match, Names};
use super::rule::Rule;
use super::short::Late;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use std::collections::BTreeMap;
use trimtab_core::likely::likely;

/// How many rules stand together. To share a rule costs many times what it costs to share a chunk, so
/// that in a large table there are more chunks than rules in one.
const CHUNK: usize = 64;

/// So many answers of a table are kept to be given again.
const KEPT: usize = 1024;

/// The rules of a table by their numbers, in chunks, which tables that were made from one another share; a
/// changed one costs one chunk. One object, which each answer has: so to make an answer name another
/// rule is to write a number.
#[pyclass(frozen, module = "trimtab._core")]
pub struct Rules(Vec<Py<Chunk>>);

/// Rules of subsequent numbers, none where no rule has the number. An object of Python's, since several
/// tables may hold it: the garbage collector has to see each reference once.
#[pyclass(frozen, module = "trimtab._core")]
struct Chunk([Option<Py<Rule>>; CHUNK]);

/// The answers of a table, of which some that were given are kept. One that names what is asked for again is
/// given again; else one that nobody has any more is made to name it. So there are no more objects than
/// answers in use and a few: one for each rule would have to be fetched from afar where rules are asked
/// for at random, and be gone through by the garbage collector.
pub struct Answers {
    rules: Py<Rules>,
    kept: Box<[Late<Match>; KEPT]>,
}

#[pymethods]
impl Chunk {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.iter().try_for_each(|rule| visit.call(rule))
    }
}

#[pymethods]
impl Rules {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.iter().try_for_each(|chunk| visit.call(chunk))
    }
}

impl Chunk {
    /// These rules, and nothing behind them.
    fn of(py: Python<'_>, rules: impl IntoIterator<Item = Option<Py<Rule>>>) -> PyResult<Py<Self>> {
        let mut rules = rules.into_iter();
        Py::new(py, Self(std::array::from_fn(|_| rules.next().flatten())))
    }
}

impl Rules {
    /// The rule of this number.
    #[inline]
    pub fn rule(&self, number: u32) -> Option<&Py<Rule>> {
        let number = number as usize;
        self.0.get(number / CHUNK)?.get().0.get(number % CHUNK)?.as_ref()
    }

    /// All rules in the order of their numbers.
    pub fn all(&self) -> impl Iterator<Item = &Py<Rule>> {
        self.0.iter().flat_map(|chunk| &chunk.get().0).filter_map(Option::as_ref)
    }

    /// The same with these rules changed, None where a number has no rule any more.
    fn with(&self, py: Python<'_>, mut changes: BTreeMap<u32, Option<Py<Rule>>>) -> PyResult<Self> {
        let mut chunks: Vec<_> = self.0.iter().map(|chunk| chunk.clone_ref(py)).collect();
        while let Some((number, _)) = changes.first_key_value() {
            let which = *number as usize / CHUNK;
            let made = self.changed(py, which, &mut changes)?;
            while chunks.len() < which {
                chunks.push(Chunk::of(py, [])?);
            }
            match chunks.get_mut(which) {
                Some(chunk) => *chunk = made,
                None => chunks.push(made),
            }
        }
        Ok(Self(chunks))
    }

    /// A chunk with the changes that it has, which are taken out.
    fn changed(
        &self,
        py: Python<'_>,
        which: usize,
        changes: &mut BTreeMap<u32, Option<Py<Rule>>>,
    ) -> PyResult<Py<Chunk>> {
        let rules = (which * CHUNK..(which + 1) * CHUNK).map(|number| {
            let number = u32::try_from(number).ok()?;
            changes.remove(&number).unwrap_or_else(|| self.rule(number).map(|rule| rule.clone_ref(py)))
        });
        Chunk::of(py, rules)
    }
}

impl Answers {
    /// Of rules that have the numbers of their order.
    pub fn new(py: Python<'_>, rules: Vec<Py<Rule>>) -> PyResult<Self> {
        let count = rules.len().div_ceil(CHUNK);
        let mut rules = rules.into_iter().map(Some);
        let chunks = (0..count).map(|_| Chunk::of(py, rules.by_ref().take(CHUNK)));
        Self::of(py, Rules(chunks.collect::<PyResult<_>>()?))
    }

    fn of(py: Python<'_>, rules: Rules) -> PyResult<Self> {
        Ok(Self { rules: Py::new(py, rules)?, kept: Box::new(std::array::from_fn(|_| Late::default())) })
    }

    /// Those of the same rules, but for these changes, None where a number has no rule any more.
    pub fn with(&self, py: Python<'_>, changes: BTreeMap<u32, Option<Py<Rule>>>) -> PyResult<Self> {
        Self::of(py, self.rules().with(py, changes)?)
    }

    #[inline]
    pub fn rules(&self) -> &Rules {
        self.rules.get()
    }

    /// The answer that names the rule of a number, and perhaps a target.
    #[inline]
    pub fn get<'py>(&self, py: Python<'py>, names: Names) -> PyResult<Bound<'py, Match>> {
        if let Some(kept) = self.kept.get(names.spread() % KEPT).and_then(Late::get)
            && likely(kept.get().names() == names)
        {
            return Ok(kept.bind(py).clone());
        }
        self.anew(py, names)
    }

    /// The same where the one that is kept at its place names something else.
    #[inline(never)]
    fn anew<'py>(&self, py: Python<'py>, names: Names) -> PyResult<Bound<'py, Match>> {
        let first = names.spread() % KEPT;
        // A neighbour is asked where the first one is in use, as when many answers are given at once.
        for place in [first, first ^ 1].into_iter().filter_map(|place| self.kept.get(place)) {
            let Some(kept) = place.get() else {
                let made = self.made(py, names)?;
                place.set(made.clone().unbind());
                return Ok(made);
            };
            if place.is_alone(py) {
                kept.get().rename(names);
            }
            if kept.get().names() == names {
                return Ok(kept.bind(py).clone());
            }
        }
        self.made(py, names)
    }

    fn made<'py>(&self, py: Python<'py>, names: Names) -> PyResult<Bound<'py, Match>> {
        Match::new(py, self.rules.clone_ref(py), names)
    }

    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.rules)?;
        self.kept.iter().filter_map(Late::get).try_for_each(|answer| visit.call(answer))
    }
}
