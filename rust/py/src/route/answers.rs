//! The answers of a table.

use super::matched::Match;
use super::rule::Rule;
use super::short::Late;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use std::collections::BTreeMap;
use std::hint::cold_path;

/// How many rules stand together. To share a rule costs many times what it costs to share a chunk, so
/// that in a large table there are more chunks than rules in one.
const CHUNK: usize = 64;

/// Rules by their numbers, and the answers that name them, each made when it is first given: a rule
/// that nobody asks for costs no object. They stand in chunks, which tables that were made from one
/// another share; a changed one costs one chunk.
pub struct Answers(Vec<Py<Chunk>>);

/// Rules of subsequent numbers, none where no rule has the number. An object of Python's, since several
/// tables may hold it: the garbage collector has to see each reference once.
#[pyclass(frozen, module = "trimtab._core")]
struct Chunk {
    answers: [Late<Match>; CHUNK],
    rules: [Option<Py<Rule>>; CHUNK],
}

#[pymethods]
impl Chunk {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.rules.iter().try_for_each(|rule| visit.call(rule))?;
        self.answers.iter().filter_map(Late::get).try_for_each(|answer| visit.call(answer))
    }
}

impl Chunk {
    /// These rules, and nothing behind them.
    fn of(py: Python<'_>, rules: impl IntoIterator<Item = Option<Py<Rule>>>) -> PyResult<Py<Self>> {
        let mut rules = rules.into_iter();
        let rules = std::array::from_fn(|_| rules.next().flatten());
        Py::new(py, Self { answers: std::array::from_fn(|_| Late::default()), rules })
    }

    /// The answer that names the rule of this number.
    #[inline]
    fn answer(&self, py: Python<'_>, number: usize) -> PyResult<Option<&Py<Match>>> {
        let Some(answer) = self.answers.get(number % CHUNK) else { return Ok(None) };
        if let Some(answer) = answer.get() { Ok(Some(answer)) } else { self.make(py, number, answer) }
    }

    #[cold]
    fn make<'a>(
        &self,
        py: Python<'_>,
        number: usize,
        answer: &'a Late<Match>,
    ) -> PyResult<Option<&'a Py<Match>>> {
        let Some(rule) = self.rule(number) else { return Ok(None) };
        // Whoever is second drops what it made.
        answer.set(Match::new(py, rule.clone_ref(py), u32::try_from(number)?)?);
        Ok(answer.get())
    }

    fn rule(&self, number: usize) -> Option<&Py<Rule>> {
        self.rules.get(number % CHUNK)?.as_ref()
    }
}

impl Answers {
    /// Of rules that have the numbers of their order.
    pub fn new(py: Python<'_>, rules: Vec<Py<Rule>>) -> PyResult<Self> {
        let count = rules.len().div_ceil(CHUNK);
        let mut rules = rules.into_iter().map(Some);
        let chunks = (0..count).map(|_| Chunk::of(py, rules.by_ref().take(CHUNK)));
        chunks.collect::<PyResult<_>>().map(Self)
    }

    #[inline]
    fn chunk(&self, number: usize) -> Option<&Chunk> {
        self.0.get(number / CHUNK).map(Py::get)
    }

    /// The answer that names the rule of this number.
    #[inline]
    pub fn get<'py>(&self, py: Python<'py>, number: u32) -> PyResult<Option<&Bound<'py, Match>>> {
        let number = number as usize;
        let Some(chunk) = self.chunk(number) else {
            cold_path();
            return Ok(None);
        };
        Ok(chunk.answer(py, number)?.map(|answer| answer.bind(py)))
    }

    /// The rule of this number.
    pub fn rule(&self, number: u32) -> Option<&Py<Rule>> {
        self.chunk(number as usize)?.rule(number as usize)
    }

    /// All rules in the order of their numbers.
    pub fn rules(&self) -> impl Iterator<Item = &Py<Rule>> {
        self.0.iter().flat_map(|chunk| &chunk.get().rules).filter_map(Option::as_ref)
    }

    /// The same with these rules changed, None where a number has no rule any more.
    pub fn with(&self, py: Python<'_>, mut changes: BTreeMap<u32, Option<Py<Rule>>>) -> PyResult<Self> {
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
        let (mut rules, mut same) = (Vec::with_capacity(CHUNK), Vec::new());
        for number in which * CHUNK..(which + 1) * CHUNK {
            let known = self.chunk(number);
            rules.push(if let Some(changed) = changes.remove(&u32::try_from(number)?) {
                changed
            } else {
                // A rule that stays has the same answer in both tables.
                let answer = known.map_or(Ok(None), |chunk| chunk.answer(py, number))?;
                same.extend(answer.map(|answer| (number % CHUNK, answer.clone_ref(py))));
                known.and_then(|chunk| chunk.rule(number)).map(|rule| rule.clone_ref(py))
            });
        }
        let chunk = Chunk::of(py, rules)?;
        for (at, answer) in same {
            if let Some(place) = chunk.get().answers.get(at) {
                place.set(answer);
            }
        }
        Ok(chunk)
    }

    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.iter().try_for_each(|chunk| visit.call(chunk))
    }
}
