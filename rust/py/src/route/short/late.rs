//! References that are set late.

use pyo3::ffi::{self, PyObject};
use pyo3::{Py, Python};
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use trimtab_core::likely::likely;

/// A reference to an object, once it is set; no larger than the reference, so that many of them lie near.
pub struct Late<T>(AtomicPtr<PyObject>, PhantomData<Py<T>>);

impl<T> Default for Late<T> {
    fn default() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()), PhantomData)
    }
}

impl<T> Late<T> {
    /// The reference, if it was set.
    #[inline]
    pub fn get(&self) -> Option<&Py<T>> {
        let set = !self.0.load(Ordering::Acquire).is_null();
        // SAFETY: a `Py` is its pointer and nothing else. Once there is one, nobody writes here any more.
        likely(set).then(|| unsafe { &*self.0.as_ptr().cast::<Py<T>>() })
    }

    /// Whether there is no other reference to the object. Nobody can come by one then but from here, as long
    /// as this thread has the GIL; without a GIL nothing is said, and the answer is no.
    #[inline]
    pub fn is_alone(&self, _: Python<'_>) -> bool {
        // SAFETY: attached; an object.
        !cfg!(Py_GIL_DISABLED)
            && self.get().is_some_and(|object| unsafe { ffi::Py_REFCNT(object.as_ptr()) } == 1)
    }

    /// Sets the reference, unless somebody was first.
    pub fn set(&self, object: Py<T>) {
        let new = object.as_ptr();
        if self.0.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            std::mem::forget(object);
        }
    }
}

impl<T> Drop for Late<T> {
    fn drop(&mut self) {
        if self.get().is_some() {
            // SAFETY: as for `get`; it is read for the last time.
            drop(unsafe { ptr::read(self.0.as_ptr().cast::<Py<T>>()) });
        }
    }
}
