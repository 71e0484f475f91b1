//! Whole numbers of Python, read where they lie.

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use std::ffi::{c_int, c_long};

/// An `int` as CPython's headers declare it.
#[cfg(not(Py_3_14))]
#[repr(C)]
struct Int {
    head: PyObject,
    /// How many digits there are: negative for a negative number, and from 3.12 on above three bits.
    size: isize,
    /// The first of them, each `DIGIT` bits, the lowest first.
    digits: [u32; 1],
}

/// The bits of a digit, where nobody built Python otherwise.
const DIGIT: u32 = 30;

/// Whether `number` can be asked: whether this Python was built as usual.
pub(super) fn are_usual(py: Python<'_>) -> PyResult<bool> {
    let bits: u32 = py.import("sys")?.getattr("int_info")?.getattr("bits_per_digit")?.extract()?;
    Ok(bits == DIGIT)
}

/// A whole number of 64 bits; None for what is none.
///
/// # Safety
/// Attached; an object, and numbers `are_usual`.
#[inline]
pub(super) unsafe fn number(object: *mut PyObject) -> Option<u64> {
    // SAFETY: as promised.
    unsafe {
        if ffi::PyLong_Check(object) == 0 {
            return None;
        }
        digits(object).map_or_else(|| converted(object), Some)
    }
}

/// The number that up to three digits make, by one way for all of them: where numbers are drawn at
/// random, nobody can predict how many digits the next one has.
///
/// # Safety
/// As for `number`; an `int`.
#[cfg(not(Py_3_14))]
#[inline]
unsafe fn digits(object: *mut PyObject) -> Option<u64> {
    // SAFETY: as promised. An `int` has as many digits as it says.
    unsafe {
        let int = object.cast::<Int>();
        let size = (*int).size;
        // Zero and negative numbers have a bit of their own.
        #[cfg(Py_3_12)]
        let size = if size & 3 == 0 { size >> 3 } else { 0 };
        let last = size.wrapping_sub(1).cast_unsigned();
        if last >= 3 {
            return None;
        }
        let digit = |place: usize| u64::from((&raw const (*int).digits).cast::<u32>().add(place).read());
        let (second, third) = (digit(last.min(1)) * u64::from(last > 0), digit(last) * u64::from(last > 1));
        (third >> (64 - 2 * DIGIT) == 0).then_some(digit(0) | second << DIGIT | third << (2 * DIGIT))
    }
}

/// From Python 3.14 on nobody here knows how an `int` is laid out.
#[cfg(Py_3_14)]
#[inline]
unsafe fn digits(_: *mut PyObject) -> Option<u64> {
    None
}

/// # Safety
/// As for `number`; an `int`.
#[cfg_attr(not(Py_3_14), inline(never))]
unsafe fn converted(object: *mut PyObject) -> Option<u64> {
    // SAFETY: as promised.
    unsafe {
        // The quicker one for all but the largest numbers.
        let mut overflow: c_int = 0;
        let number: c_long = ffi::PyLong_AsLongAndOverflow(object, &raw mut overflow);
        if overflow == 0 {
            return u64::try_from(number).ok();
        }
        let number = ffi::PyLong_AsUnsignedLongLong(object);
        if number == u64::MAX && !ffi::PyErr_Occurred().is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        Some(number)
    }
}
