//! Headers in a dict, asked for without a reference of our own.

use super::read::ascii;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use trimtab_core::route::AskedValues;

/// Whether the items of these names are the `str` that are asked for. None when the long way has to
/// tell: a name is not there in these letters, or its item is no ASCII `str`.
#[inline]
pub fn have_items(dict: &Bound<'_, PyDict>, names: &[Py<PyString>], asked: AskedValues<'_>) -> Option<bool> {
    // Without the GIL another thread may take an item away while it is read.
    if cfg!(Py_GIL_DISABLED) {
        return None;
    }
    for one in asked {
        let name = names.get(one.number as usize)?;
        // SAFETY: a dict and a `str`; the item is the dict's, which nobody changes while it is read.
        let text = unsafe {
            let item = ffi::PyDict_GetItemWithError(dict.as_ptr(), name.as_ptr());
            if item.is_null() {
                // An error there was while keys were compared comes again on the long way.
                ffi::PyErr_Clear();
                return None;
            }
            ascii(item)?
        };
        if text != one.value {
            return Some(false);
        }
    }
    Some(true)
}
