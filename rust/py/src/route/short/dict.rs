//! Headers in a dict, found where they lie.

use super::read::{ascii, same};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// Whether the item of `key`, which is interned and has this name, is the `str` of this text; None when
/// the long way has to tell: there is no such item, it is no plain str, or the dict is none of headers
/// as most are.
#[inline]
pub fn has_item(dict: &Bound<'_, PyDict>, key: &Py<PyString>, name: &[u8], text: &[u8]) -> Option<bool> {
    // SAFETY: a dict and a str; the item is only read, and before anything else runs.
    unsafe { ascii(item(dict.as_ptr(), key.as_ptr(), name)?).map(|item| same(item, text)) }
}

/// What stands before the places and the entries of a dict.
#[cfg(not(any(Py_3_14, Py_GIL_DISABLED)))]
#[repr(C)]
struct Keys {
    _references: isize,
    log2_size: u8,
    log2_place_bytes: u8,
    kind: u8,
    _version: u32,
    _usable: isize,
    _entries: isize,
}

/// All keys are `str`, and the values stand beside them.
#[cfg(not(any(Py_3_14, Py_GIL_DISABLED)))]
const STR: u8 = 1;
/// Up to so many places (by their logarithm) are counted in one byte each.
#[cfg(not(any(Py_3_14, Py_GIL_DISABLED)))]
const IN_BYTES: u8 = 7;

/// The item of a key in a small dict of `str`, as CPython 3.11 to 3.13 lay it out; `text` is that of the
/// key.
///
/// To ask Python for three headers takes longer than all else that is done for them, most of it on
/// the way to the place that is read here.
///
/// # Safety
/// Attached; a dict and an interned `str`.
#[cfg(not(any(Py_3_14, Py_GIL_DISABLED)))]
#[inline]
unsafe fn item(dict: *mut PyObject, key: *mut PyObject, text: &[u8]) -> Option<*mut PyObject> {
    // SAFETY: the layout, and that whoever changes a dict has the GIL. An interned str knows its hash.
    // The number of an entry that was filled is not negative; there is a place without one.
    unsafe {
        let keys = (*dict.cast::<ffi::PyDictObject>()).ma_keys.cast::<Keys>();
        if (*keys).kind != STR || (*keys).log2_place_bytes > IN_BYTES {
            return None;
        }
        let places = keys.add(1).cast::<i8>();
        let entries = keys.add(1).byte_add(1 << (*keys).log2_place_bytes).cast::<[*mut PyObject; 2]>();
        let hash = hash(key);
        let mask = (1_usize << (*keys).log2_size) - 1;
        let (mut rest, mut place) = (hash, hash & mask);
        loop {
            let number = usize::try_from(*places.add(place)).ok()?;
            let [name, item] = *entries.add(number);
            let is = |name| hash == self::hash(name) && ascii(name).is_some_and(|name| same(name, text));
            if name == key || is(name) {
                return Some(item);
            }
            rest >>= 5;
            place = (5 * place + 1).wrapping_add(rest) & mask;
        }
    }
}

/// # Safety
/// As for `item`: a `str` that knows its hash.
#[cfg(not(any(Py_3_14, Py_GIL_DISABLED)))]
#[inline]
unsafe fn hash(text: *mut PyObject) -> usize {
    // SAFETY: as promised.
    usize::from_ne_bytes(unsafe { (*text.cast::<ffi::PyASCIIObject>()).hash }.to_ne_bytes())
}

/// Later versions are asked. Without the GIL another thread may take the item away while it is read.
#[cfg(any(Py_3_14, Py_GIL_DISABLED))]
#[inline]
unsafe fn item(dict: *mut PyObject, key: *mut PyObject, _: &[u8]) -> Option<*mut PyObject> {
    if cfg!(Py_GIL_DISABLED) {
        return None;
    }
    // SAFETY: a dict and a str; the item is a reference that the dict has.
    unsafe {
        let item = ffi::PyDict_GetItemWithError(dict, key);
        if item.is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        Some(item)
    }
}
