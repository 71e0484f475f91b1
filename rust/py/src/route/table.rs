//! Tables and what they answer.

use super::request::Arguments;
use super::rule::Rule;
use crate::error::{fault, rule_error};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use std::sync::Arc;
use trimtab_core::route::{
    HostPattern, LinearTable, Outcome, Precedence, RouteTable as CoreTable, RuleError as CoreError,
    VirtualHosts,
};

/// The rule that gets a request.
#[pyclass(frozen, module = "trimtab._core")]
pub struct Match {
    rule: Py<Rule>,
    /// The place of the rule in its table, 0 for the one that is tried first.
    #[pyo3(get)]
    rank: u32,
    /// Which target was picked, where one was.
    target: Option<usize>,
}

#[pymethods]
impl Match {
    /// The name of the rule.
    #[getter]
    fn route(&self) -> &str {
        self.rule.get().name()
    }

    /// The rule itself.
    #[getter]
    fn rule(&self, py: Python<'_>) -> Py<Rule> {
        self.rule.clone_ref(py)
    }

    /// Pairs of name and weight.
    #[getter]
    fn targets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.rule.get().targets(py)
    }

    /// What the rule was given as `data`.
    #[getter]
    fn data(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.rule.get().data(py)
    }

    /// The name of the target that was picked, where the match comes from `RouteTable.route`.
    #[getter]
    fn target(&self) -> Option<&str> {
        let targets = self.rule.get().inner.targets();
        self.target.and_then(|index| targets.get(index)).map(trimtab_core::route::Target::name)
    }

    /// The name of the target that Envoy picks when it has drawn `value` (0 to 2**64 - 1).
    ///
    /// Raises ValueError when the rule has no targets.
    fn pick(&self, value: u64) -> PyResult<&str> {
        let rule = &self.rule.get().inner;
        rule.pick(value)
            .map(trimtab_core::route::Target::name)
            .ok_or_else(|| PyValueError::new_err(format!("rule {:?} has no targets", rule.name())))
    }

    fn __repr__(&self) -> String {
        match self.target() {
            None => format!("Match('{}', rank={})", self.route(), self.rank),
            Some(target) => format!("Match('{}', rank={}, target='{target}')", self.route(), self.rank),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.rule)
    }
}

/// One rule of a table with the answers that name it, each made once, when it is first given.
struct Entry {
    rule: Py<Rule>,
    matched: PyOnceLock<Py<Match>>,
    picked: PyOnceLock<Box<[PyOnceLock<Py<Match>>]>>,
}

/// An immutable set of rules in order: which of them gets a request?
///
/// `order` is "listed" (Envoy: the first that matches) or "priority-then-length" (the lower
/// priority number, none counting as 1001; then the longer path; exact before regex before prefix;
/// the rule with more conditions; the name). `empty_hosts` have no rule: their requests get no
/// answer, where those of a host that nobody names get the rules of `*`. `ignore_port` looks up
/// the host of a request without its port. Safe to share among threads.
///
/// >>> table = RouteTable([Rule("cart", prefix="/cart", targets=[("v1", 9), ("v2", 1)])])
/// >>> table.match("/cart/1?q=x", "shop.example", "GET").pick(9)
/// 'v2'
#[pyclass(frozen, module = "trimtab._core")]
pub struct RouteTable {
    table: CoreTable,
    /// The same rules as a list: it explains, and it is what the table is compared with.
    list: LinearTable,
    entries: Vec<Entry>,
    /// The names of the headers that rules ask about.
    header_names: Vec<Py<PyString>>,
}

