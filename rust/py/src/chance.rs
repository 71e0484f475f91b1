//! Numbers that nobody gave: the core has none, whoever calls it brings them.

use pyo3::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use trimtab_core::pick::Weights;

/// Differs in every process that was forked from this one.
static PROCESS: AtomicU64 = AtomicU64::new(0);

/// A number of the operating system's.
fn fresh(py: Python<'_>) -> PyResult<u64> {
    py.import("os")?.call_method1("urandom", (8,))?.extract().map(u64::from_ne_bytes)
}

/// Makes sure that processes which share their memory do not share their chance.
pub fn reseed_forked(module: &Bound<'_, PyModule>) -> PyResult<()> {
    #[pyfunction]
    fn reseed(py: Python<'_>) -> PyResult<()> {
        PROCESS.store(fresh(py)?, Relaxed);
        Ok(())
    }
    let os = module.py().import("os")?;
    if os.hasattr("register_at_fork")? {
        let after = [("after_in_child", wrap_pyfunction!(reseed, module)?)];
        os.call_method(
            "register_at_fork",
            (),
            Some(&pyo3::types::IntoPyDict::into_py_dict(after, module.py())?),
        )?;
    }
    Ok(())
}

/// A seed, and how many turns were taken from it. Threads may share it: each turn is taken once.
pub struct Turns {
    seed: u64,
    /// All bits where the seed was not given: then it differs in forked processes.
    own: u64,
    taken: AtomicU64,
}

impl Turns {
    /// From a seed that was given, or from one of the operating system's.
    pub fn new(py: Python<'_>, given: Option<u64>) -> PyResult<Self> {
        let (seed, own) = match given {
            Some(seed) => (seed, 0),
            None => (fresh(py)?, u64::MAX),
        };
        Ok(Self { seed, own, taken: AtomicU64::new(0) })
    }

    pub fn seed(&self) -> u64 {
        self.seed ^ (self.own & PROCESS.load(Relaxed))
    }

    /// The first of so many turns that are from now on taken.
    pub fn take(&self, count: u64) -> u64 {
        self.taken.fetch_add(count, Relaxed)
    }

    /// The pick at the next turn.
    pub fn random(&self, weights: &Weights) -> usize {
        weights.random(self.seed(), self.take(1))
    }
}
