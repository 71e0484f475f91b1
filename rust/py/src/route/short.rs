//! A short way into a table for the commonest calls, those with positional arguments that are `str`,
//! before the way that PyO3 makes for all others: that one reads keywords and keeps more books.
//!
//! All `unsafe` of this binding is here.

use super::headers::{PyHeaders, Source};
use super::matched::Match;
use super::table::RouteTable;
use pyo3::ffi::{self, PyObject};
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use trimtab_core::route::{NoHeaders, Request};

/// The methods as PyO3 made them, under the places of their short ways.
static GENERAL: [PyOnceLock<Py<PyAny>>; 2] = [PyOnceLock::new(), PyOnceLock::new()];
const MATCH: usize = 0;
const ROUTE: usize = 1;

/// The place of `value` among the arguments of `route`.
const VALUE: usize = 4;

/// Arguments of a call and `self` fit into so much: more than any correct call has.
const MOST: usize = 16;

type Entry = unsafe extern "C" fn(*mut PyObject, *const *mut PyObject, isize, *mut PyObject) -> *mut PyObject;

/// Puts the short ways before `RouteTable.match` and `RouteTable.route`.
pub fn install(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<RouteTable>();
    put(&class, "match", &GENERAL[MATCH], match_entry)?;
    put(&class, "route", &GENERAL[ROUTE], route_entry)
}

fn put(
    class: &Bound<'_, PyType>,
    name: &str,
    general: &'static PyOnceLock<Py<PyAny>>,
    entry: Entry,
) -> PyResult<()> {
    let py = class.py();
    let made = class.getattr(name)?;
    let signature: String = made.getattr("__text_signature__")?.extract()?;
    let doc: String = made.getattr("__doc__")?.extract()?;
    let text = |text: String| CString::new(text).map(CString::into_raw);
    // Methods of a class that is never taken down: what they point to stays too.
    let method = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: text(name.to_owned())?,
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: entry },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: text(format!("{name}{signature}\n--\n\n{doc}"))?.cast::<c_char>(),
    }));
    // SAFETY: the class and the method are alive, the latter for good; the result is a new reference
    // or null with an error set.
    let descriptor =
        unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyDescr_NewMethod(class.as_type_ptr(), method)) }?;
    general.get_or_init(py, || made.unbind());
    class.setattr(name, descriptor)
}

/// `RouteTable.match`.
///
/// # Safety
/// Called by Python as a method of `RouteTable`: attached, `this` is one, `args` holds `count`
/// arguments and one more for each of `names`.
unsafe extern "C" fn match_entry(
    this: *mut PyObject,
    args: *const *mut PyObject,
    count: isize,
    names: *mut PyObject,
) -> *mut PyObject {
    if names.is_null() {
        // SAFETY: as promised.
        let (table, given) = unsafe { call(this, args, count) };
        let answer = guarded(|| {
            // SAFETY: arguments live as long as the call.
            let rank = unsafe { rank(table.py(), table.get(), given) }?;
            Some(rank.map(|rank| rank.and_then(|rank| table.get().answer(table.py(), rank))))
        });
        if let Some(answer) = answer {
            return returned(table.py(), answer);
        }
    }
    // SAFETY: as promised.
    unsafe { otherwise(MATCH, this, args, count, names) }
}

/// `RouteTable.route`, with a number that is drawn, or that is the last argument or `value=`.
///
/// # Safety
/// As for `match_entry`.
unsafe extern "C" fn route_entry(
    this: *mut PyObject,
    args: *const *mut PyObject,
    count: isize,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: as promised; one name more is one argument more.
    let with_value = unsafe { is_value(names) };
    if names.is_null() || with_value {
        // SAFETY: as promised.
        let (table, given) = unsafe { call(this, args, count + isize::from(with_value)) };
        let answer = guarded(|| {
            let (request, value) = match given {
                [request @ .., value] if with_value || request.len() == VALUE => (request, Some(*value)),
                _ => (given, None),
            };
            // SAFETY: arguments live as long as the call.
            let value = match value {
                Some(value) => Some(unsafe { number(value) }?),
                None => None,
            };
            // SAFETY: likewise.
            let rank = unsafe { rank(table.py(), table.get(), request) }?;
            Some(rank.and_then(|rank| table.get().picked(table.py(), rank, value)))
        });
        if let Some(answer) = answer {
            return returned(table.py(), answer);
        }
    }
    // SAFETY: as promised.
    unsafe { otherwise(ROUTE, this, args, count, names) }
}

/// The table and the arguments of a call.
///
/// # Safety
/// As for `match_entry`; what is returned lives as long as the call.
#[inline]
unsafe fn call<'a>(
    this: *mut PyObject,
    args: *const *mut PyObject,
    count: isize,
) -> (Borrowed<'a, 'a, RouteTable>, &'a [*mut PyObject]) {
    // SAFETY: as promised.
    unsafe {
        let table = Borrowed::from_ptr(Python::assume_attached(), this).cast_unchecked();
        (table, std::slice::from_raw_parts(args, count.unsigned_abs()))
    }
}

/// A panic must become an exception, never the end of the interpreter.
#[inline]
fn guarded<T>(answer: impl FnOnce() -> Option<PyResult<T>>) -> Option<PyResult<T>> {
    catch_unwind(AssertUnwindSafe(answer))
        .unwrap_or_else(|_| Some(Err(PanicException::new_err("the matcher panicked"))))
}