#[pymethods]
impl RouteTable {
    #[new]
    #[pyo3(signature = (rules, order="listed", *, empty_hosts=Vec::new(), ignore_port=false),
           text_signature = "(rules, order='listed', *, empty_hosts=(), ignore_port=False)")]
    fn new(
        py: Python<'_>,
        rules: &Bound<'_, PyAny>,
        order: &str,
        empty_hosts: Vec<String>,
        ignore_port: bool,
    ) -> PyResult<Self> {
        let order = match order {
            "listed" => Precedence::Listed,
            "priority-then-length" => Precedence::PriorityThenLength,
            other => {
                let message = format!("order must be 'listed' or 'priority-then-length', not {other:?}");
                return Err(PyValueError::new_err(message));
            }
        };
        let mut rules: Vec<Ordered> = rules
            .try_iter()?
            .map(|rule| Ok(Ordered(rule?.cast::<Rule>()?.clone().unbind())))
            .collect::<PyResult<_>>()?;
        order.sort(&mut rules);
        let inner: Vec<_> = rules.iter().map(|rule| rule.0.get().inner.clone()).collect();
        let mut hosts = VirtualHosts::of(&inner).ignoring_port(ignore_port);
        for host in &empty_hosts {
            let pattern = HostPattern::parse(host)
                .map_err(|CoreError { fault: why, .. }| rule_error(py, &fault("empty_hosts", why)))?;
            hosts.add_empty(pattern);
        }
        let table = CoreTable::new(inner.clone(), &hosts, seed(py)?)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let header_names =
            table.header_names().iter().map(|name| PyString::intern(py, name).unbind()).collect();
        let entries = rules.into_iter().map(|Ordered(rule)| Entry {
            rule,
            matched: PyOnceLock::new(),
            picked: PyOnceLock::new(),
        });
        Ok(Self { entries: entries.collect(), table, list: LinearTable::new(inner, hosts), header_names })
    }

    /// The table that App Mesh manifests (files and directories) give an Envoy: that of a client,
    /// where every VirtualService is a host, or that of the first listener of a `gateway`, `name`
    /// or `namespace/name`. `values` are files or KEY=VALUE pairs for placeholders. Raises
    /// `trimtab.errors.InvalidDocument`.
    #[staticmethod]
    #[pyo3(signature = (paths, *, gateway=None, values=None), text_signature = "(paths, *, gateway=None, values=())")]
    fn from_manifests<'py>(
        paths: Bound<'py, PyAny>,
        gateway: Option<&Bound<'py, PyAny>>,
        values: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = paths.py();
        let values = values.map_or_else(|| PyTuple::empty(py).into_any(), Clone::clone);
        py.import("trimtab.table")?.call_method1("from_manifests", (paths, gateway, values))
    }

    /// The table of an Envoy v3 RouteConfiguration: a document, YAML or JSON text, a file, or what
    /// Envoy's `/config_dump` answers; `name` says which one where there are several. The `data` of
    /// a rule is its `trimtab.providers.envoy_routes.EnvoyRoute`. Raises
    /// `trimtab.errors.InvalidDocument` for what cannot be honoured.
    ///
    /// >>> route = {"name": "all", "match": {"prefix": "/"}, "route": {"cluster": "shop"}}
    /// >>> host = {"name": "shop", "domains": ["*"], "routes": [route]}
    /// >>> RouteTable.from_envoy({"virtual_hosts": [host]}).match("/cart").targets
    /// (('shop', 1),)
    #[staticmethod]
    #[pyo3(signature = (source, *, name=None))]
    fn from_envoy<'py>(
        source: Bound<'py, PyAny>,
        name: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        source.py().import("trimtab.table")?.call_method1("from_envoy", (source, name))
    }

    /// The rule that gets this request, or None.
    ///
    /// `path` may carry a query. `headers` is a dict (a value may be a list), another mapping, or
    /// a list of pairs; names in any case, texts as str or bytes. What is not given is absent: a
    /// rule that asks for it does not match.
    #[pyo3(signature = (path, host=None, method=None, headers=None, *, scheme=None, port=None))]
    fn r#match<'py>(
        &self,
        py: Python<'py>,
        path: &Bound<'py, PyAny>,
        host: Option<&Bound<'py, PyAny>>,
        method: Option<&Bound<'py, PyAny>>,
        headers: Option<&Bound<'py, PyAny>>,
        scheme: Option<&Bound<'py, PyAny>>,
        port: Option<u16>,
    ) -> PyResult<Option<Py<Match>>> {
        self.find(py, &Arguments { path, host, method, headers, scheme, port })
    }

    /// The same, with the target that Envoy picks when it has drawn `value`.
    ///
    /// The answer's `target` is None when the rule has no targets.
    #[pyo3(signature = (path, host=None, method=None, headers=None, *, value, scheme=None, port=None))]
    fn route<'py>(
        &self,
        py: Python<'py>,
        path: &Bound<'py, PyAny>,
        host: Option<&Bound<'py, PyAny>>,
        method: Option<&Bound<'py, PyAny>>,
        headers: Option<&Bound<'py, PyAny>>,
        value: u64,
        scheme: Option<&Bound<'py, PyAny>>,
        port: Option<u16>,
    ) -> PyResult<Option<Py<Match>>> {
        let arguments = Arguments { path, host, method, headers, scheme, port };
        match arguments.lend(&self.header_names, |request| self.table.find(request))? {
            None => Ok(None),
            Some(rank) => self.picked(py, rank, value),
        }
    }

    /// One answer for each request: a path, or a tuple of up to path, host, method, headers.
    fn match_many<'py>(
        &self,
        py: Python<'py>,
        requests: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<Option<Py<Match>>>> {
        let mut answers = Vec::with_capacity(requests.len().unwrap_or(0));
        if let Ok(list) = requests.cast::<PyList>() {
            for request in list {
                answers.push(self.find_one_of_many(py, &request)?);
            }
        } else {
            for request in requests.try_iter()? {
                answers.push(self.find_one_of_many(py, &request?)?);
            }
        }
        Ok(answers)
    }

    /// The same answer as `match`, by trying one rule after the other: what `match` is tested against.
    #[pyo3(signature = (path, host=None, method=None, headers=None, *, scheme=None, port=None))]
    fn match_listed<'py>(
        &self,
        py: Python<'py>,
        path: &Bound<'py, PyAny>,
        host: Option<&Bound<'py, PyAny>>,
        method: Option<&Bound<'py, PyAny>>,
        headers: Option<&Bound<'py, PyAny>>,
        scheme: Option<&Bound<'py, PyAny>>,
        port: Option<u16>,
    ) -> PyResult<Option<Py<Match>>> {
        let arguments = Arguments { path, host, method, headers, scheme, port };
        match arguments.lend(&self.header_names, |request| self.list.find(request))? {
            None => Ok(None),
            Some(rank) => self.matched(py, rank),
        }
    }

    /// What became of each rule, in order: its name, whether it matches, and why it does not get
    /// the request (None for the one that does).
    #[pyo3(signature = (path, host=None, method=None, headers=None, *, scheme=None, port=None))]
    fn explain<'py>(
        &self,
        path: &Bound<'py, PyAny>,
        host: Option<&Bound<'py, PyAny>>,
        method: Option<&Bound<'py, PyAny>>,
        headers: Option<&Bound<'py, PyAny>>,
        scheme: Option<&Bound<'py, PyAny>>,
        port: Option<u16>,
    ) -> PyResult<Vec<(String, bool, Option<String>)>> {
        Arguments { path, host, method, headers, scheme, port }.lend(&self.header_names, |request| {
            let outcomes = self.list.explain(request);
            let rules = self.list.rules().iter();
            rules
                .zip(outcomes)
                .map(|(rule, outcome)| (rule.name().to_owned(), outcome.matches(), self.reason(outcome)))
                .collect()
        })
    }

    /// The rules in the order in which they are tried.
    #[getter]
    fn rules<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.entries.iter().map(|entry| &entry.rule))
    }

    fn __len__(&self) -> usize {
        self.entries.len()
    }

    fn __repr__(&self) -> String {
        format!("RouteTable({} rules)", self.entries.len())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.entries.iter().try_for_each(|entry| visit.call(&entry.rule))
    }
}

