//! A rule: what it asks of a request, and where it sends the requests that it gets.

use super::error::{Fault, RuleError};
use super::header::{HeaderMatch, HeaderTest};
use super::host::HostPattern;
use super::path::PathMatch;
use super::query::QueryMatch;
use super::re2::Pattern;
use super::request::Request;
use super::text::TextKind;
use crate::pick::Weights;
use std::fmt;

/// The priority of a rule that has none.
pub const UNSET_PRIORITY: u32 = 1001;

/// One destination of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    name: Box<str>,
    weight: u32,
}

impl Target {
    /// A destination with its weight.
    #[must_use]
    pub fn new(name: &str, weight: u32) -> Self {
        Self { name: name.into(), weight }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its weight among the targets of its rule.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }
}

/// What a gRPC rule asks besides the content type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grpc {
    /// Any call.
    Any,
    /// Any method of a service (its full name).
    Service(String),
    /// One method of a service.
    Method(String, String),
    /// A method of any service.
    AnyService(String),
}

impl Grpc {
    /// Reads `package.Service`, `package.Service/Method` or `*/Method`.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        let is_name = |name: &str| !name.is_empty() && !name.contains(['/', '?', '#', '*', ' ']);
        match text.split_once('/') {
            None if is_name(text) => Ok(Self::Service(text.to_owned())),
            Some(("*", method)) if is_name(method) => Ok(Self::AnyService(method.to_owned())),
            Some((service, method)) if is_name(service) && is_name(method) => {
                Ok(Self::Method(service.to_owned(), method.to_owned()))
            }
            _ => Err(RuleError::of("grpc", Fault::Grpc(text.to_owned()))),
        }
    }

    /// The lengths of the service and of the method, 0 where any will do.
    #[must_use]
    pub fn lengths(&self) -> (usize, usize) {
        match self {
            Self::Any => (0, 0),
            Self::Service(service) => (service.len(), 0),
            Self::Method(service, method) => (service.len(), method.len()),
            Self::AnyService(method) => (0, method.len()),
        }
    }

    /// A call's path is `/package.Service/Method`.
    fn path(&self) -> Result<Option<PathMatch>, RuleError> {
        Ok(match self {
            Self::Any => None,
            Self::Service(service) => Some(PathMatch::prefix(&format!("/{service}/"))),
            Self::Method(service, method) => Some(PathMatch::exact(&format!("/{service}/{method}"))),
            Self::AnyService(method) => {
                let pattern = format!("/[^/]+/\\Q{method}\\E");
                Some(PathMatch::regex(
                    Pattern::new(&pattern)
                        .map_err(|refusal| RuleError::of("grpc", Fault::Regex(pattern, refusal)))?,
                ))
            }
        })
    }
}

/// One rule. Build it with [`Rule::named`] and the setters, then have it [`checked`](Rule::checked).
#[derive(Debug, Clone)]
pub struct Rule {
    name: Box<str>,
    hosts: Vec<HostPattern>,
    path: Option<PathMatch>,
    methods: Vec<Box<str>>,
    scheme: Option<Box<str>>,
    port: Option<u16>,
    grpc: Option<Grpc>,
    headers: Vec<HeaderMatch>,
    query: Vec<QueryMatch>,
    priority: Option<u32>,
    targets: Vec<Target>,
    weights: Option<Weights>,
}

