//! The answers of a table.

use super::matched::Match;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{PyTraverseError, PyVisit};
use std::collections::BTreeMap;

/// How many answers stand together: about as many as there are chunks in a large table.
const CHUNK: usize = 256;

/// Answers by the numbers of their rules, None where a number has no rule. They stand in tuples, which
/// tables that were made from one another share; a changed one costs one tuple.
pub struct Answers(Vec<Py<PyTuple>>);

impl Answers {
    pub fn new(py: Python<'_>, answers: &[Py<Match>]) -> PyResult<Self> {
        let chunks = answers.chunks(CHUNK).map(|chunk| PyTuple::new(py, chunk).map(Bound::unbind));
        chunks.collect::<PyResult<_>>().map(Self)
    }

    /// The answer that names the rule of this number.
    #[inline]
    pub fn get<'a, 'py>(&'a self, py: Python<'py>, number: u32) -> Option<&'a Bound<'py, Match>> {
        let number = number as usize;
        self.0.get(number / CHUNK)?.bind(py).as_slice().get(number % CHUNK)?.cast().ok()
    }

    /// All answers in the order of their numbers.
    pub fn iter<'a, 'py: 'a>(&'a self, py: Python<'py>) -> impl Iterator<Item = &'a Bound<'py, Match>> {
        let all = self.0.iter().flat_map(move |chunk| chunk.bind(py).as_slice());
        all.filter_map(|answer| answer.cast().ok())
    }

    /// The same with these changed, None where a number has no rule any more.
    pub fn with(&self, py: Python<'_>, changes: BTreeMap<u32, Option<Py<Match>>>) -> PyResult<Self> {
        let mut chunks: Vec<_> = self.0.iter().map(|chunk| chunk.clone_ref(py)).collect();
        let mut changes = changes.into_iter().peekable();
        while let Some((number, _)) = changes.peek() {
            let place = *number as usize / CHUNK;
            let known = chunks.get(place).map_or_else(|| PyTuple::empty(py), |chunk| chunk.bind(py).clone());
            let mut items: Vec<_> = known.as_slice().to_vec();
            while let Some((number, answer)) =
                changes.next_if(|(number, _)| *number as usize / CHUNK == place)
            {
                let at = number as usize % CHUNK;
                if items.len() <= at {
                    items.resize(at + 1, py.None().into_bound(py));
                }
                if let Some(item) = items.get_mut(at) {
                    *item = answer.into_pyobject(py)?;
                }
            }
            let made = PyTuple::new(py, items)?.unbind();
            // Only the last chunk of a table is not full; behind it others may begin.
            if chunks.len() <= place {
                chunks.resize_with(place + 1, || PyTuple::empty(py).unbind());
            }
            if let Some(chunk) = chunks.get_mut(place) {
                *chunk = made;
            }
        }
        Ok(Self(chunks))
    }

    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.iter().try_for_each(|chunk| visit.call(chunk))
    }
}
