//! Headers in a dict, asked for without a reference of our own.

use super::read::{ascii, utf8, utf8_of};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};
use trimtab_core::route::{AskedValue, AskedValues, Edges};

/// The name of a header that rules ask about, and where it stood in the dicts before: those of one
/// server mostly hold the same headers in the same order.
pub struct Name {
    text: Py<PyString>,
    edges: Edges,
    /// The place, times `PATIENCE`, and how many times in a row it was elsewhere.
    expected: AtomicIsize,
}

/// So many times in a row a name must be elsewhere, until it is expected at the next place.
const PATIENCE: isize = 4;

impl Name {
    pub fn new(py: Python<'_>, name: &str) -> Self {
        let text = PyString::intern(py, name).unbind();
        Self { text, edges: Edges::of(name.as_bytes()), expected: AtomicIsize::new(0) }
    }

    pub fn text<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.text.bind(py)
    }

    /// The item of this name in a dict, null when there is none.
    ///
    /// # Safety
    /// Attached, with the GIL; a dict, which nobody changes while the item is used.
    #[inline]
    unsafe fn item(&self, dict: *mut PyObject) -> *mut PyObject {
        let mut next = self.expected.load(Relaxed).div_euclid(PATIENCE);
        let (mut key, mut item) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: as promised. A dict answers a place where it has nothing with nothing, else both are set.
        unsafe {
            let is_there = ffi::PyDict_Next(dict, &raw mut next, key.as_mut_ptr(), item.as_mut_ptr()) != 0;
            if !is_there || !self.is(key.assume_init()) {
                return self.item_elsewhere(dict, is_there);
            }
            let expected = self.expected.load(Relaxed);
            if expected.rem_euclid(PATIENCE) != 0 {
                self.expected.store(expected - expected.rem_euclid(PATIENCE), Relaxed);
            }
            item.assume_init()
        }
    }

    /// The same for a dict that has no such item at the expected place, but perhaps another one.
    ///
    /// # Safety
    /// As for `item`.
    #[inline(never)]
    unsafe fn item_elsewhere(&self, dict: *mut PyObject, other: bool) -> *mut PyObject {
        // SAFETY: as promised; a `str`.
        let item = unsafe { ffi::PyDict_GetItemWithError(dict, self.text.as_ptr()) };
        if item.is_null() {
            // SAFETY: attached. An error there was while keys were compared comes again on the long way.
            unsafe { ffi::PyErr_Clear() };
        } else {
            let expected = if other { self.expected.load(Relaxed) + 1 } else { 0 };
            self.expected.store(expected, Relaxed);
        }
        item
    }

    /// Whether this key of a dict is the name; false for what only may be equal to it.
    ///
    /// # Safety
    /// Attached; an object.
    #[inline]
    unsafe fn is(&self, key: *mut PyObject) -> bool {
        // SAFETY: as promised.
        match unsafe { ascii(key) } {
            Some(key) => self.edges.fit(key) && (key.len() <= Edges::WHOLE || self.is_long(key)),
            None => false,
        }
    }

    /// The same for a name of which the edges are not all.
    #[inline(never)]
    fn is_long(&self, key: &[u8]) -> bool {
        // SAFETY: attached, as for `is`, from which this is called.
        let name = self.text.bind(unsafe { Python::assume_attached() });
        utf8_of(name) == Some(key)
    }
}

/// Whether the items of these names are the `str` that are asked for. None when the long way has to
/// tell: a name is not there in these letters, or its item is no `str`.
#[inline]
pub fn have_items(dict: &Bound<'_, PyDict>, names: &[Name], asked: AskedValues<'_>) -> Option<bool> {
    // Without the GIL another thread may take an item away while it is read.
    if cfg!(Py_GIL_DISABLED) {
        return None;
    }
    for one in asked {
        let name = names.get(one.number() as usize)?;
        // SAFETY: a dict, which nobody changes while its item is read.
        let is = unsafe {
            let item = name.item(dict.as_ptr());
            if item.is_null() {
                return None;
            }
            match ascii(item) {
                Some(text) => one.is(text),
                None => is_other(item, one)?,
            }
        };
        if !is {
            return Some(false);
        }
    }
    Some(true)
}

/// Whether this item is what is asked for; None for one that is no `str`.
///
/// # Safety
/// As for `utf8`.
#[inline(never)]
unsafe fn is_other(item: *mut PyObject, asked: AskedValue<'_>) -> Option<bool> {
    // SAFETY: as promised.
    unsafe { utf8(item) }.map(|text| asked.is(text))
}
