//! Many requests in columns: all paths, all hosts, all methods.

use super::request::text;
use super::table::RouteTable;
use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyMemoryView, PyTuple};
use std::borrow::Cow;
use trimtab_core::route::{NoHeaders, Request};

/// From so many requests on other threads may run meanwhile: handing over and back costs about as
/// much as two matches, and waiting for the others much more.
const DETACHED_FROM: usize = 1_000;

/// The rank of no rule.
const NONE: u32 = u32::MAX;

/// One text for each request.
enum Column<'a, 'py> {
    /// The same for all; None where it is absent.
    Same(Option<Cow<'a, [u8]>>),
    List(&'a Bound<'py, PyList>),
    Packed(&'a [u8], Vec<usize>),
}

/// The ranks of the rules that get the requests, as a memoryview of 32-bit numbers.
pub fn match_columns<'py>(
    table: &RouteTable,
    py: Python<'py>,
    paths: &Bound<'py, PyAny>,
    hosts: Option<&Bound<'py, PyAny>>,
    methods: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let paths = Column::of(Some(paths), "paths")?;
    let (hosts, methods) = (Column::of(hosts, "hosts")?, Column::of(methods, "methods")?);
    let Some(count) = paths.len() else {
        return Err(PyTypeError::new_err("paths must be a list, or a tuple of bytes and offsets"));
    };
    for (column, name) in [(&hosts, "hosts"), (&methods, "methods")] {
        if let Some(other) = column.len().filter(|other| *other != count) {
            return Err(PyValueError::new_err(format!("there are {count} paths, but {other} {name}")));
        }
    }
    let ranks = match (paths.at_rest(), hosts.at_rest(), methods.at_rest()) {
        (Some(paths), Some(hosts), Some(methods)) => {
            let find = || {
                (0..count).map(|place| find(table, paths.get(place), hosts.get(place), methods.get(place)))
            };
            if count < DETACHED_FROM { find().collect() } else { py.detach(|| find().collect()) }
        }
        _ => each(table, count, &paths, &hosts, &methods)?,
    };
    let ranks: Vec<u8> = ranks.into_iter().flat_map(u32::to_ne_bytes).collect();
    PyMemoryView::from(&PyBytes::new(py, &ranks))?.call_method1("cast", ("I",))
}

fn find(table: &RouteTable, target: Option<&[u8]>, host: Option<&[u8]>, method: Option<&[u8]>) -> u32 {
    let Some(target) = target else { return NONE };
    let host = host.unwrap_or_default();
    table
        .find(&Request { target, host, method, scheme: None, port: None, headers: &NoHeaders })
        .unwrap_or(NONE)
}

/// Texts that nobody can change, read without Python.
#[derive(Clone, Copy)]
enum AtRest<'a> {
    Same(Option<&'a [u8]>),
    Packed(&'a [u8], &'a [usize]),
}

impl<'a> AtRest<'a> {
    fn get(self, place: usize) -> Option<&'a [u8]> {
        match self {
            Self::Same(text) => text,
            Self::Packed(data, offsets) => match offsets.get(place..place + 2) {
                Some([start, end]) => data.get(*start..*end),
                _ => None,
            },
        }
    }
}

/// Answers where at least one column is a list of Python's.
fn each(
    table: &RouteTable,
    count: usize,
    paths: &Column<'_, '_>,
    hosts: &Column<'_, '_>,
    methods: &Column<'_, '_>,
) -> PyResult<Vec<u32>> {
    let one = |place| {
        paths.with(place, "path", |path| {
            hosts.with(place, "host", |host| {
                methods.with(place, "method", |method| Ok(find(table, path, host, method)))
            })
        })
    };
    (0..count).map(one).collect()
}

impl<'a, 'py> Column<'a, 'py> {
    /// None, str or bytes for all; a list of them; or a tuple of bytes and offsets.
    fn of(given: Option<&'a Bound<'py, PyAny>>, name: &str) -> PyResult<Self> {
        let Some(given) = given else { return Ok(Self::Same(None)) };
        if let Ok(list) = given.cast::<PyList>() {
            return Ok(Self::List(list));
        }
        let Ok(pair) = given.cast::<PyTuple>() else { return Ok(Self::Same(Some(text(given, name)?))) };
        let ([data, offsets], 2) = (pair.as_slice(), pair.len()) else {
            return Err(PyTypeError::new_err(format!(
                "{name} must be a list, or a tuple of bytes and offsets"
            )));
        };
        let Ok(data) = data.cast::<PyBytes>() else {
            let given = data.get_type().name()?;
            return Err(PyTypeError::new_err(format!("the data of {name} must be bytes, not {given}")));
        };
        let offsets = read_offsets(offsets, name)?;
        let ascend = offsets.windows(2).all(|pair| matches!(pair, [start, end] if start <= end));
        match offsets.last() {
            Some(last) if ascend && *last <= data.as_bytes().len() => {
                Ok(Self::Packed(data.as_bytes(), offsets))
            }
            _ => {
                let length = data.as_bytes().len();
                let message = format!(
                    "the offsets of {name} must be one more than texts, ascend, and end within {length} bytes"
                );
                Err(PyValueError::new_err(message))
            }
        }
    }

    /// For how many requests there are texts; None where there is one for all.
    fn len(&self) -> Option<usize> {
        match self {
            Self::Same(_) => None,
            Self::List(list) => Some(list.len()),
            Self::Packed(_, offsets) => offsets.len().checked_sub(1),
        }
    }

    fn at_rest(&self) -> Option<AtRest<'_>> {
        match self {
            Self::Same(text) => Some(AtRest::Same(text.as_deref())),
            Self::Packed(data, offsets) => Some(AtRest::Packed(data, offsets)),
            Self::List(_) => None,
        }
    }

    /// Lends the text at this place.
    fn with<T>(
        &self,
        place: usize,
        name: &str,
        read: impl FnOnce(Option<&[u8]>) -> PyResult<T>,
    ) -> PyResult<T> {
        if let Self::List(list) = self {
            let item = list.get_item(place)?;
            return if item.is_none() { read(None) } else { read(Some(&text(&item, name)?)) };
        }
        read(self.at_rest().and_then(|texts| texts.get(place)))
    }
}

/// Offsets of any common size: an array of Python's or NumPy's, or a column of Arrow's.
fn read_offsets(given: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<usize>> {
    fn read<T: Element + Copy>(given: &Bound<'_, PyAny>) -> Option<Vec<usize>>
    where
        usize: TryFrom<T>,
    {
        let numbers = PyBuffer::<T>::get(given).ok()?.to_vec(given.py()).ok()?;
        numbers.into_iter().map(|number| usize::try_from(number).ok()).collect()
    }
    let found = read::<i32>(given).or_else(|| read::<u32>(given));
    found.or_else(|| read::<i64>(given)).or_else(|| read::<u64>(given)).ok_or_else(|| {
        PyTypeError::new_err(format!(
            "the offsets of {name} must be an array of 32 or 64-bit numbers, none negative, one more than texts"
        ))
    })
}
