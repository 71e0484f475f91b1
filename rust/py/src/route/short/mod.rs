//! A short way into a table for the commonest calls, those with arguments that are `str`, before the
//! way that PyO3 makes for all others: that one converts each argument and keeps more books.
//!
//! All `unsafe` of this binding is in this folder.

mod dict;
mod late;
mod many;
mod memory;
mod number;
mod read;

pub use dict::{Name, have_items};
pub use late::Late;
pub use many::answers_to;
pub use memory::give_back;
pub use read::utf8_of;

use super::headers::PyHeaders;
use super::matched::Match;
use super::table::RouteTable;
use number::{are_usual, number};
use pyo3::exceptions::{PySystemError, PyTypeError};
use pyo3::ffi::{self, PyObject};
use pyo3::intern;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};
use read::{length, present, utf8};
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use trimtab_core::likely::{likely, unlikely, usual};
use trimtab_core::route::{NoHeaders, Request};

/// The methods as PyO3 made them, under the places of their short ways.
static GENERAL: [PyOnceLock<Py<PyAny>>; 2] = [PyOnceLock::new(), PyOnceLock::new()];
const MATCH: usize = 0;
const ROUTE: usize = 1;

/// So many arguments are mostly given: path, host, method.
const USUAL: usize = 3;

/// Arguments of `match` that the short way reads, and `value` of `route` behind them.
const ASKED: usize = 4;
const VALUE: usize = 4;
const WITH_VALUE: usize = 5;

/// The name of the value, as Python has it in calls.
static VALUE_NAME: PyOnceLock<Py<PyString>> = PyOnceLock::new();

/// Arguments of a call and `self` fit into so much: more than any correct call has.
const MOST: usize = 16;

type Entry = unsafe extern "C" fn(*mut PyObject, *const *mut PyObject, isize, *mut PyObject) -> *mut PyObject;

/// Puts the short ways before `RouteTable.match` and `RouteTable.route`.
pub fn install(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<RouteTable>();
    put(&class, "match", &GENERAL[MATCH], match_entry)?;
    if are_usual(py)? {
        VALUE_NAME.get_or_init(py, || PyString::intern(py, "value").unbind());
        put(&class, "route", &GENERAL[ROUTE], route_entry)?;
    }
    Ok(())
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
    let table = unsafe { table(&this) };
    let answer = guarded(table.py(), || {
        // SAFETY: as promised; arguments live as long as the call.
        let rank = unsafe {
            let given = arguments::<ASKED>(table.py(), args, count, names)?;
            rank(table.get(), given, |request| table.get().find(request))
        }?;
        Some(rank.and_then(|rank| table.get().answer(table.py(), rank).map_err(raise(table.py()))))
    });
    // SAFETY: as promised.
    answer.unwrap_or_else(|| unsafe { otherwise(MATCH, this, args, count, names) })
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
    let table = unsafe { table(&this) };
    let answer = guarded(table.py(), || {
        // SAFETY: as promised; arguments live as long as the call.
        let (value, rank) = unsafe {
            let [path, host, method, headers, value] =
                arguments::<WITH_VALUE>(table.py(), args, count, names)?;
            let asked = [path, host, method, headers];
            let rank = rank(table.get(), asked, |request| table.get().find(request))?;
            // Read where it is used: there is no room to keep it meanwhile.
            let value = match present(value) {
                Some(value) => Some(number(value)?),
                None => None,
            };
            (value, rank)
        };
        Some(rank.and_then(|rank| table.get().picked(table.py(), rank, value).map_err(raise(table.py()))))
    });
    // SAFETY: as promised.
    answer.unwrap_or_else(|| unsafe { otherwise(ROUTE, this, args, count, names) })
}

/// The table of a call.
///
/// # Safety
/// As for `match_entry`.
#[inline]
unsafe fn table(this: &*mut PyObject) -> Borrowed<'_, '_, RouteTable> {
    // SAFETY: as promised.
    unsafe { Borrowed::from_ptr(Python::assume_attached(), *this).cast_unchecked() }
}

/// The arguments of a call by their places, Python's None where one is absent; None when there are
/// others, or one twice.
///
/// # Safety
/// As for `match_entry`.
#[inline]
unsafe fn arguments<const N: usize>(
    py: Python<'_>,
    args: *const *mut PyObject,
    count: isize,
    names: *mut PyObject,
) -> Option<[*mut PyObject; N]> {
    // SAFETY: as promised; None is there for good.
    unsafe {
        let positional = std::slice::from_raw_parts(args, length(count));
        if unlikely(positional.len() > N) {
            return None;
        }
        let at = |place: usize| {
            let argument = positional.get(place).copied();
            if place < USUAL { usual(argument, ffi::Py_None()) } else { argument.unwrap_or(ffi::Py_None()) }
        };
        let mut given = std::array::from_fn(at);
        // A value is mostly given by name, where there is one; nothing else is.
        let are_all = if N > VALUE { names.is_null() } else { likely(names.is_null()) };
        if are_all {
            return Some(given);
        }
        match given.get_mut(VALUE) {
            // Mostly it is the value that is given by name, and nothing else.
            Some(value) if positional.len() <= VALUE && is_value_alone(py, names) => {
                *value = *args.offset(count);
                Some(given)
            }
            // Given and taken as a whole, so that they need not lie in memory otherwise.
            _ => place_named(py, given, args, count, names),
        }
    }
}

