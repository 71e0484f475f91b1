//! Errors of the core as Python exceptions.

use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use trimtab_core::route::{Fault, RuleError as CoreError};

create_exception!(
    trimtab._core,
    RuleError,
    PyValueError,
    "A rule that cannot be honoured; ``rule`` and ``field`` say where."
);

/// Translates, and keeps the place as attributes.
pub fn rule_error(py: Python<'_>, error: &CoreError) -> PyErr {
    let raised = RuleError::new_err(error.to_string());
    let value = raised.value(py);
    match value.setattr("rule", &error.rule).and_then(|()| value.setattr("field", &error.field)) {
        Ok(()) => raised,
        Err(other) => other,
    }
}

/// A fault that only the binding can see: in how the arguments were given.
pub fn fault(field: &str, fault: Fault) -> CoreError {
    CoreError { rule: String::new(), field: field.to_owned(), fault }
}

/// A number within bounds, or the fault.
pub fn within<T: TryFrom<i64>>(field: &str, number: i64, least: i64, most: i64) -> Result<T, CoreError> {
    let wrong = || fault(field, Fault::OutOf(number, least, most));
    if (least..=most).contains(&number) { T::try_from(number).map_err(|_| wrong()) } else { Err(wrong()) }
}
