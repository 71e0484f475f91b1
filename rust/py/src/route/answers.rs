//! The answers of a table.

use super::matched::Match;
use super::rule::Rule;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// How many rules stand together. To share a rule costs many times what it costs to share a chunk, so
/// that in a large table there are more chunks than rules in one.
const CHUNK: usize = 64;

/// Rules by their numbers, and the answers that name them, each made when it is first given: a rule
/// that nobody asks for costs no object. They stand in chunks, which tables that were made from one
/// another share; a changed one costs one chunk.
pub struct Answers(Vec<Py<Chunk>>);

/// Rules of subsequent numbers. An object of Python's, since several tables may hold it: the garbage
/// collector has to see each reference once.
#[pyclass(frozen, module = "trimtab._core")]
struct Chunk([Place; CHUNK]);

/// What stands under one number: nothing where no rule has it.
#[derive(Default)]
struct Place {
    rule: Option<Py<Rule>>,
    answer: OnceLock<Py<Match>>,
}

impl Place {
    fn of(rule: Option<Py<Rule>>) -> Self {
        Self { rule, answer: OnceLock::new() }
    }

    /// The answer that names the rule, whose number this is.
    #[inline]
    fn answer(&self, py: Python<'_>, number: usize) -> PyResult<Option<&Py<Match>>> {
        self.answer.get().map_or_else(|| self.make(py, number), |answer| Ok(Some(answer)))
    }

    #[cold]
    fn make(&self, py: Python<'_>, number: usize) -> PyResult<Option<&Py<Match>>> {
        let Some(rule) = &self.rule else { return Ok(None) };
        // Whoever is second drops what it made.
        let _ = self.answer.set(Match::new(py, rule.clone_ref(py), u32::try_from(number)?)?);
        Ok(self.answer.get())
    }

    /// The same rule with the same answer.
    fn share(&self, py: Python<'_>, number: usize) -> PyResult<Self> {
        let answer = self.answer(py, number)?.map(|answer| OnceLock::from(answer.clone_ref(py)));
        let rule = self.rule.as_ref().map(|rule| rule.clone_ref(py));
        Ok(Self { rule, answer: answer.unwrap_or_default() })
    }
}

#[pymethods]
impl Chunk {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.iter().try_for_each(|place| {
            visit.call(&place.rule)?;
            place.answer.get().map_or(Ok(()), |answer| visit.call(answer))
        })
    }
}

impl Chunk {
    /// These, and nothing behind them.
    fn new(py: Python<'_>, places: impl IntoIterator<Item = Place>) -> PyResult<Py<Self>> {
        let mut places = places.into_iter();
        Py::new(py, Self(std::array::from_fn(|_| places.next().unwrap_or_default())))
    }
}

impl Answers {
    /// Of rules that have the numbers of their order.
    pub fn new(py: Python<'_>, rules: Vec<Py<Rule>>) -> PyResult<Self> {
        let count = rules.len().div_ceil(CHUNK);
        let mut rules = rules.into_iter();
        let mut place = || rules.next().map(|rule| Place::of(Some(rule)));
        let chunks = (0..count).map(|_| Chunk::new(py, std::iter::from_fn(&mut place).take(CHUNK)));
        chunks.collect::<PyResult<_>>().map(Self)
    }

    #[inline]
    fn place(&self, number: usize) -> Option<&Place> {
        self.0.get(number / CHUNK)?.get().0.get(number % CHUNK)
    }

    /// The answer that names the rule of this number.
    #[inline]
    pub fn get<'py>(&self, py: Python<'py>, number: u32) -> PyResult<Option<&Bound<'py, Match>>> {
        let number = number as usize;
        let Some(place) = self.place(number) else { return Ok(None) };
        Ok(place.answer(py, number)?.map(|answer| answer.bind(py)))
    }

    /// The rule of this number.
    pub fn rule(&self, number: u32) -> Option<&Py<Rule>> {
        self.place(number as usize)?.rule.as_ref()
    }

    /// All rules in the order of their numbers.
    pub fn rules(&self) -> impl Iterator<Item = &Py<Rule>> {
        self.0.iter().flat_map(|chunk| &chunk.get().0).filter_map(|place| place.rule.as_ref())
    }

    /// The same with these rules changed, None where a number has no rule any more.
    pub fn with(&self, py: Python<'_>, changes: BTreeMap<u32, Option<Py<Rule>>>) -> PyResult<Self> {
        let mut chunks: Vec<_> = self.0.iter().map(|chunk| chunk.clone_ref(py)).collect();
        let mut changes = changes.into_iter().peekable();
        while let Some((number, _)) = changes.peek() {
            let which = *number as usize / CHUNK;
            let numbers = which * CHUNK..(which + 1) * CHUNK;
            let mut place_of = |number| match changes.next_if(|(change, _)| *change as usize == number) {
                Some((_, rule)) => Ok(Place::of(rule)),
                None => match self.place(number) {
                    Some(place) => place.share(py, number),
                    None => Ok(Place::default()),
                },
            };
            let places: Vec<_> = numbers.map(&mut place_of).collect::<PyResult<_>>()?;
            let made = Chunk::new(py, places)?;
            while chunks.len() < which {
                chunks.push(Chunk::new(py, [])?);
            }
            match chunks.get_mut(which) {
                Some(chunk) => *chunk = made,
                None => chunks.push(made),
            }
        }
        Ok(Self(chunks))
    }

    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.iter().try_for_each(|chunk| visit.call(chunk))
    }
}
