//! A short way into a table for the commonest calls, those with arguments that are `str`, before the
//! way that PyO3 makes for all others: that one converts each argument and keeps more books.
//!
//! All `unsafe` of this binding is here.

use super::headers::{PyHeaders, Source};
use super::matched::Match;
use super::table::RouteTable;
use pyo3::ffi::{self, PyObject};
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyTuple, PyType};
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use trimtab_core::route::{NoHeaders, Request};

/// The methods as PyO3 made them, under the places of their short ways.
static GENERAL: [PyOnceLock<Py<PyAny>>; 2] = [PyOnceLock::new(), PyOnceLock::new()];
const MATCH: usize = 0;
const ROUTE: usize = 1;

/// Arguments of `match` that the short way reads, and `value` of `route` behind them.
const ASKED: usize = 4;
const WITH_VALUE: usize = 5;

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
    // SAFETY: as promised.
    let (table, given) = unsafe { call::<ASKED>(this, args, count, names) };
    let answer = guarded(|| {
        // SAFETY: arguments live as long as the call.
        let rank = unsafe { rank(table.py(), table.get(), given?) }?;
        Some(rank.map(|rank| rank.and_then(|rank| table.get().answer(table.py(), rank))))
    });
    if let Some(answer) = answer {
        return returned(table.py(), answer);
    }
    // SAFETY: as promised.
    unsafe { otherwise(MATCH, this, args, count, names) }
}

/// `RouteTable.route`.
///
/// # Safety
/// As for `match_entry`.
unsafe extern "C" fn route_entry(
    this: *mut PyObject,
    args: *const *mut PyObject,
    count: isize,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: as promised.
    let (table, given) = unsafe { call::<WITH_VALUE>(this, args, count, names) };
    let answer = guarded(|| {
        let [path, host, method, headers, value] = given?;
        // SAFETY: arguments live as long as the call.
        let (value, rank) = unsafe {
            let value = match present(value) {
                Some(value) => Some(number(value)?),
                None => None,
            };
            (value, rank(table.py(), table.get(), [path, host, method, headers])?)
        };
        Some(rank.and_then(|rank| table.get().picked(table.py(), rank, value)))
    });
    if let Some(answer) = answer {
        return returned(table.py(), answer);
    }
    // SAFETY: as promised.
    unsafe { otherwise(ROUTE, this, args, count, names) }
}

/// The table of a call, and its arguments by their places, Python's None where one is absent; None
/// when there are others, or one twice.
///
/// # Safety
/// As for `match_entry`; what is returned lives as long as the call.
#[inline]
unsafe fn call<'a, const N: usize>(
    this: *mut PyObject,
    args: *const *mut PyObject,
    count: isize,
    names: *mut PyObject,
) -> (Borrowed<'a, 'a, RouteTable>, Option<[*mut PyObject; N]>) {
    // SAFETY: as promised.
    unsafe {
        let table = Borrowed::from_ptr(Python::assume_attached(), this).cast_unchecked();
        let positional = std::slice::from_raw_parts(args, count.unsigned_abs());
        if positional.len() > N {
            return (table, None);
        }
        let at = |place: usize| positional.get(place).copied().unwrap_or(ffi::Py_None());
        let mut given: [_; N] = std::array::from_fn(at);
        if !names.is_null() && place_named(table.py(), &mut given, args, count, names).is_none() {
            return (table, None);
        }
        (table, Some(given))
    }
}

/// Puts arguments that are given by name in their places.
unsafe fn place_named(
    py: Python<'_>,
    given: &mut [*mut PyObject],
    args: *const *mut PyObject,
    count: isize,
    names: *mut PyObject,
) -> Option<()> {
    use pyo3::intern;
    let place_of = |name: *mut PyObject| {
        // The likeliest first.
        let is = |known: &Bound<'_, PyString>| known.as_ptr() == name;
        if is(intern!(py, "value")) {
            Some(4)
        } else if is(intern!(py, "headers")) {
            Some(3)
        } else if is(intern!(py, "host")) {
            Some(1)
        } else if is(intern!(py, "method")) {
            Some(2)
        } else {
            is(intern!(py, "path")).then_some(0)
        }
    };
    // SAFETY: a tuple of interned names, of which one that is equal is the same, and as many more
    // arguments; all live as long as the call.
    unsafe {
        for at in 0..ffi::PyTuple_GET_SIZE(names) {
            let place: usize = place_of(ffi::PyTuple_GET_ITEM(names, at))?;
            if place < count.unsigned_abs() {
                return None;
            }
            *given.get_mut(place)? = *args.offset(count + at);
        }
    }
    Some(())
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

/// The rank of the rule that gets the request of path, host, method, headers; None when they are not
/// what the short way reads.
///
/// # Safety
/// Attached; these are objects that live through the call.
#[expect(clippy::inline_always, reason = "a call of it is a tenth of a match in match_many")]
#[inline(always)]
unsafe fn rank(
    py: Python<'_>,
    table: &RouteTable,
    [path, host, method, headers]: [*mut PyObject; ASKED],
) -> Option<PyResult<Option<u32>>> {
    // SAFETY: as promised.
    unsafe {
        let target = utf8(path)?;
        let host = if present(host).is_some() { utf8(host)? } else { b"" };
        let method = if present(method).is_some() { Some(utf8(method)?) } else { None };
        let request = |headers| Request { target, host, method, scheme: None, port: None, headers };
        let Some(headers) = present(headers) else { return Some(Ok(table.find(&request(&NoHeaders)))) };
        let headers = Borrowed::from_ptr(py, headers);
        let headers = match Source::of(&headers) {
            Ok(source) => PyHeaders::new(source, table.header_names()),
            Err(error) => return Some(Err(error)),
        };
        let rank = table.find(&request(&headers));
        Some(headers.check().map(|()| rank))
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
    let parts = request.cast::<PyTuple>().map_or(std::slice::from_ref(request), PyTupleMethods::as_slice);
    if parts.len() > ASKED {
        return None;
    }
    // SAFETY: an object that is there for good.
    let none = unsafe { ffi::Py_None() };
    let given = std::array::from_fn(|place| parts.get(place).map_or(none, Bound::as_ptr));
    // SAFETY: the request keeps its parts alive.
    unsafe { rank(py, table, given) }
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
