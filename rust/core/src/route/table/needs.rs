//! What a rule asks besides the text that it is found by, in the order of what it costs to ask.

use super::bytes::NONE;
use crate::route::{HeaderMatch, HeaderTest, QueryMatch, QueryTest, Request, Rule, TextKind, TextMatch};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many methods have a bit of their own; others get one of what is left, first come first served.
const KNOWN_METHODS: usize = 9;
/// How many answers to shared conditions a request remembers.
pub(super) const REMEMBERED: u16 = 256;
const NOT_REMEMBERED: u16 = u16::MAX;

const GRPC: u8 = 1;
const HTTP: u8 = 2;
const HTTPS: u8 = 4;
/// A method or a scheme that has no bit: the rule itself is asked.
const UNUSUAL: u8 = 8;

/// The conditions of one rule, packed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Needs {
    /// Where its conditions on headers and query start, and how many there are.
    first: u32,
    count: u16,
    methods: u16,
    port: u16,
    flags: u8,
}

/// One condition on a header or on the query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition {
    /// The rule that it stands in, and where.
    pub rule: u32,
    pub place: u16,
    /// Where its answer is remembered, if it is shared.
    memo: u16,
    /// What it asks about.
    pub subject: Subject,
}

/// A header or a query parameter, by its number among the names of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Header(u32),
    Query(u32),
    Method,
    Port,
}

/// All conditions of all rules.
#[derive(Debug, Default)]
pub(super) struct AllNeeds {
    pub rules: Vec<Arc<Rule>>,
    needs: Vec<Needs>,
    conditions: Vec<Condition>,
    /// The names of headers.
    pub headers: Arc<Names>,
    /// The names of query parameters, by their number.
    pub queries: Vec<Box<str>>,
    other_methods: Vec<Box<str>>,
}

/// The place of a method that has a bit of its own.
fn known_method(method: &[u8]) -> Option<usize> {
    Some(match method {
        b"GET" => 0,
        b"POST" => 1,
        b"PUT" => 2,
        b"DELETE" => 3,
        b"PATCH" => 4,
        b"HEAD" => 5,
        b"OPTIONS" => 6,
        b"CONNECT" => 7,
        b"TRACE" => 8,
        _ => return None,
    })
}

/// What makes two conditions one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Identity<'r> {
    Header(&'r str, u8, &'r str, i64, i64),
    Query(&'r str, u8, &'r str),
}

fn text_identity(kind: &TextKind) -> (u8, &str) {
    match kind {
        TextKind::Exact(text) => (0, text),
        TextKind::Prefix(text) => (1, text),
        TextKind::Suffix(text) => (2, text),
        TextKind::Contains(text) => (3, text),
        TextKind::Regex(pattern) => (4, pattern.source()),
    }
}

impl<'r> Identity<'r> {
    fn of_header(header: &'r HeaderMatch) -> Self {
        let flags = u8::from(header.inverted()) << 7 | u8::from(header.missing_is_empty()) << 6;
        match header.test() {
            HeaderTest::Present(wanted) => {
                Self::Header(header.name(), flags | 8 | u8::from(*wanted), "", 0, 0)
            }
            HeaderTest::Range(start, end) => Self::Header(header.name(), flags | 16, "", *start, *end),
            HeaderTest::Text(text) => {
                let (kind, value) = text_identity(text.kind());
                Self::Header(header.name(), flags | kind | u8::from(text.ignores_case()) << 5, value, 0, 0)
            }
        }
    }

    fn of_query(query: &'r QueryMatch) -> Self {
        match query.text() {
            None => {
                Self::Query(query.name(), 8 | u8::from(matches!(query.test(), QueryTest::Present(true))), "")
            }
            Some(text) => {
                let (kind, value) = text_identity(text.kind());
                Self::Query(query.name(), kind | u8::from(text.ignores_case()) << 5, value)
            }
        }
    }
}

/// How much it costs to ask: less first.
fn cost(kind: Option<&TextKind>) -> u8 {
    match kind {
        None => 0,
        Some(TextKind::Exact(_)) => 1,
        Some(TextKind::Prefix(_) | TextKind::Suffix(_)) => 2,
        Some(TextKind::Contains(_)) => 3,
        Some(TextKind::Regex(_)) => 4,
    }
}

