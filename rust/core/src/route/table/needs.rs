//! What a rule asks besides the text that it is found by, in the order of what it costs to ask.

use super::bytes::NONE;
use super::compiled::Simple;
use super::methods::{OTHER_BITS, method_bit};
use super::names::Names;
use super::values::{AskedValues, Values};
use crate::route::{HeaderMatch, HeaderTest, QueryMatch, QueryTest, Rule, TextKind, TextMatch};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many answers to shared conditions a request remembers.
pub(super) const REMEMBERED: u16 = 256;
pub(super) const NOT_REMEMBERED: u16 = u16::MAX;

pub(super) const GRPC: u8 = 1;
pub(super) const HTTP: u8 = 2;
pub(super) const HTTPS: u8 = 4;
/// A method or a scheme that has no bit: the rule itself is asked.
pub(super) const UNUSUAL: u8 = 8;

/// The conditions of one rule, packed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Needs {
    /// Where its conditions on headers and query start, and how many there are.
    first: u32,
    count: u16,
    /// Where its values start when it asks for nothing but methods and the values of headers, else
    /// `NONE`.
    values: u32,
    pub methods: u16,
    pub port: u16,
    pub flags: u8,
}

/// One condition on a header or on the query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition {
    /// The rule that it stands in, and where.
    pub rule: u32,
    pub place: u16,
    /// Where its answer is remembered, if it is shared.
    pub memo: u16,
    /// What it asks about.
    pub subject: Subject,
    /// Where the value is that a header, no pseudo-header, must have; `NONE` when it asks something else.
    pub value: u32,
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
    /// The rules, unless none of them is ever asked itself.
    pub rules: Vec<Arc<Rule>>,
    /// What each rule asks for, while the rules are compiled.
    needs: Vec<Needs>,
    conditions: Vec<Condition>,
    /// The names of headers.
    pub headers: Arc<Names>,
    /// The names of query parameters, by their number.
    pub queries: Vec<Box<str>>,
    other_methods: Vec<Box<str>>,
    /// The values that conditions ask for.
    values: Values,
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
        let needs = Vec::with_capacity(rules.len());
        let mut all = Self { needs, headers: names.clone(), values: Values::of(names), ..Self::default() };
        let mut seen: BTreeMap<Identity<'_>, Vec<usize>> = BTreeMap::new();
        let mut queries = BTreeMap::new();
        for (number_of_rule, rule) in (0_u32..).zip(&rules) {
            let mut asked = Vec::new();
            for (place, header) in (0_u16..).zip(rule.headers()) {
                let subject = Subject::Header(names.number(header.name())?);
                let value = all.keep_value(header)?;
                let condition =
                    Condition { rule: number_of_rule, place, memo: NOT_REMEMBERED, subject, value };
                asked.push((cost(header_kind(header)), condition, Identity::of_header(header)));
            }
            for (place, query) in (0_u16..).zip(rule.query()) {
                let subject = Subject::Query(number(&mut queries, &mut all.queries, query.name())?);
                let condition =
                    Condition { rule: number_of_rule, place, memo: NOT_REMEMBERED, subject, value: NONE };
                asked.push((cost(query.text().map(TextMatch::kind)), condition, Identity::of_query(query)));
            }
            asked.sort_by_key(|(cost, ..)| *cost);
            let mut needs = Needs {
                first: u32::try_from(all.conditions.len()).ok()?,
                count: u16::try_from(asked.len()).ok()?,
                port: rule.port().unwrap_or(0),
                ..Needs::default()
            };
            all.pack(rule, &mut needs);
            needs.values = match asked.first() {
                Some((_, first, _)) if needs.port == 0 && needs.flags == 0 => {
                    let alone = asked.iter().all(|(_, condition, _)| condition.value != NONE);
                    if alone { first.value } else { NONE }
                }
                _ => NONE,
            };
            for (_, condition, identity) in asked {
                seen.entry(identity).or_default().push(all.conditions.len());
                all.conditions.push(condition);
            }
            all.needs.push(needs);
        }
        all.share(seen);
        all.rules = rules;
        Some(all)
    }

    /// To be called once, when the rules are compiled: what they ask for then stands where a search
    /// meets them.
    pub(super) fn freeze(&mut self) {
        let is_asked_itself = |needs: &Needs| needs.count > 0 || needs.flags & UNUSUAL != 0;
        if !self.needs.iter().any(is_asked_itself) {
            self.rules = Vec::new();
        }
        self.needs = Vec::new();
        self.conditions.shrink_to_fit();
    }

    /// Keeps the one value that a header may have, if that is what is asked. `None` when there are too
    /// many.
    fn keep_value(&mut self, header: &HeaderMatch) -> Option<u32> {
        let number = self.headers.number(header.name())?;
        match header.test() {
            HeaderTest::Text(text)
                if !text.ignores_case()
                    && !header.inverted()
                    && !header.missing_is_empty()
                    && self.headers.is_plain(number) =>
            {
                let TextKind::Exact(value) = text.kind() else { return Some(NONE) };
                self.values.add(number, value.as_bytes())
            }
            _ => Some(NONE),
        }
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
        if self.method_bit(method.as_bytes()) == 0 && self.other_methods.len() < OTHER_BITS.len() {
            self.other_methods.push(method.into());
        }
        Some(self.method_bit(method.as_bytes())).filter(|bit| *bit != 0)
    }

    /// The bit of a method; none for one that no rule names by a bit.
    #[inline]
    pub(super) fn method_bit(&self, method: &[u8]) -> u16 {
        match method_bit(method) {
            0 => self.other_bit(method),
            bit => bit,
        }
    }

    #[inline(never)]
    fn other_bit(&self, method: &[u8]) -> u16 {
        let other = self.other_methods.iter().position(|other| other.as_bytes() == method);
        other.and_then(|other| OTHER_BITS.get(other)).map_or(0, |place| 1 << place)
    }

    #[inline]
    pub(super) fn needs(&self, rule: u32) -> Needs {
        self.needs.get(rule as usize).copied().unwrap_or_default()
    }

    /// The conditions of a rule on headers and query.
    pub(super) fn conditions(&self, rule: u32) -> &[Condition] {
        self.conditions_of(self.needs(rule))
    }

    /// The same for a rule that needs this.
    #[inline]
    pub(super) fn conditions_of(&self, needs: Needs) -> &[Condition] {
        self.conditions
            .get(needs.first as usize..needs.first as usize + usize::from(needs.count))
            .unwrap_or_default()
    }

    /// The values that a rule which needs this asks for, if but for methods it asks for nothing else.
    #[inline]
    pub(super) fn values_of(&self, needs: Needs) -> Option<AskedValues<'_>> {
        self.values.asked(needs.values, needs.count)
    }

    /// This rule, if but for methods it asks for nothing but values of headers.
    pub(super) fn simple(&self, rank: u32) -> Option<Simple> {
        let Needs { values, count, methods, .. } = self.needs(rank);
        (values != NONE).then_some(Simple { rank, first_value: values, values: count, methods })
    }

    /// The values that such a rule asks for.
    #[inline]
    pub(super) fn values_of_simple(&self, simple: &Simple) -> Option<AskedValues<'_>> {
        self.values.asked(simple.first_value, simple.values)
    }

    /// The value that this condition asks for, if it asks for one.
    pub(super) fn value_of(&self, condition: &Condition) -> Option<AskedValues<'_>> {
        self.values.asked(condition.value, 1)
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
        size_of_val(self.rules.as_slice())
            + size_of_val(self.conditions.as_slice())
            + self.values.size_bytes()
    }
}
