//! Rules.

use super::matchers::{HeaderMatch, QueryMatch, pattern};
use crate::error::{fault, rule_error, within};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use pyo3::{PyTraverseError, PyVisit};
use std::sync::Arc;
use trimtab_core::pick::WeightsError;
use trimtab_core::route::{Fault, Grpc, HostPattern, PathMatch, Rule as CoreRule, RuleError, Target};

/// What a rule asks of a request, and where it sends the requests that it gets.
///
/// `path` is the whole path, `prefix` its beginning (`/s` matches `/sx`), `path_separated_prefix`
/// one that ends at a slash, `regex` RE2 syntax for the whole path: at most one of them, and
/// `ignore_case` for the first three. `hosts` are `name`, `*.suffix`, `prefix.*` or `*`; a rule
/// without hosts serves `*`. `grpc` is True for any call, or `"package.Service"`,
/// `"package.Service/Method"`, `"*/Method"`. All `headers` and `query` conditions must hold.
/// `targets` are names with weights. `data` is the caller's own and comes back with each match.
/// Raises RuleError, which names the field.
///
/// >>> Rule("cart", prefix="/cart", methods=["GET"], targets=[("v1", 90), ("v2", 10)])
/// Rule('cart')
#[pyclass(frozen, module = "trimtab._core")]
pub struct Rule {
    pub inner: Arc<CoreRule>,
    #[pyo3(get)]
    data: Option<Py<PyAny>>,
    targets: PyOnceLock<Py<PyTuple>>,
}

/// A gRPC condition as given: none, any call, or which calls.
#[derive(FromPyObject)]
enum GrpcArgument {
    Flag(bool),
    Calls(String),
}

/// The paths of which one at most may be given.
struct Paths {
    path: Option<String>,
    prefix: Option<String>,
    regex: Option<String>,
    separated: Option<String>,
    ignore_case: bool,
}

impl Paths {
    fn one(self) -> Result<Option<PathMatch>, RuleError> {
        let regex = self.regex.map(|text| pattern("regex", &text).map(PathMatch::regex)).transpose()?;
        let separated = self.separated.map(|text| PathMatch::separated(&text, false)).transpose()?;
        let given = [
            self.path.map(|text| PathMatch::exact(&text)),
            self.prefix.map(|text| PathMatch::prefix(&text)),
            regex,
            separated,
        ];
        let mut given = given.into_iter().flatten();
        let first = given.next();
        if given.next().is_some() {
            return Err(fault("path", Fault::OneOf("path, prefix, regex, path_separated_prefix")));
        }
        match first {
            Some(path) if self.ignore_case => path.ignoring_case().map(Some),
            None if self.ignore_case => Err(fault("ignore_case", Fault::Unused("no path to compare"))),
            path => Ok(path),
        }
    }
}

#[pymethods]
impl Rule {
    #[new]
    #[pyo3(signature = (name, *, path=None, prefix=None, regex=None, path_separated_prefix=None, ignore_case=false,
                        hosts=Vec::new(), methods=Vec::new(), scheme=None, port=None, grpc=GrpcArgument::Flag(false),
                        headers=Vec::new(), query=Vec::new(), priority=None, targets=Vec::new(), data=None),
           text_signature = "(name, *, path=None, prefix=None, regex=None, path_separated_prefix=None, ignore_case=False, \
                             hosts=(), methods=(), scheme=None, port=None, grpc=False, headers=(), query=(), \
                             priority=None, targets=(), data=None)")]
    fn new(
        py: Python<'_>,
        name: &str,
        path: Option<String>,
        prefix: Option<String>,
        regex: Option<String>,
        path_separated_prefix: Option<String>,
        ignore_case: bool,
        hosts: Vec<String>,
        methods: Vec<String>,
        scheme: Option<String>,
        port: Option<i64>,
        grpc: GrpcArgument,
        headers: Vec<PyRef<'_, HeaderMatch>>,
        query: Vec<PyRef<'_, QueryMatch>>,
        priority: Option<i64>,
        targets: Vec<(String, i64)>,
        data: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let paths = Paths { path, prefix, regex, separated: path_separated_prefix, ignore_case };
        let build = || -> Result<CoreRule, RuleError> {
            let mut rule =
                CoreRule::named(name).with_hosts(parse_hosts(&hosts)?).with_targets(parse_targets(&targets)?);
            if let Some(path) = paths.one()? {
                rule = rule.with_path(path);
            }
            match grpc {
                GrpcArgument::Flag(false) => {}
                GrpcArgument::Flag(true) => rule.set_grpc(&Grpc::Any)?,
                GrpcArgument::Calls(calls) => rule.set_grpc(&Grpc::parse(&calls)?)?,
            }
            rule.set_methods(methods.into_iter().map(Into::into).collect());
            rule.set_entry(scheme.as_deref(), port.map(|port| within("port", port, 1, 65535)).transpose()?);
            rule.set_headers(headers.iter().map(|header| header.inner.clone()).collect());
            rule.set_query(query.iter().map(|query| query.inner.clone()).collect());
            rule.set_priority(priority.map(|n| within("priority", n, 0, i64::from(u32::MAX))).transpose()?);
            rule.checked()
        };
        let inner = build().map_err(|error| rule_error(py, &error.in_rule(name)))?;
        Ok(Self { inner: Arc::new(inner), data, targets: PyOnceLock::new() })
    }

    /// What it is called.
    #[getter]
    pub fn name(&self) -> &str {
        self.inner.name()
    }

    /// The hosts that it serves, in lower case.
    #[getter]
    fn hosts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.inner.hosts().iter().map(ToString::to_string))
    }

    /// Its place among rules, where the order asks for it.
    #[getter]
    fn priority(&self) -> Option<u32> {
        self.inner.priority()
    }

    /// Pairs of name and weight.
    #[getter]
    pub fn targets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let pairs = || {
            let pairs = self.inner.targets().iter().map(|target| (target.name(), target.weight()));
            PyTuple::new(py, pairs).map(Bound::unbind)
        };
        self.targets.get_or_try_init(py, pairs).map(|pairs| pairs.bind(py).clone())
    }

    fn __repr__(&self) -> String {
        format!("Rule('{}')", self.inner.name())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.data)
    }
}

impl Rule {
    /// A rule that is only its targets, of which it has some.
    pub fn of_targets(targets: Vec<Target>) -> Result<Self, RuleError> {
        if targets.is_empty() {
            return Err(fault("targets", Fault::Weights(WeightsError::Zero)));
        }
        let inner = Arc::new(CoreRule::named("targets").with_targets(targets).checked()?);
        Ok(Self { inner, data: None, targets: PyOnceLock::new() })
    }

    /// The same data with another rule.
    pub fn with_inner(&self, py: Python<'_>, inner: Arc<CoreRule>) -> Self {
        Self { inner, data: self.data(py), targets: PyOnceLock::new() }
    }

    /// The data of the caller.
    pub fn data(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.data.as_ref().map(|data| data.clone_ref(py))
    }
}

fn parse_hosts(hosts: &[String]) -> Result<Vec<HostPattern>, RuleError> {
    hosts.iter().map(|host| HostPattern::parse(host)).collect()
}

/// Names with weights, each within 32 bits.
pub fn parse_targets(targets: &[(String, i64)]) -> Result<Vec<Target>, RuleError> {
    let weight = |weight| within("targets", weight, 0, i64::from(u32::MAX));
    targets.iter().map(|(name, number)| Ok(Target::new(name, weight(*number)?))).collect()
}
