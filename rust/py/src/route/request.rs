//! Requests as Python has them: text in `str` or `bytes`.

use super::headers::PyHeaders;
use super::short::{Name, utf8_of};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use std::borrow::Cow;
use trimtab_core::route::{NoHeaders, Request};

/// The bytes of a `str` or `bytes`, as a client would send them; borrowed, unless the text holds
/// lone surrogates. Those that stand for bytes which were no UTF-8 (PEP 383) become these bytes;
/// others stand for nothing that could be sent: UnicodeEncodeError.
pub fn text<'a>(value: &'a Bound<'_, PyAny>, what: &str) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(string) = value.cast::<PyString>() {
        return match utf8_of(value) {
            Some(text) => Ok(Cow::Borrowed(text)),
            None => escaped(string).map(Cow::Owned),
        };
    }
    match value.cast::<PyBytes>() {
        Ok(bytes) => Ok(Cow::Borrowed(bytes.as_bytes())),
        Err(_) => Err(PyTypeError::new_err(format!(
            "{what} must be str or bytes, not {}",
            value.get_type().name()?
        ))),
    }
}

#[cold]
fn escaped(string: &Bound<'_, PyString>) -> PyResult<Vec<u8>> {
    let encoded = string.call_method1("encode", ("utf-8", "surrogateescape"))?;
    Ok(encoded.cast::<PyBytes>()?.as_bytes().to_vec())
}

/// The arguments of one request.
pub struct Arguments<'a, 'py> {
    pub path: &'a Bound<'py, PyAny>,
    pub host: Option<&'a Bound<'py, PyAny>>,
    pub method: Option<&'a Bound<'py, PyAny>>,
    pub headers: Option<&'a Bound<'py, PyAny>>,
    pub scheme: Option<&'a Bound<'py, PyAny>>,
    pub port: Option<u16>,
}

impl Arguments<'_, '_> {
    /// Lends the request to `answer`; `names` are those of the headers that it may ask about.
    pub fn lend<T>(&self, names: &[Name], answer: impl FnOnce(&Request<'_>) -> T) -> PyResult<T> {
        let target = text(self.path, "path")?;
        let host = self.host.map(|value| text(value, "host")).transpose()?;
        let method = self.method.map(|value| text(value, "method")).transpose()?;
        let scheme = self.scheme.map(|value| text(value, "scheme")).transpose()?;
        let headers = match self.headers {
            Some(headers) => Some(PyHeaders::of(headers, names)?),
            None => None,
        };
        let request = Request {
            target: &target,
            host: host.as_deref().unwrap_or_default(),
            method: method.as_deref(),
            scheme: scheme.as_deref(),
            port: self.port,
            headers: match &headers {
                Some(headers) => headers,
                None => &NoHeaders,
            },
        };
        let answer = answer(&request);
        match headers {
            Some(headers) => headers.check().map(|()| answer),
            None => Ok(answer),
        }
    }
}
