//! Headers as Python has them, read in place, and only when a rule asks for one.

use super::request::text;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use trimtab_core::route::Headers;

/// How many of the headers that a table asks about are remembered while one request is matched.
const SLOTS: usize = 8;

type Value<'py> = Bound<'py, PyAny>;

/// The headers of one request.
pub struct PyHeaders<'a, 'py> {
    source: Source<'a, 'py>,
    /// The names that the table asks about, by their number.
    names: &'a [Py<PyString>],
    /// The single values of the first of these names, where they are known.
    slots: [OnceCell<Value<'py>>; SLOTS],
    /// By bits which of them were looked for, and which were found more than once.
    known: Cell<u8>,
    often: Cell<u8>,
    /// Whether all names in the dict are lower-case str: then one that is not found is not there.
    plain: Cell<Option<bool>>,
    /// What went wrong while reading; whoever matched asks for it afterwards.
    error: RefCell<Option<PyErr>>,
}

/// How headers were given.
pub enum Source<'a, 'py> {
    /// As a dict.
    Dict(&'a Bound<'py, PyDict>),
    /// As a list or tuple of pairs, or what gives one.
    Pairs(Cow<'a, Value<'py>>),
}

impl<'a, 'py> Source<'a, 'py> {
    /// A dict, another mapping, or a list or tuple of pairs.
    pub fn of(headers: &'a Value<'py>) -> PyResult<Self> {
        if let Ok(dict) = headers.cast::<PyDict>() {
            Ok(Self::Dict(dict))
        } else if headers.is_instance_of::<PyList>() || headers.is_instance_of::<PyTuple>() {
            Ok(Self::Pairs(Cow::Borrowed(headers)))
        } else if headers.hasattr("items")? {
            let items = headers.call_method0("items")?;
            Ok(Self::Pairs(Cow::Owned(headers.py().get_type::<PyList>().call1((items,))?)))
        } else {
            let given = headers.get_type().name()?;
            Err(PyTypeError::new_err(format!("headers must be a dict or a list of pairs, not {given}")))
        }
    }
}

impl<'a, 'py> PyHeaders<'a, 'py> {
    /// Headers that were given in one of the ways that frameworks have.
    pub fn new(source: Source<'a, 'py>, names: &'a [Py<PyString>]) -> Self {
        Self {
            source,
            names,
            slots: [const { OnceCell::new() }; SLOTS],
            known: Cell::new(0),
            often: Cell::new(0),
            plain: Cell::new(None),
            error: RefCell::new(None),
        }
    }

    /// What went wrong while reading, if anything did.
    #[inline]
    pub fn check(&self) -> PyResult<()> {
        self.error.take().map_or(Ok(()), Err)
    }

    fn keep(&self, error: PyErr) {
        self.error.borrow_mut().get_or_insert(error);
    }

    fn dict_is_plain(&self, dict: &Bound<'py, PyDict>) -> bool {
        if let Some(plain) = self.plain.get() {
            return plain;
        }
        let is_lower = |key: &Value<'py>| {
            let key = key.cast::<PyString>().ok().and_then(|key| key.to_str().ok());
            key.is_some_and(|key| !key.bytes().any(|byte| byte.is_ascii_uppercase()))
        };
        let plain = dict.iter().all(|(key, _)| is_lower(&key));
        self.plain.set(Some(plain));
        plain
    }