fn header_kind(header: &HeaderMatch) -> Option<&TextKind> {
    match header.test() {
        HeaderTest::Text(text) => Some(text.kind()),
        HeaderTest::Present(_) | HeaderTest::Range(..) => None,
    }
}

/// Names of headers with their numbers, which all parts of a table share.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    list: Vec<Arc<str>>,
    numbers: BTreeMap<Arc<str>, u32>,
}

impl Names {
    /// All names, by their number.
    pub(super) fn list(&self) -> &[Arc<str>] {
        &self.list
    }

    /// Whether every header that `rule` asks about has a number.
    pub(super) fn know(&self, rule: &Rule) -> bool {
        rule.headers().iter().all(|header| self.numbers.contains_key(header.name()))
    }

    /// Gives numbers to the headers that `rule` asks about. `None` when there are too many.
    pub(super) fn learn(&mut self, rule: &Rule) -> Option<()> {
        for header in rule.headers() {
            if !self.numbers.contains_key(header.name()) {
                let name: Arc<str> = header.name().into();
                self.numbers.insert(name.clone(), u32::try_from(self.list.len()).ok()?);
                self.list.push(name);
            }
        }
        Some(())
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    pub(super) fn name(&self, number: u32) -> &str {
        self.list.get(number as usize).map_or("", AsRef::as_ref)
    }
}

/// Numbers names in the order in which they come.
fn number<'r>(names: &mut BTreeMap<&'r str, u32>, list: &mut Vec<Box<str>>, name: &'r str) -> Option<u32> {
    if let Some(number) = names.get(name) {
        return Some(*number);
    }
    let number = u32::try_from(list.len()).ok()?;
    names.insert(name, number);
    list.push(name.into());
    Some(number)
}

impl AllNeeds {
    /// Packs the conditions of `rules`, whose headers have their `names`. `None` when there are too
    /// many.
    pub(super) fn of(rules: Vec<Arc<Rule>>, names: &Arc<Names>) -> Option<Self> {
        let mut all = Self { headers: names.clone(), ..Self::default() };
        let mut seen: BTreeMap<Identity<'_>, Vec<usize>> = BTreeMap::new();
        let mut queries = BTreeMap::new();
        for (number_of_rule, rule) in (0_u32..).zip(&rules) {
            let mut asked = Vec::new();
            for (place, header) in (0_u16..).zip(rule.headers()) {
                let subject = Subject::Header(names.number(header.name())?);
                let condition = Condition { rule: number_of_rule, place, memo: NOT_REMEMBERED, subject };
                asked.push((cost(header_kind(header)), condition, Identity::of_header(header)));
            }
            for (place, query) in (0_u16..).zip(rule.query()) {
                let subject = Subject::Query(number(&mut queries, &mut all.queries, query.name())?);
                let condition = Condition { rule: number_of_rule, place, memo: NOT_REMEMBERED, subject };
                asked.push((cost(query.text().map(TextMatch::kind)), condition, Identity::of_query(query)));
            }
            asked.sort_by_key(|(cost, ..)| *cost);
            let mut needs = Needs {
                first: u32::try_from(all.conditions.len()).ok()?,
                count: u16::try_from(asked.len()).ok()?,
                port: rule.port().unwrap_or(0),
                ..Needs::default()
            };
            for (_, condition, identity) in asked {
                seen.entry(identity).or_default().push(all.conditions.len());
                all.conditions.push(condition);
            }
            all.pack(rule, &mut needs);
            all.needs.push(needs);
        }
        all.share(seen);
        all.rules = rules;
        Some(all)
    }

    /// Gives the conditions that most rules share a place where their answer is remembered.
    fn share(&mut self, seen: BTreeMap<Identity<'_>, Vec<usize>>) {
        let mut shared: Vec<_> = seen.into_values().filter(|places| places.len() > 1).collect();
        shared.sort_by_key(|places| std::cmp::Reverse(places.len()));
        for (memo, places) in (0..REMEMBERED).zip(shared) {
            for place in places {
                if let Some(condition) = self.conditions.get_mut(place) {
                    condition.memo = memo;
                }
            }
        }
    }