impl RouteTable {
    fn find(&self, py: Python<'_>, arguments: &Arguments<'_, '_>) -> PyResult<Option<Py<Match>>> {
        match arguments.lend(&self.header_names, |request| self.table.find(request))? {
            None => Ok(None),
            Some(rank) => self.matched(py, rank),
        }
    }

    fn entry(&self, rank: u32) -> Option<&Entry> {
        self.entries.get(usize::try_from(rank).ok()?)
    }

    fn matched(&self, py: Python<'_>, rank: u32) -> PyResult<Option<Py<Match>>> {
        let Some(entry) = self.entry(rank) else { return Ok(None) };
        let made = || Py::new(py, Match { rule: entry.rule.clone_ref(py), rank, target: None });
        entry.matched.get_or_try_init(py, made).map(|answer| Some(answer.clone_ref(py)))
    }

    fn picked(&self, py: Python<'_>, rank: u32, value: u64) -> PyResult<Option<Py<Match>>> {
        let Some(entry) = self.entry(rank) else { return Ok(None) };
        let rule = &entry.rule.get().inner;
        let Some(index) = rule.pick_index(value) else { return self.matched(py, rank) };
        let slots =
            entry.picked.get_or_init(py, || rule.targets().iter().map(|_| PyOnceLock::new()).collect());
        let Some(slot) = slots.get(index) else { return self.matched(py, rank) };
        let made = || Py::new(py, Match { rule: entry.rule.clone_ref(py), rank, target: Some(index) });
        slot.get_or_try_init(py, made).map(|answer| Some(answer.clone_ref(py)))
    }