    /// Calls `visit` with each value of a header until it answers false.
    fn each(&self, name: &str, visit: &mut dyn FnMut(Value<'py>) -> PyResult<bool>) -> PyResult<()> {
        let is_name = |key: &Value<'py>| -> PyResult<bool> {
            Ok(text(key, "the name of a header")?.eq_ignore_ascii_case(name.as_bytes()))
        };
        match &self.source {
            Source::Dict(dict) => {
                for (key, value) in dict.iter() {
                    if is_name(&key)? && !visit(value)? {
                        return Ok(());
                    }
                }
            }
            Source::Pairs(pairs) => {
                for pair in pairs.try_iter()? {
                    let pair = pair?;
                    if is_name(&pair.get_item(0)?)? && !visit(pair.get_item(1)?)? {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// The single value of a header, if it has one and can be remembered.
    #[inline]
    fn single(&self, number: u32) -> PyResult<Single<'_, 'py>> {
        let Some(slot) = self.slots.get(number as usize) else { return Ok(Single::Unknown) };
        let bit = 1_u8 << number;
        if self.known.get() & bit == 0 {
            match &self.source {
                Source::Dict(dict) => self.look_up(dict, number as usize, slot)?,
                Source::Pairs(pairs) => self.read_all(pairs)?,
            }
        }
        Ok(match slot.get() {
            _ if self.often.get() & bit != 0 => Single::Unknown,
            Some(value) => Single::Value(value),
            None => Single::Absent,
        })
    }

    /// A lower-case name is found at once, any other by going through them all.
    #[inline]
    fn look_up(&self, dict: &Bound<'py, PyDict>, number: usize, slot: &OnceCell<Value<'py>>) -> PyResult<()> {
        let Some(key) = self.names.get(number) else { return Ok(()) };
        if let Some(value) = dict.get_item(key.bind(dict.py()))? {
            let _ = slot.set(value);
            self.known.set(self.known.get() | 1 << number);
        } else if self.dict_is_plain(dict) {
            self.known.set(self.known.get() | 1 << number);
        } else {
            for (name, value) in dict.iter() {
                self.read(&name, value)?;
            }
            self.known.set(u8::MAX);
        }
        Ok(())
    }

    /// Goes through a list of pairs, once.
    fn read_all(&self, pairs: &Value<'py>) -> PyResult<()> {
        for pair in pairs.try_iter()? {
            let pair = pair?;
            match pair.cast::<PyTuple>().map(PyTupleMethods::as_slice) {
                Ok([name, value]) => self.read(name, value.clone())?,
                _ => self.read(&pair.get_item(0)?, pair.get_item(1)?)?,
            }
        }
        self.known.set(u8::MAX);
        Ok(())
    }

    /// Keeps one header, if the table asks about it.
    fn read(&self, name: &Value<'py>, value: Value<'py>) -> PyResult<()> {
        let name = text(name, "the name of a header")?;
        for (number, (slot, wanted)) in self.slots.iter().zip(self.names).enumerate() {
            if !name.eq_ignore_ascii_case(wanted.bind(value.py()).to_str()?.as_bytes()) {
                continue;
            }
            let bit = 1_u8 << number;
            if self.known.get() & bit == 0 && slot.set(value).is_err() {
                self.often.set(self.often.get() | bit);
            }
            return Ok(());
        }
        Ok(())
    }
}

/// What is known of a header without going through all of them.
enum Single<'s, 'py> {
    Value(&'s Value<'py>),
    Absent,
    Unknown,
}

/// One value, or a list of them.
#[inline]
fn any_value(value: &Value<'_>, test: &mut dyn FnMut(&[u8]) -> bool) -> PyResult<bool> {
    if let Some(text) = value.cast::<PyString>().ok().and_then(|string| string.to_str().ok()) {
        return Ok(test(text.as_bytes()));
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        for one in value.try_iter()? {
            if test(&text(&one?, "the value of a header")?) {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    Ok(test(&text(value, "the value of a header")?))
}

impl Headers for PyHeaders<'_, '_> {
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> Option<bool> {
        let mut found = None;
        let read = self.each(name, &mut |value| {
            let passed = any_value(&value, test)?;
            found = Some(passed);
            Ok(!passed)
        });
        if let Err(error) = read {
            self.keep(error);
        }
        found
    }

    fn any_numbered(&self, number: u32, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> Option<bool> {
        match self.single(number) {
            Ok(Single::Value(value)) => Some(any_value(value, test).unwrap_or_else(|error| {
                self.keep(error);
                false
            })),
            Ok(Single::Absent) => None,
            Ok(Single::Unknown) => self.any(name, test),
            Err(error) => {
                self.keep(error);
                None
            }
        }
    }
}