/// Whether these names are `value` and nothing else.
///
/// # Safety
/// As for `match_entry`.
#[inline]
unsafe fn is_value_alone(py: Python<'_>, names: *mut PyObject) -> bool {
    let is_value = |name: *mut PyObject| VALUE_NAME.get(py).is_some_and(|value| value.as_ptr() == name);
    // SAFETY: a tuple of interned names, of which one that is equal is the same.
    unsafe { ffi::PyTuple_GET_SIZE(names) == 1 && is_value(ffi::PyTuple_GET_ITEM(names, 0)) }
}

/// Puts arguments that are given by name in their places.
///
/// # Safety
/// As for `match_entry`.
#[inline(never)]
unsafe fn place_named<const N: usize>(
    py: Python<'_>,
    mut given: [*mut PyObject; N],
    args: *const *mut PyObject,
    count: isize,
    names: *mut PyObject,
) -> Option<[*mut PyObject; N]> {
    let place_of = |name: *mut PyObject| {
        // The likeliest first.
        let is = |known: &Bound<'_, PyString>| known.as_ptr() == name;
        if is(intern!(py, "value")) {
            Some(VALUE)
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
            if place < length(count) {
                return None;
            }
            *given.get_mut(place)? = *args.offset(count + at);
        }
    }
    Some(given)
}

/// An error that Python has been told.
struct Raised;

#[inline]
fn raise(py: Python<'_>) -> impl FnOnce(PyErr) -> Raised {
    move |error| raised(py, error)
}

#[cold]
fn raised(py: Python<'_>, error: PyErr) -> Raised {
    error.restore(py);
    Raised
}

/// What Python gets: the answer, or null with an error set. A panic must become an exception, never
/// the end of the interpreter.
#[inline]
fn guarded<'py>(
    py: Python<'py>,
    answer: impl FnOnce() -> Option<Result<Option<Bound<'py, Match>>, Raised>>,
) -> Option<*mut PyObject> {
    let given = || {
        answer().map(|answer| match answer {
            Ok(Some(answer)) => answer.into_ptr(),
            Ok(None) => py.None().into_ptr(),
            Err(Raised) => std::ptr::null_mut(),
        })
    };
    catch_unwind(AssertUnwindSafe(given)).unwrap_or_else(|_| {
        let Raised = raised(py, PanicException::new_err("the matcher panicked"));
        Some(std::ptr::null_mut())
    })
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
        raised(py, PySystemError::new_err("the module is not ready"));
        return std::ptr::null_mut();
    };
    let all = length(count) + length(extra);
    let mut with_self = [this; MOST];
    let Some(rest) = with_self.get_mut(1..=all) else {
        raised(py, PyTypeError::new_err("too many arguments"));
        return std::ptr::null_mut();
    };
    // SAFETY: `args` holds so many objects; those of `with_self` live as long as this call.
    unsafe {
        rest.copy_from_slice(std::slice::from_raw_parts(args, all));
        ffi::PyObject_Vectorcall(method.as_ptr(), with_self.as_ptr(), length(count) + 1, names)
    }
}

/// The rank of the rule that gets the request of path, host, method, headers, which `find` looks for;
/// None when they are not what the short way reads.
///
/// # Safety
/// Attached; these are objects that live through the call.
#[expect(clippy::inline_always, reason = "a call of it is a tenth of a match")]
#[inline(always)]
unsafe fn rank(
    table: &RouteTable,
    [path, host, method, headers]: [*mut PyObject; ASKED],
    find: impl FnOnce(&Request<'_>) -> Option<u32>,
) -> Option<Result<Option<u32>, Raised>> {
    // SAFETY: as promised.
    unsafe {
        let target = utf8(path)?;
        let host = if likely(present(host).is_some()) { utf8(host)? } else { b"" };
        let method = if likely(present(method).is_some()) { Some(utf8(method)?) } else { None };
        // Made where it is used: to copy what was just written takes longer than to write it.
        let request = |headers| Request { target, host, method, scheme: None, port: None, headers };
        if likely(present(headers).is_none()) {
            return Some(Ok(find(&request(&NoHeaders))));
        }
        let headers = Borrowed::from_ptr(Python::assume_attached(), headers);
        let py = headers.py();
        let headers = match PyHeaders::of(&headers, table.header_names()) {
            Ok(headers) => headers,
            Err(error) => return Some(Err(raised(py, error))),
        };
        let rank = find(&request(&headers));
        if likely(!headers.has_doubts()) {
            return Some(Ok(rank));
        }
        Some(headers.check().map(|()| rank).map_err(raise(py)))
    }
}
