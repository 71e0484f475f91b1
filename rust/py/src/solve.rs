//! `trimtab_core::solve` for Python.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Whole units nearest to `shares * units` within the bounds, summing to `units`.
///
/// "Nearest" is the least sum of squared differences; of equally near ones the earlier target
/// gets the unit. Raises ValueError when a share is not finite or the bounds leave no solution.
///
/// >>> allocate([0.5, 0.3, 0.2], 100, [0, 0, 25], [100, 100, 100])
/// [48, 27, 25]
#[pyfunction]
pub fn allocate(shares: Vec<f64>, units: i64, lower: Vec<i64>, upper: Vec<i64>) -> PyResult<Vec<u32>> {
    let unsigned = |what: &str, number: i64| {
        u32::try_from(number)
            .map_err(|_| PyValueError::new_err(format!("{what}: {number} is not in 0..=4294967295")))
    };
    let all = |what: &str, numbers: &[i64]| -> PyResult<Vec<u32>> {
        numbers
            .iter()
            .enumerate()
            .map(|(index, number)| unsigned(&format!("{what}[{index}]"), *number))
            .collect()
    };
    trimtab_core::solve::allocate(
        &shares,
        unsigned("units", units)?,
        &all("lower", &lower)?,
        &all("upper", &upper)?,
    )
    .map_err(|error| PyValueError::new_err(error.to_string()))
}
