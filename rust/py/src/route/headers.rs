//! Headers as Python has them, read in place, and only when a rule asks for one.

use super::request::text;
use super::short::{Name, have_items, utf8_of};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use trimtab_core::route::{AskedValue, AskedValues, Headers};

/// How many of the headers that a table asks about are remembered when all headers were gone through.
const SLOTS: usize = 8;

type Value<'py> = Bound<'py, PyAny>;

/// The headers of one request.
pub struct PyHeaders<'a, 'py> {
    source: Source<'a, 'py>,
    /// The names that the table asks about, by their number.
    names: &'a [Name],
    /// Made when it is first needed: most requests are answered without it.
    seen: OnceCell<Box<Seen<'py>>>,
}

/// What was found out about headers.
#[derive(Default)]
struct Seen<'py> {
    /// What was found when all headers were gone through: pairs when one is asked for, a dict only
    /// when a name in it is no lower-case str, and so may stand for one that is not found.
    read: OnceCell<Read<'py>>,
    /// Whether all names in the dict are lower-case str: then one that is not found is not there.
    plain: Cell<Option<bool>>,
    /// What went wrong first while reading; whoever matched asks for it afterwards.
    error: OnceCell<PyErr>,
}

/// How headers were given.
enum Source<'a, 'py> {
    Dict(&'a Bound<'py, PyDict>),
    /// A list or tuple of pairs, or what gives one.
    Pairs(Cow<'a, Value<'py>>),
}

/// The headers by the first of the numbers of their names.
#[derive(Default)]
struct Read<'py>([Single<Value<'py>>; SLOTS]);

/// What is known of a header without going through all of them.
#[derive(Default)]
enum Single<V> {
    Value(V),
    #[default]
    Absent,
    /// There is more than one, or there is no room to remember it.
    Unknown,
}

impl<'a, 'py> Source<'a, 'py> {
    /// What is no dict: another mapping, or a list or tuple of pairs.
    #[inline(never)]
    fn other(headers: &'a Value<'py>) -> PyResult<Self> {
        if headers.is_instance_of::<PyList>() || headers.is_instance_of::<PyTuple>() {
            Ok(Self::Pairs(Cow::Borrowed(headers)))
        } else if headers.hasattr("items")? {
            let items = headers.call_method0("items")?;
            Ok(Self::Pairs(Cow::Owned(headers.py().get_type::<PyList>().call1((items,))?)))
        } else {
            let given = headers.get_type().name()?;
            Err(PyTypeError::new_err(format!("headers must be a dict or a list of pairs, not {given}")))
        }
    }