impl Rule {
    /// A rule that asks nothing and leads nowhere yet.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            hosts: Vec::new(),
            path: None,
            methods: Vec::new(),
            scheme: None,
            port: None,
            grpc: None,
            headers: Vec::new(),
            query: Vec::new(),
            priority: None,
            targets: Vec::new(),
            weights: None,
        }
    }

    /// The same rule, for this path.
    #[must_use]
    pub fn with_path(mut self, path: PathMatch) -> Self {
        self.path = Some(path);
        self
    }

    /// The same rule, for these hosts; for every host when there are none.
    #[must_use]
    pub fn with_hosts(mut self, hosts: Vec<HostPattern>) -> Self {
        self.hosts = hosts;
        self
    }

    /// The same rule, with these targets.
    #[must_use]
    pub fn with_targets(mut self, targets: Vec<Target>) -> Self {
        self.targets = targets;
        self.weights = None;
        self
    }

    /// For these methods only; any when there are none. Methods are case-sensitive.
    pub fn set_methods(&mut self, methods: Vec<Box<str>>) {
        self.methods = methods;
    }

    /// For this scheme and this port of the listener only.
    pub fn set_entry(&mut self, scheme: Option<&str>, port: Option<u16>) {
        self.scheme = scheme.map(Into::into);
        self.port = port;
    }

    /// For requests that pass all of these.
    pub fn set_headers(&mut self, headers: Vec<HeaderMatch>) {
        self.headers = headers;
    }

    /// For requests that pass all of these.
    pub fn set_query(&mut self, query: Vec<QueryMatch>) {
        self.query = query;
    }

    /// Its place among rules, where the order asks for it: 0 is tried first.
    pub fn set_priority(&mut self, priority: Option<u32>) {
        self.priority = priority;
    }

    /// For gRPC calls only.
    ///
    /// # Errors
    /// When the rule has a path already, and the calls would need another.
    pub fn set_grpc(&mut self, grpc: &Grpc) -> Result<(), RuleError> {
        self.grpc = Some(grpc.clone());
        if let Some(path) = grpc.path()? {
            if self.path.is_some() {
                return Err(RuleError::of("grpc", Fault::OneOf("a path and a gRPC service or method")));
            }
            self.path = Some(path);
        }
        Ok(())
    }

    /// The rule, once it is known to make sense.
    ///
    /// # Errors
    /// A rule without a name, empty methods or target names, weights that cannot be picked from.
    pub fn checked(mut self) -> Result<Self, RuleError> {
        self.check().map_err(|error| error.in_rule(&self.name))?;
        Ok(self)
    }

    fn check(&mut self) -> Result<(), RuleError> {
        let empty = |field: &str| Err(RuleError::of(field, Fault::Empty));
        if self.name.is_empty() {
            return empty("name");
        }
        if self.methods.iter().any(|method| method.is_empty()) {
            return empty("methods");
        }
        if self.scheme.as_deref() == Some("") {
            return empty("scheme");
        }
        if self.targets.iter().any(|target| target.name.is_empty()) {
            return empty("targets");
        }
        if !self.targets.is_empty() {
            let weights = Weights::new(self.targets.iter().map(Target::weight));
            self.weights = Some(weights.map_err(|error| RuleError::of("targets", Fault::Weights(error)))?);
        }
        Ok(())
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hosts it serves; none means every host.
    #[must_use]
    pub fn hosts(&self) -> &[HostPattern] {
        &self.hosts
    }

    /// What it asks of the path.
    #[must_use]
    pub fn path(&self) -> Option<&PathMatch> {
        self.path.as_ref()
    }

    /// Its place among rules, where the order asks for it.
    #[must_use]
    pub fn priority(&self) -> Option<u32> {
        self.priority
    }

    /// Where it leads.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The methods it is for; none means any.
    #[must_use]
    pub fn methods(&self) -> &[Box<str>] {
        &self.methods
    }

    /// The scheme it is for.
    #[must_use]
    pub fn scheme(&self) -> Option<&str> {
        self.scheme.as_deref()
    }

    /// The port of the listener it is for.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether it is for gRPC calls only.
    #[must_use]
    pub fn is_grpc(&self) -> bool {
        self.grpc.is_some()
    }

    /// Which gRPC calls it is for, where it is for these only.
    #[must_use]
    pub fn grpc(&self) -> Option<&Grpc> {
        self.grpc.as_ref()
    }

    /// What it asks of headers.
    #[must_use]
    pub fn headers(&self) -> &[HeaderMatch] {
        &self.headers
    }

    /// What it asks of the query.
    #[must_use]
    pub fn query(&self) -> &[QueryMatch] {
        &self.query
    }

    /// The regexes in what it asks.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let headers = self.headers.iter().filter_map(|header| match header.test() {
            HeaderTest::Text(text) => Some(text),
            HeaderTest::Present(_) | HeaderTest::Range(..) => None,
        });
        let path = self.path.iter().filter_map(|path| match path {
            PathMatch::Text(text) => Some(text),
            PathMatch::Any | PathMatch::Separated { .. } => None,
        });
        let texts = path.chain(headers).chain(self.query.iter().filter_map(QueryMatch::text));
        texts.filter_map(|text| match text.kind() {
            TextKind::Regex(pattern) => Some(pattern),
            _ => None,
        })
    }

    /// How many conditions it has besides host and path.
    #[must_use]
    pub fn conditions(&self) -> usize {
        self.headers.len()
            + self.query.len()
            + usize::from(!self.methods.is_empty())
            + usize::from(self.scheme.is_some())
    }

    /// The target that a request gets for which `value` was drawn, as Envoy has it; `None` when
    /// the rule has no targets.
    #[must_use]
    pub fn pick(&self, value: u64) -> Option<&Target> {
        self.pick_index(value).and_then(|index| self.targets.get(index))
    }

    /// The weights of its targets; `None` when it has none.
    #[must_use]
    pub fn weights(&self) -> Option<&Weights> {
        self.weights.as_ref()
    }

    /// The same as a place in the list of targets.
    #[must_use]
    pub fn pick_index(&self, value: u64) -> Option<usize> {
        self.weights.as_ref().map(|weights| weights.pick(value))
    }

    /// Whether `request` passes all conditions but those on the host.
    ///
    /// # Errors
    /// The first condition that it fails.
    pub fn check_request(&self, request: &Request<'_>) -> Result<(), Mismatch<'_>> {
        if let Some(path) = &self.path {
            ask(path.matches(request), Mismatch::Path(path))?;
        }
        self.check_entry(request)?;
        if self.is_grpc() {
            ask(Self::asks_grpc(request), Mismatch::Grpc)?;
        }
        for header in &self.headers {
            ask(header.matches(request), Mismatch::Header(header))?;
        }
        for query in &self.query {
            ask(query.matches(request), Mismatch::Query(query))?;
        }
        Ok(())
    }

    /// The same for the conditions on method, scheme and port alone.
    pub(crate) fn check_entry(&self, request: &Request<'_>) -> Result<(), Mismatch<'_>> {
        let names = |text: &str, value: Option<&[u8]>| value == Some(text.as_bytes());
        if !self.methods.is_empty() {
            let known = self.methods.iter().any(|method| names(method, request.method));
            ask(known, Mismatch::Method(&self.methods))?;
        }
        if let Some(scheme) = &self.scheme {
            ask(names(scheme, request.scheme), Mismatch::Scheme(scheme))?;
        }
        match self.port {
            Some(port) => ask(request.port == Some(port), Mismatch::Port(port)),
            None => Ok(()),
        }
    }

    /// Whether a request says that it is gRPC: `application/grpc`, or that and a `+` suffix. Not
    /// grpc-web.
    pub(crate) fn asks_grpc(request: &Request<'_>) -> bool {
        let is_grpc = |value: &[u8]| {
            value.strip_prefix(b"application/grpc").is_some_and(|rest| matches!(rest, [] | [b'+', ..]))
        };
        request.any_header("content-type", &mut |value| is_grpc(value)).unwrap_or(false)
    }
}

fn ask(passed: bool, mismatch: Mismatch<'_>) -> Result<(), Mismatch<'_>> {
    if passed { Ok(()) } else { Err(mismatch) }
}

impl AsRef<Self> for Rule {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// The condition that a request fails.
#[derive(Debug, Clone, Copy)]
pub enum Mismatch<'r> {
    /// On the path.
    Path(&'r PathMatch),
    /// On the method.
    Method(&'r [Box<str>]),
    /// On the scheme.
    Scheme(&'r str),
    /// On the port.
    Port(u16),
    /// On the content type.
    Grpc,
    /// On a header.
    Header(&'r HeaderMatch),
    /// On a query parameter.
    Query(&'r QueryMatch),
}

impl fmt::Display for Mismatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.fmt(f),
            Self::Method(methods) => write!(f, "method must be {}", methods.join(" or ")),
            Self::Scheme(scheme) => write!(f, "scheme must be {scheme}"),
            Self::Port(port) => write!(f, "port must be {port}"),
            Self::Grpc => f.write_str("content-type must be application/grpc or application/grpc+..."),
            Self::Header(header) => header.fmt(f),
            Self::Query(query) => query.fmt(f),
        }
    }
}