    fn pack(&mut self, rule: &Rule, needs: &mut Needs) {
        for method in rule.methods() {
            match self.method_bit_or_new(method) {
                Some(bit) => needs.methods |= bit,
                None => needs.flags |= UNUSUAL,
            }
        }
        if needs.flags & UNUSUAL != 0 {
            needs.methods = 0;
        }
        needs.flags |= match rule.scheme() {
            None => 0,
            Some("http") => HTTP,
            Some("https") => HTTPS,
            Some(_) => UNUSUAL,
        };
        needs.flags |= u8::from(rule.is_grpc()) * GRPC;
    }

    fn method_bit_or_new(&mut self, method: &str) -> Option<u16> {
        if self.method_bit(method.as_bytes()) == 0 && KNOWN_METHODS + self.other_methods.len() < 16 {
            self.other_methods.push(method.into());
        }
        Some(self.method_bit(method.as_bytes())).filter(|bit| *bit != 0)
    }

    /// The bit of a method; none for one that no rule names by a bit.
    fn method_bit(&self, method: &[u8]) -> u16 {
        if let Some(place) = known_method(method) {
            return 1 << place;
        }
        let other = self.other_methods.iter().position(|other| other.as_bytes() == method);
        other.map_or(0, |place| 1 << (KNOWN_METHODS + place))
    }

    fn needs(&self, rule: u32) -> Needs {
        self.needs.get(rule as usize).copied().unwrap_or_default()
    }

    /// The conditions of a rule on headers and query.
    pub(super) fn conditions(&self, rule: u32) -> &[Condition] {
        let needs = self.needs(rule);
        self.conditions
            .get(needs.first as usize..needs.first as usize + usize::from(needs.count))
            .unwrap_or_default()
    }

    /// Whether nothing is left to ask when the conditions in `skip` are known to hold.
    pub(super) fn is_free(&self, rule: u32, skip: u32) -> bool {
        self.methods_alone(rule, skip) == Some(0)
    }

    /// The methods that a rule takes, none standing for all, if nothing else is left to ask.
    pub(super) fn methods_alone(&self, rule: u32, skip: u32) -> Option<u16> {
        let needs = self.needs(rule);
        let alone = needs.flags == 0 && needs.port == 0 && u32::from(needs.count) == skip.count_ones();
        alone.then_some(needs.methods)
    }

