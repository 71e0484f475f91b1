//! What objects of Python hold, read where it lies.

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use std::hint::{assert_unchecked, cold_path};
use trimtab_core::likely::unlikely;

/// A length as Python has it.
#[expect(clippy::cast_sign_loss, reason = "no length is negative")]
#[inline]
pub(super) fn length(length: isize) -> usize {
    length as usize
}

/// The object, unless it is None.
#[inline]
pub(super) fn present(object: *mut PyObject) -> Option<*mut PyObject> {
    // SAFETY: an address is compared.
    (object != unsafe { ffi::Py_None() }).then_some(object)
}

/// The text of a `str`; None for what is no str, and for one that is no UTF-8.
///
/// # Safety
/// Attached; an object that the caller keeps alive as long as the text.
#[expect(clippy::inline_always, reason = "a call of it is a tenth of a match")]
#[inline(always)]
pub(super) unsafe fn utf8<'a>(object: *mut PyObject) -> Option<&'a [u8]> {
    // SAFETY: as promised.
    unsafe {
        if let Some(text) = ascii(object) {
            return Some(text);
        }
        cold_path();
        encoded(object)
    }
}

/// The text of a `str` that is ASCII and holds it in itself, as nearly all do.
///
/// # Safety
/// As for `utf8`.
#[cfg(not(Py_3_14))]
#[expect(clippy::inline_always, reason = "as for `utf8`")]
#[inline(always)]
pub(super) unsafe fn ascii<'a>(object: *mut PyObject) -> Option<&'a [u8]> {
    // SAFETY: what lies behind the head of a compact ASCII str is its text, for as long as it lives.
    unsafe {
        if unlikely(ffi::PyUnicode_CheckExact(object) == 0 || ffi::PyUnicode_IS_COMPACT_ASCII(object) == 0) {
            return None;
        }
        let text = object.cast::<ffi::PyASCIIObject>().add(1).cast::<u8>();
        // What comes behind an object has an address: nobody need ask.
        assert_unchecked(!text.is_null());
        Some(std::slice::from_raw_parts(text, length(ffi::PyUnicode_GET_LENGTH(object))))
    }
}

/// From Python 3.14 on PyO3 does not say how a `str` holds its text: Python is asked for it.
///
/// # Safety
/// As for `utf8`.
#[cfg(Py_3_14)]
#[inline]
pub(super) unsafe fn ascii<'a>(object: *mut PyObject) -> Option<&'a [u8]> {
    // SAFETY: as promised.
    unsafe { if ffi::PyUnicode_CheckExact(object) == 0 { None } else { encoded(object) } }
}

/// # Safety
/// As for `utf8`.
#[cfg_attr(not(Py_3_14), inline(never))]
unsafe fn encoded<'a>(object: *mut PyObject) -> Option<&'a [u8]> {
    // SAFETY: an object; a str keeps its UTF-8 as long as it lives.
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
        Some(std::slice::from_raw_parts(data.cast::<u8>(), length(size)))
    }
}

/// The text of a `str`; None for what is no str, and for one that is no UTF-8.
#[inline]
pub fn utf8_of<'a>(object: &'a Bound<'_, PyAny>) -> Option<&'a [u8]> {
    // SAFETY: the object lives as long as the text.
    unsafe { utf8(object.as_ptr()) }
}
