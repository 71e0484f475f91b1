//! Tables and what they answer.

use super::answers::Answers;
use super::matched::{Match, Names};
use super::request::Arguments;
use super::rule::Rule;
use super::short::{Name, give_back};
use super::{columns, many, update};
use crate::chance::Turns;
use crate::error::{fault, rule_error};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use trimtab_core::route::{
    HostPattern, LinearTable, Outcome, Precedence, Request, RouteTable as CoreTable, RuleError as CoreError,
    VirtualHosts,
};

/// An immutable set of rules in order: which of them gets a request?
///
/// `order` is "listed" (Envoy: the first that matches), "priority-then-length" (the lower priority
/// number, none counting as 1001; then the longer path; exact before regex before prefix; the rule
/// with more conditions; the name) or "gateway-api" (as HTTPRoute and GRPCRoute have it; where no
/// rule of the best host matches, the next best is asked). `empty_hosts` have no rule: their requests get no
/// answer, where those of a host that nobody names get the rules of `*`. `ignore_port` looks up
/// the host of a request without its port. `seed` makes the picks of `route` repeatable. Safe to
/// share among threads.
///
/// >>> table = RouteTable([Rule("cart", prefix="/cart", targets=[("v1", 9), ("v2", 1)])])
/// >>> table.match("/cart/1?q=x", "shop.example", "GET").pick(9)
/// 'v2'
#[pyclass(frozen, module = "trimtab._core")]
pub struct RouteTable {
    table: CoreTable,
    order: Precedence,
    /// The same rules as a list, once somebody asks: it explains, and it is what the table is
    /// compared with.
    listed: OnceLock<Listed>,
    answers: Answers,
    rules: OnceLock<Py<PyTuple>>,
    /// The names of the headers that rules ask about.
    header_names: Box<[Name]>,
    turns: Arc<Turns>,
}

/// A table as a list, and the numbers of its rules.
struct Listed {
    table: LinearTable,
    numbers: Vec<u32>,
}