    /// The methods of a rule, or its port, as what a request is looked up by.
    pub(super) fn entry_values(&self, rule: u32, subject: Subject) -> Vec<Cow<'_, [u8]>> {
        let Some(rule) = self.rules.get(rule as usize) else { return Vec::new() };
        match subject {
            Subject::Method => rule.methods().iter().map(|method| Cow::Borrowed(method.as_bytes())).collect(),
            Subject::Port => {
                rule.port().map(|port| Cow::Owned(port.to_be_bytes().to_vec())).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// What makes two rules ask the same, `skip` being known to hold. Conditions that are not
    /// shared stand for themselves.
    pub(super) fn signature(&self, rule: u32, skip: u32) -> (u16, u8, u16, Vec<(u16, u32, u16)>) {
        let needs = self.needs(rule);
        let own = if needs.flags & UNUSUAL == 0 { NONE } else { rule };
        let asked =
            (0_u32..).zip(self.conditions(rule)).filter(|(place, _)| *place >= 32 || skip >> place & 1 == 0);
        let mut asked: Vec<_> = asked
            .map(|(_, condition)| match condition.memo {
                NOT_REMEMBERED => (NOT_REMEMBERED, condition.rule, condition.place),
                memo => (memo, own, 0),
            })
            .chain((own != NONE).then_some((NOT_REMEMBERED, own, u16::MAX)))
            .collect();
        asked.sort_unstable();
        (needs.methods, needs.flags, needs.port, asked)
    }

    pub(super) fn header(&self, condition: &Condition) -> Option<&HeaderMatch> {
        match condition.subject {
            Subject::Header(_) => {
                self.rules.get(condition.rule as usize)?.headers().get(usize::from(condition.place))
            }
            _ => None,
        }
    }

    pub(super) fn query(&self, condition: &Condition) -> Option<&QueryMatch> {
        match condition.subject {
            Subject::Query(_) => {
                self.rules.get(condition.rule as usize)?.query().get(usize::from(condition.place))
            }
            _ => None,
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.needs.as_slice()) + size_of_val(self.conditions.as_slice())
    }
}

/// A request with what has been found out about it.
pub(super) struct Probe<'t, 'r> {
    pub all: &'t AllNeeds,
    pub request: &'r Request<'r>,
    pub path: &'r [u8],
    pub query: &'r [u8],
    /// The bit of its method, once it was asked for.
    method: Option<u16>,
    grpc: Option<bool>,
    known: [u64; REMEMBERED as usize / 64],
    held: [u64; REMEMBERED as usize / 64],
}

impl<'t, 'r> Probe<'t, 'r> {
    #[inline]
    pub(super) fn new(all: &'t AllNeeds, request: &'r Request<'r>, path: &'r [u8], query: &'r [u8]) -> Self {
        Self { all, request, path, query, method: None, grpc: None, known: [0; 4], held: [0; 4] }
    }

    /// Whether the request passes the conditions of `rule`, but for those in `skip`.
    pub(super) fn passes(&mut self, rule: u32, skip: u32) -> bool {
        let all = self.all;
        let needs = all.needs(rule);
        if !self.has_method(needs.methods) {
            return false;
        }
        if needs.port != 0 && self.request.port != Some(needs.port) {
            return false;
        }
        if needs.flags != 0 && !self.passes_flags(rule, needs.flags) {
            return false;
        }
        (0_u32..)
            .zip(all.conditions(rule))
            .all(|(place, condition)| (place < 32 && skip >> place & 1 == 1) || self.holds(condition))
    }

    /// Whether the method of the request is one of these, none standing for all.
    #[inline]
    pub(super) fn has_method(&mut self, methods: u16) -> bool {
        methods == 0 || methods & self.method() != 0
    }

    fn method(&mut self) -> u16 {
        let (all, request) = (self.all, self.request);
        *self.method.get_or_insert_with(|| request.method.map_or(0, |method| all.method_bit(method)))
    }

    fn passes_flags(&mut self, rule: u32, flags: u8) -> bool {
        let scheme = self.request.scheme;
        if flags & HTTP != 0 && scheme != Some(b"http") || flags & HTTPS != 0 && scheme != Some(b"https") {
            return false;
        }
        if flags & GRPC != 0 {
            let request = self.request;
            if !*self.grpc.get_or_insert_with(|| Rule::asks_grpc(request)) {
                return false;
            }
        }
        if flags & UNUSUAL != 0 {
            return self
                .all
                .rules
                .get(rule as usize)
                .is_some_and(|rule| rule.check_entry(self.request).is_ok());
        }
        true
    }

    fn holds(&mut self, condition: &Condition) -> bool {
        if condition.memo == NOT_REMEMBERED {
            return self.ask(condition);
        }
        let (word, bit) = (usize::from(condition.memo / 64), 1_u64 << (condition.memo % 64));
        if self.known.get(word).is_some_and(|known| known & bit != 0) {
            return self.held.get(word).is_some_and(|held| held & bit != 0);
        }
        let holds = self.ask(condition);
        if let (Some(known), Some(held)) = (self.known.get_mut(word), self.held.get_mut(word)) {
            *known |= bit;
            *held |= if holds { bit } else { 0 };
        }
        holds
    }

    fn ask(&self, condition: &Condition) -> bool {
        match condition.subject {
            Subject::Method | Subject::Port => true,
            Subject::Header(number) => {
                self.all.header(condition).is_some_and(|header| header.matches_numbered(self.request, number))
            }
            Subject::Query(_) => {
                self.all.query(condition).is_some_and(|query| query.matches_query(self.query))
            }
        }
    }
}