    /// Calls `visit` with each name and value until it answers false.
    fn each(&self, mut visit: impl FnMut(&Value<'py>, Value<'py>) -> PyResult<bool>) -> PyResult<()> {
        match self {
            Self::Dict(dict) => {
                for (name, value) in dict.iter() {
                    if !visit(&name, value)? {
                        break;
                    }
                }
            }
            Self::Pairs(pairs) => {
                for pair in pairs.try_iter()? {
                    let pair = pair?;
                    let more = match pair.cast::<PyTuple>().map(PyTupleMethods::as_slice) {
                        Ok([name, value]) => visit(name, value.clone())?,
                        _ => visit(&pair.get_item(0)?, pair.get_item(1)?)?,
                    };
                    if !more {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

impl<'a, 'py> PyHeaders<'a, 'py> {
    /// Headers that were given in one of the ways that frameworks have: a dict, another mapping, or a
    /// list or tuple of pairs.
    #[expect(clippy::inline_always, reason = "a call of it is a part of what headers take")]
    #[inline(always)]
    pub fn of(headers: &'a Value<'py>, names: &'a [Name]) -> PyResult<Self> {
        match headers.cast::<PyDict>() {
            Ok(dict) => Ok(Self::new(Source::Dict(dict), names)),
            Err(_) => Source::other(headers).map(|source| Self::new(source, names)),
        }
    }

    #[inline]
    fn new(source: Source<'a, 'py>, names: &'a [Name]) -> Self {
        Self { source, names, seen: OnceCell::new() }
    }

    /// Whether anything may have gone wrong while reading: only then there is something to check.
    #[inline]
    pub fn has_doubts(&self) -> bool {
        self.seen.get().is_some()
    }

    /// What went wrong while reading, if anything did.
    #[inline(never)]
    pub fn check(self) -> PyResult<()> {
        self.seen.into_inner().and_then(|seen| seen.error.into_inner()).map_or(Ok(()), Err)
    }

    /// The answer, or what it is when reading went wrong.
    fn or_keep<T>(&self, answer: PyResult<T>, otherwise: T) -> T {
        answer.unwrap_or_else(|error| {
            let _ = self.seen().error.set(error);
            otherwise
        })
    }

    fn seen(&self) -> &Seen<'py> {
        self.seen.get_or_init(Box::default)
    }

    fn dict_is_plain(&self, dict: &Bound<'py, PyDict>) -> bool {
        if let Some(plain) = self.seen().plain.get() {
            return plain;
        }
        let is_lower =
            |key: &Value<'py>| utf8_of(key).is_some_and(|key| !key.iter().any(u8::is_ascii_uppercase));
        let plain = dict.iter().all(|(key, _)| is_lower(&key));
        self.seen().plain.set(Some(plain));
        plain
    }

    /// The header of this number. In a dict a lower-case name is found at once.
    fn single(&self, number: usize) -> PyResult<Single<Value<'py>>> {
        if let (Source::Dict(dict), Some(name)) = (&self.source, self.names.get(number)) {
            if let Some(value) = dict.get_item(name.text(dict.py()))? {
                return Ok(Single::Value(value));
            }
            if self.dict_is_plain(dict) {
                return Ok(Single::Absent);
            }
        }
        let seen = self.seen();
        if seen.read.get().is_none() {
            let _ = seen.read.set(self.read_all()?);
        }
        let known = seen.read.get().and_then(|read| read.0.get(number));
        Ok(match known {
            Some(Single::Value(value)) => Single::Value(value.clone()),
            Some(Single::Absent) => Single::Absent,
            Some(Single::Unknown) | None => Single::Unknown,
        })
    }

    /// Goes through all headers, once.
    fn read_all(&self) -> PyResult<Read<'py>> {
        let mut read = Read::default();
        self.source.each(|name, value| {
            let name = text(name, "the name of a header")?;
            for (slot, wanted) in read.0.iter_mut().zip(self.names) {
                if utf8_of(wanted.text(value.py())).is_some_and(|wanted| name.eq_ignore_ascii_case(wanted)) {
                    *slot = match slot {
                        Single::Absent => Single::Value(value),
                        _ => Single::Unknown,
                    };
                    break;
                }
            }
            Ok(true)
        })?;
        Ok(read)
    }

    /// Like [`Headers::have`].
    #[inline(never)]
    fn have_longer(&self, mut asked: AskedValues<'_>) -> bool {
        let has = |one: AskedValue<'_>| {
            self.any_numbered(one.number(), one.name(), &mut |value| one.is(value)) == Some(true)
        };
        asked.all(has)
    }

    /// Like [`Headers::any`].
    fn find(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> PyResult<Option<bool>> {
        let mut found = None;
        self.source.each(|key, value| {
            if !text(key, "the name of a header")?.eq_ignore_ascii_case(name.as_bytes()) {
                return Ok(true);
            }
            let passed = any_value(&value, test)?;
            found = Some(passed);
            Ok(!passed)
        })?;
        Ok(found)
    }
}

/// One value, or a list of them.
#[inline]
fn any_value(value: &Value<'_>, test: &mut dyn FnMut(&[u8]) -> bool) -> PyResult<bool> {
    if let Some(text) = utf8_of(value) {
        return Ok(test(text));
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
        self.or_keep(self.find(name, test), None)
    }

    fn any_numbered(&self, number: u32, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> Option<bool> {
        let answer = match self.single(number as usize) {
            Ok(Single::Value(value)) => any_value(&value, test).map(Some),
            Ok(Single::Absent) => Ok(None),
            Ok(Single::Unknown) => self.find(name, test),
            Err(error) => Err(error),
        };
        self.or_keep(answer, None)
    }

    #[inline]
    fn have(&self, asked: AskedValues<'_>) -> bool {
        if let Source::Dict(dict) = &self.source
            && let Some(have) = have_items(dict, self.names, asked.clone())
        {
            return have;
        }
        self.have_longer(asked)
    }
}