    fn find_one_of_many<'py>(
        &self,
        py: Python<'py>,
        request: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Py<Match>>> {
        if request.is_instance_of::<PyString>() || request.is_instance_of::<PyBytes>() {
            let (host, method, headers) = (None, None, None);
            return self
                .find(py, &Arguments { path: request, host, method, headers, scheme: None, port: None });
        }
        let Ok(parts) = request.cast::<PyTuple>() else {
            let message = "a request must be a path, or a tuple of up to path, host, method, headers";
            return Err(PyTypeError::new_err(message));
        };
        let count = parts.len();
        if count == 0 || count > 4 {
            return Err(PyValueError::new_err(format!("a request has 1 to 4 parts, not {count}")));
        }
        let part = |index| {
            let part = if index < count { Some(parts.get_borrowed_item(index)?) } else { None };
            PyResult::Ok(part.filter(|part| !part.is_none()))
        };
        let path = parts.get_borrowed_item(0)?;
        let (host, method, headers) = (part(1)?, part(2)?, part(3)?);
        self.find(
            py,
            &Arguments {
                path: &path,
                host: host.as_deref(),
                method: method.as_deref(),
                headers: headers.as_deref(),
                scheme: None,
                port: None,
            },
        )
    }

    fn reason(&self, outcome: Outcome<'_>) -> Option<String> {
        match outcome {
            Outcome::Won => None,
            Outcome::Behind(rank) => {
                let first = self.list.rule(rank).map_or("", |rule| rule.name());
                Some(format!("matches, but {first:?} (rank {rank}) is tried before it"))
            }
            other => Some(other.to_string()),
        }
    }
}

/// What nobody outside this process can guess: Python's own secret for the hashes of its strings.
fn seed(py: Python<'_>) -> PyResult<u64> {
    Ok(PyString::new(py, "trimtab").hash()?.unsigned_abs() as u64)
}

/// A rule of Python, put in order by what it holds.
struct Ordered(Py<Rule>);

impl AsRef<trimtab_core::route::Rule> for Ordered {
    fn as_ref(&self) -> &trimtab_core::route::Rule {
        let inner: &Arc<_> = &self.0.get().inner;
        inner
    }
}