#[pymethods]
impl RouteTable {
    #[new]
    #[pyo3(signature = (rules, order="listed", *, empty_hosts=Vec::new(), ignore_port=false, seed=None),
           text_signature = "(rules, order='listed', *, empty_hosts=(), ignore_port=False, seed=None)")]
    fn new(
        py: Python<'_>,
        rules: &Bound<'_, PyAny>,
        order: &str,
        empty_hosts: Vec<String>,
        ignore_port: bool,
        seed: Option<u64>,
    ) -> PyResult<Self> {
        let order = order_of(order)?;
        let rules = in_order(order, rules)?;
        let inner: Vec<_> = rules.iter().map(|rule| rule.get().inner.clone()).collect();
        let mut hosts = VirtualHosts::of(&inner).in_mode(order.host_mode()).ignoring_port(ignore_port);
        for host in &empty_hosts {
            let pattern = HostPattern::parse(host)
                .map_err(|CoreError { fault: why, .. }| rule_error(py, &fault("empty_hosts", why)))?;
            hosts.add_empty(pattern);
        }
        let table = CoreTable::new(inner, &hosts, secret(py)?)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        drop(hosts);
        let count = rules.len();
        let answers = Answers::new(py, rules)?;
        give_back(count);
        Ok(Self::of(py, table, order, answers, Arc::new(Turns::new(py, seed)?)))
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
        path: &Bound<'py, PyAny>,
        host: Option<&Bound<'py, PyAny>>,
        method: Option<&Bound<'py, PyAny>>,
        headers: Option<&Bound<'py, PyAny>>,
        scheme: Option<&Bound<'py, PyAny>>,
        port: Option<u16>,
    ) -> PyResult<Option<Bound<'py, Match>>> {
        let arguments = Arguments { path, host, method, headers, scheme, port };
        let rank = arguments.lend(&self.header_names, |request| self.find(request))?;
        self.answer(path.py(), rank)
    }

    /// The same, with the target that Envoy picks when it has drawn `value` (0 to 2**64 - 1); without
    /// one, a number is drawn: the next of the sequence that the table's `seed` gives.
    ///
    /// The answer's `target` is None when the rule has no targets.
    #[pyo3(signature = (path, host=None, method=None, headers=None, value=None, *, scheme=None, port=None))]
    fn route<'py>(
        &self,
        py: Python<'py>,
        path: &Bound<'py, PyAny>,
        host: Option<&Bound<'py, PyAny>>,
        method: Option<&Bound<'py, PyAny>>,
        headers: Option<&Bound<'py, PyAny>>,
        value: Option<u64>,
        scheme: Option<&Bound<'py, PyAny>>,
        port: Option<u16>,
    ) -> PyResult<Option<Bound<'py, Match>>> {
        let arguments = Arguments { path, host, method, headers, scheme, port };
        let rank = arguments.lend(&self.header_names, |request| self.find(request))?;
        self.picked(py, rank, value)
    }

    /// One answer for each request: a path, or a tuple of up to path, host, method, headers.
    fn match_many<'py>(&self, py: Python<'py>, requests: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        many::match_many(self, py, requests)
    }

    /// The ranks of the rules that get the requests, as a memoryview of 32-bit numbers, 2**32 - 1
    /// where none does: `rule(rank)` is the rule.
    ///
    /// `paths` is a list of str or bytes, or a tuple of bytes and offsets: all texts one after the
    /// other, and where each begins and the last ends, as a buffer of 32 or 64-bit numbers (Arrow's
    /// layout). `hosts` and `methods` are the same, or one for all. Other threads run meanwhile where
    /// no column is a list and there are 1,000 requests or more.
    ///
    /// >>> table = RouteTable([Rule("a", prefix="/a"), Rule("b", prefix="/b")])
    /// >>> table.match_columns(["/b", "/a/1", "/"], "shop.example").tolist()
    /// [1, 0, 4294967295]
    #[pyo3(signature = (paths, hosts=None, methods=None))]
    fn match_columns<'py>(
        &self,
        py: Python<'py>,
        paths: &Bound<'py, PyAny>,
        hosts: Option<&Bound<'py, PyAny>>,
        methods: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        columns::match_columns(self, py, paths, hosts, methods)
    }

    /// The same answer as `match`, by trying one rule after the other: what `match` is tested against.
    #[pyo3(signature = (path, host=None, method=None, headers=None, *, scheme=None, port=None))]
    fn match_listed<'py>(
        &self,
        path: &Bound<'py, PyAny>,
        host: Option<&Bound<'py, PyAny>>,
        method: Option<&Bound<'py, PyAny>>,
        headers: Option<&Bound<'py, PyAny>>,
        scheme: Option<&Bound<'py, PyAny>>,
        port: Option<u16>,
    ) -> PyResult<Option<Bound<'py, Match>>> {
        let arguments = Arguments { path, host, method, headers, scheme, port };
        let rank = arguments.lend(&self.header_names, |request| self.listed().table.find(request))?;
        let number = rank.and_then(|rank| self.listed().numbers.get(rank as usize));
        self.answer(path.py(), number.copied())
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
            let outcomes = self.listed().table.explain(request);
            let rules = self.listed().table.rules().iter();
            rules
                .zip(outcomes)
                .map(|(rule, outcome)| (rule.name().to_owned(), outcome.matches(), self.reason(outcome)))
                .collect()
        })
    }

    /// The rules in the order in which they are tried.
    #[getter]
    fn rules<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        if self.rules.get().is_none() {
            let rules: Vec<_> = self.answers.rules().all().collect();
            let _ = self.rules.set(PyTuple::new(py, rules)?.unbind());
        }
        Ok(self.rules.get().map_or_else(|| PyTuple::empty(py), |rules| rules.bind(py).clone()))
    }

    /// The rule of this rank, as `match_columns` gives it; None for one that no rule has.
    fn rule(&self, py: Python<'_>, rank: u32) -> Option<Py<Rule>> {
        self.rule_object(rank).map(|rule| rule.clone_ref(py))
    }

    /// The same table with other targets, by the names of rules: `{"cart": [("v1", 90), ("v2", 10)]}`.
    /// What they ask stays, so nothing is compiled: microseconds, at any size. All rules of a name are
    /// changed. Raises ValueError for a name that no rule has, RuleError for weights that cannot be
    /// picked from.
    ///
    /// >>> table = RouteTable([Rule("cart", targets=[("v1", 1)])])
    /// >>> table.with_targets({"cart": [("v1", 90), ("v2", 10)]}).match("/").targets
    /// (('v1', 90), ('v2', 10))
    fn with_targets(&self, targets: &Bound<'_, PyMapping>) -> PyResult<Self> {
        update::with_targets(self, targets)
    }

    /// The same table with these rules and no others for requests of these hosts, one or a list; the
    /// hosts that the rules name themselves do not count. No rules: requests that get no answer. The
    /// cost is that of the rules, or of about 256. Raises ValueError when the table would be too large.
    fn with_host(&self, hosts: &Bound<'_, PyAny>, rules: &Bound<'_, PyAny>) -> PyResult<Self> {
        update::with_host(self, hosts, rules)
    }

    /// The same table without these hosts, one or a list: their requests get the rules of the next
    /// best pattern. A host that is not there is no error.
    fn without_host(&self, hosts: &Bound<'_, PyAny>) -> PyResult<Self> {
        update::without_host(self, hosts)
    }

    fn __len__(&self) -> usize {
        self.table.rules().count()
    }

    fn __repr__(&self) -> String {
        format!("RouteTable({} rules)", self.__len__())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.rules.get().map_or(Ok(()), |rules| visit.call(rules))?;
        self.answers.visit(&visit)
    }
}

