//! The short way for many requests in one call.

use super::read::ascii;
use super::{ASKED, Raised, rank};
use crate::route::table::RouteTable;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use trimtab_core::route::{HostRules, NoHeaders, Request, RouteTable as CoreTable};

/// A list of one answer for each request; `longer` tells the rank where the short way cannot.
pub fn answers_to<'py>(
    table: &RouteTable,
    requests: &Bound<'py, PyList>,
    longer: impl Fn(&Bound<'py, PyAny>) -> PyResult<Option<u32>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = requests.py();
    let mut hosts = Hosts { table: table.compiled(), known: None, rules: None };
    list_of(py, requests.len(), |place| {
        let rank = if let Some(rank) = hosts.find_again(requests, place) {
            rank
        } else {
            // Read where it stands each time: reading a header may run code that changes the list.
            let request = item_of(requests, place)?;
            match rank_of(table, &request, &mut hosts) {
                Some(rank) => rank.map_err(|Raised| PyErr::fetch(py))?,
                None => longer(&request)?,
            }
        };
        let answer = table.answer(py, rank)?;
        Ok(answer.map_or_else(|| py.None().into_bound(py), Bound::into_any))
    })
}

/// Looks a host up once for all requests in a row that have it: often it is the same object.
struct Hosts<'t, 'py> {
    table: &'t CoreTable,
    /// The host of the request before. Kept, so that none that is made meanwhile has its address.
    known: Option<Bound<'py, PyAny>>,
    rules: Option<HostRules<'t>>,
}

impl<'py> Hosts<'_, 'py> {
    /// The rank of the rule that gets the commonest of requests: path, host and method, for the host of
    /// the request before. None for any other request.
    #[expect(clippy::option_option, reason = "whether it is such a request, and whether a rule gets it")]
    #[inline]
    fn find_again(&self, requests: &Bound<'py, PyList>, place: usize) -> Option<Option<u32>> {
        // Without the GIL another thread may take away what is read.
        if cfg!(Py_GIL_DISABLED) || place >= requests.len() {
            return None;
        }
        let (known, rules) = (self.known.as_ref()?.as_ptr(), self.rules?);
        // SAFETY: the list has such an item, and a tuple of three has three. All of them stay where they
        // are, since none of this runs code of Python's.
        unsafe {
            let request = ffi::PyList_GET_ITEM(requests.as_ptr(), place.cast_signed());
            if ffi::PyTuple_CheckExact(request) == 0 || ffi::PyTuple_GET_SIZE(request) != 3 {
                return None;
            }
            let [path, host, method] = [0, 1, 2].map(|part| ffi::PyTuple_GET_ITEM(request, part));
            if host != known {
                return None;
            }
            let (target, host, method) = (ascii(path)?, ascii(host)?, Some(ascii(method)?));
            let request = Request { target, host, method, scheme: None, port: None, headers: &NoHeaders };
            Some(CoreTable::find_among(rules, &request))
        }
    }

    /// The rank of the rule that gets a request for the host that this object names.
    #[inline]
    fn find(&mut self, host: Option<&Bound<'py, PyAny>>, request: &Request<'_>) -> Option<u32> {
        if self.known.as_ref().map(Bound::as_ptr) != host.map(Bound::as_ptr) || host.is_none() {
            let Some(rules) = self.table.host(request.host) else { return self.table.find(request) };
            self.known = host.cloned();
            self.rules = rules;
        }
        CoreTable::find_among(self.rules?, request)
    }
}

/// The rank of the rule that gets a path, or a tuple; None when it is not what the short way reads.
#[inline]
fn rank_of<'py>(
    table: &RouteTable,
    asked: &Bound<'py, PyAny>,
    hosts: &mut Hosts<'_, 'py>,
) -> Option<Result<Option<u32>, Raised>> {
    let parts = asked.cast::<PyTuple>().map_or(std::slice::from_ref(asked), PyTupleMethods::as_slice);
    if parts.len() > ASKED {
        return None;
    }
    // SAFETY: an object that is there for good.
    let none = unsafe { ffi::Py_None() };
    let given = std::array::from_fn(|place| parts.get(place).map_or(none, Bound::as_ptr));
    // SAFETY: the request keeps its parts alive.
    unsafe { rank(table, given, |request| hosts.find(parts.get(1), request)) }
}

#[inline]
fn item_of<'py>(requests: &Bound<'py, PyList>, place: usize) -> PyResult<Bound<'py, PyAny>> {
    if cfg!(Py_GIL_DISABLED) || place >= requests.len() {
        return requests.get_item(place);
    }
    // SAFETY: the list has such an item, and nobody takes it away without the GIL.
    unsafe {
        let item = ffi::PyList_GET_ITEM(requests.as_ptr(), isize::try_from(place)?);
        Ok(Bound::from_borrowed_ptr(requests.py(), item))
    }
}

/// A list of `count` answers, made in place.
fn list_of<'py>(
    py: Python<'py>,
    count: usize,
    mut answer: impl FnMut(usize) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let size = isize::try_from(count)?;
    // SAFETY: a new list or null with an error set.
    let list = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyList_New(size)) }?;
    for place in 0..size {
        let item = answer(place.unsigned_abs())?.into_ptr();
        // SAFETY: the place is in the list and empty; the list takes the reference over.
        unsafe { ffi::PyList_SET_ITEM(list.as_ptr(), place, item) };
    }
    Ok(list)
}
