//! Headers in a dict, asked for without a reference of our own.

use super::read::{ascii, utf8, utf8_of};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use std::hint::cold_path;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicI32, AtomicIsize, Ordering::Relaxed};
use trimtab_core::likely::{likely, unlikely};
use trimtab_core::route::{AskedValue, AskedValues, Edges};

/// The name of a header that rules ask about, and where it stood in a dict: those of one server
/// mostly hold the same headers in the same order.
pub struct Name {
    text: Py<PyString>,
    edges: Edges,
    /// The place where it is expected.
    place: AtomicIsize,
    /// How well that went. It is expected nowhere while this is not positive.
    credit: AtomicI32,
}

/// The credit of a name that was always where it was expected, and of one that was just met.
const FULL: i32 = 16;
const FIRST: i32 = 8;
/// What it costs to be elsewhere: more than a few hits bring, since to have looked in vain takes longer
/// than a look at the right place saves.
const ELSEWHERE: i32 = 4;
/// So many times a name is only looked up, before it is expected again where it then stands.
const REST: i32 = 512;
/// Beyond so many items nobody looks where it stands.
const NEAR: usize = 64;

impl Name {
    pub fn new(py: Python<'_>, name: &str) -> Self {
        Self {
            text: PyString::intern(py, name).unbind(),
            edges: Edges::of(name.as_bytes()),
            place: AtomicIsize::new(0),
            credit: AtomicI32::new(-REST),
        }
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
        let credit = self.credit.load(Relaxed);
        if likely(credit > 0) {
            // SAFETY: as promised.
            let item = unsafe { self.item_at(dict, &mut self.place.load(Relaxed)) };
            if let Some(item) = item.flatten() {
                if unlikely(credit < FULL) {
                    self.credit.store(credit + 1, Relaxed);
                }
                return item;
            }
        }
        // SAFETY: as promised.
        unsafe { self.item_anywhere(dict, credit) }
    }

    /// The same for a name that was not where it was expected, or was expected nowhere.
    ///
    /// # Safety
    /// As for `item`.
    #[inline(never)]
    unsafe fn item_anywhere(&self, dict: *mut PyObject, credit: i32) -> *mut PyObject {
        let cost = if credit > 0 { ELSEWHERE } else { 1 };
        if credit > -REST {
            self.credit.store(credit - cost, Relaxed);
        } else {
            // SAFETY: as promised.
            unsafe { self.expect(dict) };
        }
        // SAFETY: as promised; a `str`.
        let item = unsafe { ffi::PyDict_GetItemWithError(dict, self.text.as_ptr()) };
        if item.is_null() {
            // SAFETY: attached. An error there was while keys were compared comes again on the long way.
            unsafe { ffi::PyErr_Clear() };
        }
        item
    }

    /// Expects the name where it stands in this dict, if it does.
    ///
    /// # Safety
    /// As for `item`.
    unsafe fn expect(&self, dict: *mut PyObject) {
        let mut next = 0;
        for _ in 0..NEAR {
            let place = next;
            // SAFETY: as promised.
            match unsafe { self.item_at(dict, &mut next) } {
                None => return,
                Some(None) => {}
                Some(Some(_)) => {
                    self.place.store(place, Relaxed);
                    self.credit.store(FIRST, Relaxed);
                    return;
                }
            }
        }
    }

    /// The item at a place of a dict, if its name is this one; None when there is no item. The place
    /// becomes the next one.
    ///
    /// # Safety
    /// As for `item`.
    #[expect(clippy::option_option, reason = "whether there is one, and whether it is that of the name")]
    #[inline]
    unsafe fn item_at(&self, dict: *mut PyObject, place: &mut isize) -> Option<Option<*mut PyObject>> {
        let (mut key, mut item) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: as promised. Where a dict has an item, both are set; a place of another dict is one.
        unsafe {
            if unlikely(ffi::PyDict_Next(dict, place, key.as_mut_ptr(), item.as_mut_ptr()) == 0) {
                return None;
            }
            Some(self.is(key.assume_init()).then(|| item.assume_init()))
        }
    }

    /// Whether this key of a dict is the name; false for what only may be equal to it.
    ///
    /// # Safety
    /// Attached; an object.
    #[inline]
    unsafe fn is(&self, key: *mut PyObject) -> bool {
        // SAFETY: as promised.
        match unsafe { ascii(key) } {
            Some(key) => {
                likely(self.edges.fit(key)) && (likely(key.len() <= Edges::WHOLE) || self.is_long(key))
            }
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
            if unlikely(item.is_null()) {
                return None;
            }
            if let Some(text) = ascii(item) {
                one.is(text)
            } else {
                cold_path();
                is_other(item, one)?
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