#[inline]
fn returned(py: Python<'_>, answer: PyResult<Option<&Bound<'_, Match>>>) -> *mut PyObject {
    match answer {
        Ok(Some(answer)) => answer.clone().into_ptr(),
        Ok(None) => py.None().into_ptr(),
        Err(error) => raised(py, error),
    }
}

#[cold]
fn raised(py: Python<'_>, error: PyErr) -> *mut PyObject {
    error.restore(py);
    std::ptr::null_mut()
}

/// Calls the method that PyO3 made.
#[cold]
unsafe fn otherwise(
    general: usize,
    this: *mut PyObject,
    args: *const *mut PyObject,
    count: isize,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: Python called, so this thread is attached; `names` is null or a tuple.
    let (py, extra) = unsafe {
        (Python::assume_attached(), if names.is_null() { 0 } else { ffi::PyTuple_GET_SIZE(names) })
    };
    let Some(method) = GENERAL.get(general).and_then(|method| method.get(py)) else {
        return raised(py, pyo3::exceptions::PySystemError::new_err("the module is not ready"));
    };
    let all = count.unsigned_abs() + extra.unsigned_abs();
    let mut with_self = [this; MOST];
    let Some(rest) = with_self.get_mut(1..=all) else {
        return raised(py, pyo3::exceptions::PyTypeError::new_err("too many arguments"));
    };
    // SAFETY: `args` holds so many objects; those of `with_self` live as long as this call.
    unsafe {
        rest.copy_from_slice(std::slice::from_raw_parts(args, all));
        ffi::PyObject_Vectorcall(method.as_ptr(), with_self.as_ptr(), count.unsigned_abs() + 1, names)
    }
}

/// The rank of the rule that gets the request of up to path, host, method, headers; None when they
/// are not what the short way reads.
///
/// # Safety
/// Attached; `given` are objects that live through the call.
#[inline]
pub unsafe fn rank(
    py: Python<'_>,
    table: &RouteTable,
    given: &[*mut PyObject],
) -> Option<PyResult<Option<u32>>> {
    // SAFETY: as promised.
    unsafe {
        let (path, host, method, headers) = match *given {
            [path, host, method] => (path, host, method, None),
            [path, host, method, headers] => (path, host, method, present(headers)),
            [path, host] => (path, host, ffi::Py_None(), None),
            [path] => (path, ffi::Py_None(), ffi::Py_None(), None),
            _ => return None,
        };
        let target = utf8(path)?;
        let host = if present(host).is_some() { utf8(host)? } else { b"" };
        let method = if present(method).is_some() { Some(utf8(method)?) } else { None };
        let request = |headers| Request { target, host, method, scheme: None, port: None, headers };
        let Some(headers) = headers else { return Some(Ok(table.find(&request(&NoHeaders)))) };
        let headers = Borrowed::from_ptr(py, headers);
        let headers = match Source::of(&headers) {
            Ok(source) => PyHeaders::new(source, table.header_names()),
            Err(error) => return Some(Err(error)),
        };
        let rank = table.find(&request(&headers));
        Some(headers.check().map(|()| rank))
    }
}

/// Whether these are the names of one argument, `value`.
#[inline]
unsafe fn is_value(names: *mut PyObject) -> bool {
    if names.is_null() {
        return false;
    }
    // SAFETY: a tuple of interned names, of which one that is equal is the same.
    unsafe {
        let value = pyo3::intern!(Python::assume_attached(), "value").as_ptr();
        ffi::PyTuple_GET_SIZE(names) == 1 && ffi::PyTuple_GET_ITEM(names, 0) == value
    }
}

/// A whole number of 64 bits.
#[inline]
unsafe fn number(object: *mut PyObject) -> Option<u64> {
    // SAFETY: an object.
    unsafe {
        if ffi::PyLong_Check(object) == 0 {
            return None;
        }
        let number = ffi::PyLong_AsUnsignedLongLong(object);
        if number == u64::MAX && !ffi::PyErr_Occurred().is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        Some(number)
    }
}

/// The object, unless it is None.
#[inline]
unsafe fn present(object: *mut PyObject) -> Option<*mut PyObject> {
    // SAFETY: an address is compared.
    (object != unsafe { ffi::Py_None() }).then_some(object)
}

/// The text of a `str`; None for what is no str, and for one that is no UTF-8.
#[inline]
unsafe fn utf8<'a>(object: *mut PyObject) -> Option<&'a [u8]> {
    // SAFETY: an object, which the caller keeps alive; a str keeps its UTF-8 as long as it lives.
    unsafe {
        if ffi::PyUnicode_Check(object) == 0 {
            return None;
        }
        let mut size = 0;
        let data = ffi::PyUnicode_AsUTF8AndSize(object, &raw mut size);
        if data.is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        Some(std::slice::from_raw_parts(data.cast::<u8>(), size.unsigned_abs()))
    }
}

/// The same for a request among many: a path, or a tuple.
#[inline]
pub fn rank_of(table: &RouteTable, request: &Bound<'_, PyAny>) -> Option<PyResult<Option<u32>>> {
    let py = request.py();
    let Ok(parts) = request.cast::<PyTuple>() else {
        // SAFETY: an object that is borrowed.
        return unsafe { rank(py, table, &[request.as_ptr()]) };
    };
    let parts = parts.as_slice();
    // SAFETY: a `Bound` is laid out as the pointer that it holds; the tuple keeps its parts alive.
    unsafe { rank(py, table, std::slice::from_raw_parts(parts.as_ptr().cast(), parts.len())) }
}

/// A list of `count` answers, made in place.
pub fn list_of<'py>(
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
