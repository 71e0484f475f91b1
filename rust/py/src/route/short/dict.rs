//! Headers in a dict, found where they lie.

use super::read::{ascii, length, same};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use trimtab_core::route::AskedValues;

/// What a dict has under a name.
pub enum Item<T> {
    There(T),
    /// Not under this name, nor in other letters.
    Absent,
    /// The long way has to tell: the dict is none of headers as most are.
    Unsure,
}

/// Whether the items of these names, which are interned and in small letters, are the `str` that are
/// asked for. None when the long way has to tell.
#[inline]
pub fn have_items(dict: &Bound<'_, PyDict>, names: &[Py<PyString>], asked: AskedValues<'_>) -> Option<bool> {
    // SAFETY: a dict and `str`; nothing else runs while they are read.
    unsafe {
        let places = Places::of(dict.as_ptr())?;
        for one in asked {
            match places.item(names.get(one.number as usize)?.as_ptr()) {
                Item::There(item) if same(ascii(item)?, one.value) => {}
                Item::There(_) | Item::Absent => return Some(false),
                Item::Unsure => return None,
            }
        }
    }
    Some(true)
}

/// The item of a name, which is interned and in small letters.
#[inline]
pub fn item_of<'py>(dict: &Bound<'py, PyDict>, name: &Py<PyString>) -> Item<Bound<'py, PyAny>> {
    // SAFETY: a dict and a `str`; the item is kept before anything else runs.
    unsafe {
        match Places::of(dict.as_ptr()).map(|places| places.item(name.as_ptr())) {
            Some(Item::There(item)) => Item::There(Bound::from_borrowed_ptr(dict.py(), item)),
            Some(Item::Absent) => Item::Absent,
            Some(Item::Unsure) | None => Item::Unsure,
        }
    }
}

/// Where the items of a small dict of `str` are, as CPython 3.11 to 3.13 lay it out.
///
/// To ask Python for three headers takes longer than all else that is done for them, most of it on
/// the way to the places that are read here.
#[cfg(not(any(Py_3_14, Py_GIL_DISABLED)))]
struct Places {
    /// The number of the entry at each place, negative where there is none: they are spread by hash.
    numbers: *const i8,
    /// Names with their items; null where one was taken out.
    entries: *const [*mut PyObject; 2],
    count: usize,
    /// The last place.
    mask: usize,
}

/// What stands before all that.
#[cfg(not(any(Py_3_14, Py_GIL_DISABLED)))]
#[repr(C)]
struct Keys {
    _references: isize,
    log2_size: u8,
    log2_number_bytes: u8,
    kind: u8,
    _version: u32,
    _usable: isize,
    entries: isize,
}

#[cfg(not(any(Py_3_14, Py_GIL_DISABLED)))]
impl Places {
    /// The kind of a dict of which all keys are `str`, with the items beside them.
    const STR: u8 = 1;
    /// The number of a place that was never filled; one that was emptied has another.
    const FREE: i8 = -1;
    /// Numbers have one byte up to so many places, by the logarithm.
    const IN_BYTES: u8 = 7;

    /// # Safety
    /// Attached; a dict, which stays as it is.
    #[inline]
    unsafe fn of(dict: *mut PyObject) -> Option<Self> {
        // SAFETY: the layout, and that whoever changes a dict has the GIL.
        unsafe {
            let keys = (*dict.cast::<ffi::PyDictObject>()).ma_keys.cast::<Keys>();
            if (*keys).kind != Self::STR || (*keys).log2_number_bytes > Self::IN_BYTES {
                return None;
            }
            let numbers = keys.add(1);
            let entries = numbers.byte_add(1 << (*keys).log2_number_bytes);
            let mask = (1 << (*keys).log2_size) - 1;
            let count = length((*keys).entries);
            Some(Self { numbers: numbers.cast(), entries: entries.cast(), count, mask })
        }
    }

    /// # Safety
    /// The dict is as it was; an interned `str` in small letters.
    #[inline]
    unsafe fn item(&self, name: *mut PyObject) -> Item<*mut PyObject> {
        // SAFETY: an interned str knows its hash, as any in a dict does; an entry that has a number was
        // filled; not all places are, so that the search, which is Python's own, ends.
        unsafe {
            let hash = hash(name);
            let (mut rest, mut place) = (hash, hash & self.mask);
            loop {
                let number = *self.numbers.add(place);
                if number == Self::FREE {
                    return self.absent(name);
                }
                if let Ok(number) = usize::try_from(number) {
                    let [known, item] = *self.entries.add(number);
                    if known == name || (self::hash(known) == hash && is(known, name)) {
                        return Item::There(item);
                    }
                }
                rest >>= 5;
                place = (5 * place + 1).wrapping_add(rest) & self.mask;
            }
        }
    }

    /// What a name is that was not found: absent, unless it is there in other letters.
    ///
    /// # Safety
    /// As for `item`.
    #[inline(never)]
    unsafe fn absent(&self, name: *mut PyObject) -> Item<*mut PyObject> {
        // SAFETY: so many entries were filled, with `str` or null.
        unsafe {
            let Some(name) = ascii(name) else { return Item::Unsure };
            // No slice, for which those of an empty dict lie askew.
            for number in 0..self.count {
                let [known, _] = *self.entries.add(number);
                if known.is_null() {
                    continue;
                }
                match ascii(known) {
                    Some(known) if known.len() != name.len() || !known.eq_ignore_ascii_case(name) => {}
                    _ => return Item::Unsure,
                }
            }
        }
        Item::Absent
    }
}

/// # Safety
/// A `str` that knows its hash.
#[cfg(not(any(Py_3_14, Py_GIL_DISABLED)))]
#[inline]
unsafe fn hash(text: *mut PyObject) -> usize {
    // SAFETY: as promised.
    usize::from_ne_bytes(unsafe { (*text.cast::<ffi::PyASCIIObject>()).hash }.to_ne_bytes())
}

/// # Safety
/// Both are `str`.
#[cfg(not(any(Py_3_14, Py_GIL_DISABLED)))]
#[inline]
unsafe fn is(known: *mut PyObject, name: *mut PyObject) -> bool {
    // SAFETY: as promised.
    unsafe { ascii(known).zip(ascii(name)) }.is_some_and(|(known, name)| same(known, name))
}

/// Later versions are asked. Without the GIL another thread may take an item away while it is read.
#[cfg(any(Py_3_14, Py_GIL_DISABLED))]
struct Places(*mut PyObject);

#[cfg(any(Py_3_14, Py_GIL_DISABLED))]
impl Places {
    unsafe fn of(dict: *mut PyObject) -> Option<Self> {
        (!cfg!(Py_GIL_DISABLED)).then_some(Self(dict))
    }

    unsafe fn item(&self, name: *mut PyObject) -> Item<*mut PyObject> {
        // SAFETY: a dict and a str; the item is a reference that the dict has.
        let item = unsafe { ffi::PyDict_GetItemWithError(self.0, name) };
        if item.is_null() {
            // SAFETY: attached.
            unsafe { ffi::PyErr_Clear() };
            return Item::Unsure;
        }
        Item::There(item)
    }
}
