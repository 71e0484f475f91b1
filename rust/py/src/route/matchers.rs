//! Conditions on headers and query parameters.

use crate::error::{fault, rule_error};
use pyo3::prelude::*;
use trimtab_core::route::{
    Fault, HeaderMatch as CoreHeader, HeaderTest, Pattern, QueryMatch as CoreQuery, QueryTest, RuleError,
    TextKind, TextMatch,
};

/// The texts of which one at most may be given.
#[derive(Default)]
struct Texts {
    exact: Option<String>,
    prefix: Option<String>,
    suffix: Option<String>,
    contains: Option<String>,
    regex: Option<String>,
}

impl Texts {
    /// The one that was given, if any; `others` counts what else was given beside it.
    fn one(
        self,
        ignore_case: bool,
        others: usize,
        names: &'static str,
    ) -> Result<Option<TextMatch>, RuleError> {
        let regex = match self.regex {
            Some(text) => Some(TextKind::Regex(pattern("regex", &text)?)),
            None => None,
        };
        let mut given = [
            self.exact.map(|text| TextKind::Exact(text.into())),
            self.prefix.map(|text| TextKind::Prefix(text.into())),
            self.suffix.map(|text| TextKind::Suffix(text.into())),
            self.contains.map(|text| TextKind::Contains(text.into())),
            regex,
        ]
        .into_iter()
        .flatten();
        let first = given.next();
        if given.count() + usize::from(first.is_some()) + others > 1 {
            return Err(fault("arguments", Fault::OneOf(names)));
        }
        match first {
            Some(kind) => TextMatch::new(kind, ignore_case).map(Some),
            None if ignore_case => Err(fault("ignore_case", Fault::Unused("no text to compare"))),
            None => Ok(None),
        }
    }
}

/// A regex, or the fault that names its field.
pub fn pattern(field: &str, text: &str) -> Result<Pattern, RuleError> {
    Pattern::new(text).map_err(|refusal| fault(field, Fault::Regex(text.to_owned(), refusal)))
}

/// A condition on one header.
///
/// Give one of `exact`, `prefix`, `suffix`, `contains`, `regex` (RE2 syntax, the whole value),
/// `range` (whole numbers, the end not included) or `present`; none means that the header is
/// there. Of a repeated header one value that passes is enough. An absent header fails every
/// condition on its value, inverted or not, unless `treat_missing_as_empty`.
///
/// >>> HeaderMatch("x-canary", exact="1")
/// HeaderMatch('header "x-canary" must equal "1"')
#[pyclass(frozen, module = "trimtab._core")]
pub struct HeaderMatch {
    pub inner: CoreHeader,
}

#[pymethods]
impl HeaderMatch {
    #[new]
    #[pyo3(signature = (name, *, exact=None, prefix=None, suffix=None, contains=None, regex=None, range=None,
                        present=None, invert=false, treat_missing_as_empty=false, ignore_case=false))]
    fn new(
        py: Python<'_>,
        name: &str,
        exact: Option<String>,
        prefix: Option<String>,
        suffix: Option<String>,
        contains: Option<String>,
        regex: Option<String>,
        range: Option<(i64, i64)>,
        present: Option<bool>,
        invert: bool,
        treat_missing_as_empty: bool,
        ignore_case: bool,
    ) -> PyResult<Self> {
        let others = usize::from(range.is_some()) + usize::from(present.is_some());
        let names = "exact, prefix, suffix, contains, regex, range, present";
        Texts { exact, prefix, suffix, contains, regex }
            .one(ignore_case, others, names)
            .map(|text| match (text, range) {
                (Some(text), _) => HeaderTest::Text(text),
                (None, Some((start, end))) => HeaderTest::Range(start, end),
                (None, None) => HeaderTest::Present(present.unwrap_or(true)),
            })
            .and_then(|test| CoreHeader::new(name, test, invert, treat_missing_as_empty))
            .map(|inner| Self { inner })
            .map_err(|error| rule_error(py, &error.inside(&format!("header {name:?}"))))
    }

    /// The name of the header, in lower case.
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn __repr__(&self) -> String {
        format!("HeaderMatch('{}')", self.inner)
    }
}

/// A condition on one parameter of the query, compared as it was sent (nothing is decoded).
///
/// Give one of `exact`, `prefix`, `suffix`, `contains`, `regex` or `present`; none means that the
/// parameter is there. Of a repeated parameter the first value counts.
///
/// >>> QueryMatch("debug")
/// QueryMatch('query parameter "debug" must be present')
#[pyclass(frozen, module = "trimtab._core")]
pub struct QueryMatch {
    pub inner: CoreQuery,
}

#[pymethods]
impl QueryMatch {
    #[new]
    #[pyo3(signature = (name, *, exact=None, prefix=None, suffix=None, contains=None, regex=None, present=None,
                        ignore_case=false))]
    fn new(
        py: Python<'_>,
        name: &str,
        exact: Option<String>,
        prefix: Option<String>,
        suffix: Option<String>,
        contains: Option<String>,
        regex: Option<String>,
        present: Option<bool>,
        ignore_case: bool,
    ) -> PyResult<Self> {
        let names = "exact, prefix, suffix, contains, regex, present";
        Texts { exact, prefix, suffix, contains, regex }
            .one(ignore_case, usize::from(present.is_some()), names)
            .map(|text| text.map_or(QueryTest::Present(present.unwrap_or(true)), QueryTest::Text))
            .and_then(|test| CoreQuery::new(name, test))
            .map(|inner| Self { inner })
            .map_err(|error| rule_error(py, &error.inside(&format!("query parameter {name:?}"))))
    }

    /// The name of the parameter.
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn __repr__(&self) -> String {
        format!("QueryMatch('{}')", self.inner)
    }
}