impl RouteTable {
    fn of(py: Python<'_>, table: CoreTable, order: Precedence, answers: Answers, turns: Arc<Turns>) -> Self {
        let names = table.header_names().iter().map(|name| Name::new(py, name));
        Self {
            header_names: names.collect(),
            table,
            order,
            listed: OnceLock::new(),
            answers,
            rules: OnceLock::new(),
            turns,
        }
    }

    /// The table that this one became: compiled anew, with these rules changed.
    pub fn changed(
        &self,
        py: Python<'_>,
        table: CoreTable,
        rules: BTreeMap<u32, Option<Py<Rule>>>,
    ) -> PyResult<Self> {
        Ok(Self::of(py, table, self.order, self.answers.with(py, rules)?, self.turns.clone()))
    }

    /// The rule of this rank.
    pub fn rule_object(&self, rank: u32) -> Option<&Py<Rule>> {
        self.answers.rules().rule(rank)
    }

    pub fn compiled(&self) -> &CoreTable {
        &self.table
    }

    /// Rules as this table would order them.
    pub fn in_order(&self, rules: &Bound<'_, PyAny>) -> PyResult<Vec<Py<Rule>>> {
        in_order(self.order, rules)
    }

    /// The rank of the rule that gets the request.
    #[inline]
    pub fn find(&self, request: &Request<'_>) -> Option<u32> {
        self.table.find(request)
    }

    /// The answer that names the rule of this rank.
    #[inline]
    pub fn answer<'py>(&self, py: Python<'py>, rank: Option<u32>) -> PyResult<Option<Bound<'py, Match>>> {
        rank.map(|rank| self.answers.get(py, Names::rule(rank))).transpose()
    }

    /// The same with a target: Envoy's for `value`, or by the table's own sequence.
    #[expect(clippy::inline_always, reason = "a call of it is a third of what a pick adds to a match")]
    #[inline(always)]
    pub fn picked<'py>(
        &self,
        py: Python<'py>,
        rank: Option<u32>,
        value: Option<u64>,
    ) -> PyResult<Option<Bound<'py, Match>>> {
        let Some(rank) = rank else { return Ok(None) };
        let names = Names::rule(rank);
        let Some(weights) = self.rule_object(rank).and_then(|rule| rule.get().inner.weights()) else {
            return self.answers.get(py, names).map(Some);
        };
        let place = match value {
            Some(value) => weights.pick(value),
            None => self.turns.random(weights),
        };
        self.answers.get(py, names.picked(place)).map(Some)
    }

    /// The names of the headers that rules ask about, by their numbers.
    pub fn header_names(&self) -> &[Name] {
        &self.header_names
    }

    fn listed(&self) -> &Listed {
        let numbers = || self.table.rules().map(|(number, _)| number).collect();
        self.listed.get_or_init(|| Listed { table: self.table.linear(), numbers: numbers() })
    }

    fn reason(&self, outcome: Outcome<'_>) -> Option<String> {
        match outcome {
            Outcome::Won => None,
            Outcome::Behind(rank) => {
                let first = self.listed().table.rule(rank).map_or("", |rule| rule.name());
                Some(format!("matches, but {first:?} (rank {rank}) is tried before it"))
            }
            other => Some(other.to_string()),
        }
    }
}

/// What nobody outside this process can guess: Python's own secret for the hashes of its strings.
fn secret(py: Python<'_>) -> PyResult<u64> {
    Ok(PyString::new(py, "trimtab").hash()?.unsigned_abs() as u64)
}

fn order_of(name: &str) -> PyResult<Precedence> {
    match name {
        "listed" => Ok(Precedence::Listed),
        "priority-then-length" => Ok(Precedence::PriorityThenLength),
        "gateway-api" => Ok(Precedence::GatewayApi),
        other => {
            let message =
                format!("order must be 'listed', 'priority-then-length' or 'gateway-api', not {other:?}");
            Err(PyValueError::new_err(message))
        }
    }
}

fn in_order(order: Precedence, rules: &Bound<'_, PyAny>) -> PyResult<Vec<Py<Rule>>> {
    let rules = rules.try_iter()?.map(|rule| Ok(Ordered(rule?.cast::<Rule>()?.clone().unbind())));
    let mut rules: Vec<Ordered> = rules.collect::<PyResult<_>>()?;
    order.sort(&mut rules);
    Ok(rules.into_iter().map(|Ordered(rule)| rule).collect())
}

/// A rule of Python, put in order by what it holds.
struct Ordered(Py<Rule>);

impl AsRef<trimtab_core::route::Rule> for Ordered {
    fn as_ref(&self) -> &trimtab_core::route::Rule {
        let inner: &Arc<_> = &self.0.get().inner;
        inner
    }
}
