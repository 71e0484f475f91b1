//! Many requests in one call.

use super::request::Arguments;
use super::short::answers_to;
use super::table::RouteTable;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

/// One answer for each request, in their order.
pub fn match_many<'py>(
    table: &RouteTable,
    py: Python<'py>,
    requests: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let requests = match requests.cast::<PyList>() {
        Ok(list) => list.clone(),
        Err(_) => py.get_type::<PyList>().call1((requests,))?.cast_into::<PyList>()?,
    };
    answers_to(table, &requests, |request| rank_of(table, request))
}

fn rank_of(table: &RouteTable, request: &Bound<'_, PyAny>) -> PyResult<Option<u32>> {
    if let Ok(parts) = request.cast::<PyTuple>() {
        return rank_of_parts(table, parts);
    }
    if request.is_instance_of::<PyString>() || request.is_instance_of::<PyBytes>() {
        return rank_of_parts(table, &PyTuple::new(request.py(), [request])?);
    }
    Err(PyTypeError::new_err("a request must be a path, or a tuple of up to path, host, method, headers"))
}

fn rank_of_parts(table: &RouteTable, parts: &Bound<'_, PyTuple>) -> PyResult<Option<u32>> {
    let count = parts.len();
    if count == 0 || count > 4 {
        return Err(PyValueError::new_err(format!("a request has 1 to 4 parts, not {count}")));
    }
    let part = |index| {
        let part = if index < count { Some(parts.get_borrowed_item(index)?) } else { None };
        PyResult::Ok(part.filter(|part| !part.is_none()))
    };
    let path = parts.get_borrowed_item(0)?;
    let (host, method, headers) = (part(1)?, part(2)?, part(3)?);
    let arguments = Arguments {
        path: &path,
        host: host.as_deref(),
        method: method.as_deref(),
        headers: headers.as_deref(),
        scheme: None,
        port: None,
    };
    arguments.lend(table.header_names(), |request| table.find(request))
}
