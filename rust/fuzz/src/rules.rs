//! Tables made of bytes.

use super::Bytes;
use std::sync::Arc;
use trimtab_core::route::{
    Grpc, HeaderMatch, HeaderTest, HostMode, HostPattern, PathMatch, Pattern, Precedence, QueryMatch,
    QueryTest, Rule, TextKind, TextMatch,
};

/// Pieces of paths and values: few and alike, so that texts share what they begin and end with.
pub(crate) const PIECES: &[&str] =
    &["/", "a", "b", "/a", "A", "1", "-", "é", "ab", "/a/a/a/a", "\0", "?", "k=a", "12345678", "\n"];
/// Pieces of regexes, which need not fit each other.
pub(crate) const REGEX_PIECES: &[&str] = &[
    "/",
    "a",
    "b",
    "[^/]+",
    "[^/]*",
    ".*",
    ".",
    "(",
    ")",
    "|",
    "?",
    "*",
    "+",
    r"\d+",
    "{2}",
    "{1,3}",
    "[ab]+",
    "[a-",
    "]",
    "(?i)",
    "(?i:",
    "^",
    "$",
    r"\b",
    r"\w",
    "é",
    r"\x{e9}",
    "[^a]",
    "(?s).*",
    r"\pL",
    r"\Q",
    r"\E",
    "[[:alpha:]&&b]",
    r"\z",
    "(/a)*",
    "{1000}",
    "--",
    r"\C",
    "(?P<n>",
    "\n",
    "/a/[^/]+",
    "1",
];
const HOSTS: &[&str] = &["*", "a", "a.b", "*.b", "*b", "a.*", "a*", "*.a.b", "b:1"];
const METHODS: &[&str] = &["GET", "POST", "get", "M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8"];
const HEADERS: &[&str] = &["x", "y", "host", ":method", ":path", ":authority", "content-type"];
const CALLS: &[&str] = &["a", "a/b", "*/b", "b.a/1", "ab"];

/// Rules, and how they are to be tried.
#[derive(Debug)]
pub struct Table {
    /// The rules as they are listed.
    pub rules: Vec<Arc<Rule>>,
    /// How they are put in order.
    pub order: Precedence,
    /// Whose rules count where several hosts fit.
    pub mode: HostMode,
}

/// A table of up to `most` rules.
pub fn table(bytes: &mut Bytes<'_>, most: usize) -> Table {
    let order = [Precedence::Listed, Precedence::PriorityThenLength, Precedence::GatewayApi];
    let mode = [HostMode::Best, HostMode::InTurn, HostMode::Together];
    let order = order.get(bytes.below(order.len())).copied().unwrap_or_default();
    let mode = mode.get(bytes.below(mode.len())).copied().unwrap_or_default();
    let mut rules = Vec::new();
    while rules.len() < most && !bytes.is_empty() {
        rules.extend(rule(bytes));
    }
    Table { rules, order, mode }
}

/// `None` where the bytes make nothing that a rule accepts.
fn rule(bytes: &mut Bytes<'_>) -> Option<Arc<Rule>> {
    let mut rule = Rule::named("r");
    if bytes.one_in(10) {
        rule.set_grpc(&Grpc::parse(bytes.choose(CALLS)?).ok()?).ok()?;
    } else if let Some(path) = path(bytes) {
        rule = rule.with_path(path);
    }
    if bytes.one_in(2) {
        rule = rule.with_hosts(bytes.list(2, |bytes| HostPattern::parse(bytes.choose(HOSTS)?).ok()));
    }
    if bytes.one_in(2) {
        rule.set_headers(bytes.list(4, header));
        rule.set_query(bytes.list(3, query));
    }
    if bytes.one_in(4) {
        rule.set_methods(bytes.list(3, |bytes| Some(bytes.choose(METHODS)?.into())));
        let scheme = if bytes.one_in(4) { bytes.choose(&["http", "https", "ftp"]) } else { None };
        rule.set_entry(scheme, bytes.one_in(4).then_some(80));
        rule.set_priority(Some(u32::try_from(bytes.below(3)).ok()?));
    }
    rule.checked().ok().map(Arc::new)
}

fn path(bytes: &mut Bytes<'_>) -> Option<PathMatch> {
    let path = match bytes.below(6) {
        0 => return None,
        1 => PathMatch::exact(&bytes.text(PIECES, 6)),
        2 => PathMatch::prefix(&bytes.text(PIECES, 6)),
        3 => PathMatch::separated(&bytes.text(PIECES, 4), false).ok()?,
        _ => return Pattern::new(&bytes.text(REGEX_PIECES, 6)).ok().map(PathMatch::regex),
    };
    if bytes.one_in(4) { path.ignoring_case().ok() } else { Some(path) }
}

fn text(bytes: &mut Bytes<'_>) -> Option<TextMatch> {
    let text = |bytes: &mut Bytes<'_>| bytes.text(PIECES, 3).into();
    let kind = match bytes.below(6) {
        0 | 1 => TextKind::Exact(text(bytes)),
        2 => TextKind::Prefix(text(bytes)),
        3 => TextKind::Suffix(text(bytes)),
        4 => TextKind::Contains(text(bytes)),
        _ => TextKind::Regex(Pattern::new(&bytes.text(REGEX_PIECES, 4)).ok()?),
    };
    TextMatch::new(kind, bytes.one_in(4)).ok()
}

fn header(bytes: &mut Bytes<'_>) -> Option<HeaderMatch> {
    let name = bytes.choose(HEADERS)?;
    let test = match bytes.below(6) {
        0 => HeaderTest::Present(bytes.one_in(2)),
        1 => {
            let start = i64::try_from(bytes.below(6)).ok()? - 3;
            HeaderTest::Range(start, start + i64::try_from(bytes.below(4)).ok()?)
        }
        _ => HeaderTest::Text(text(bytes)?),
    };
    HeaderMatch::new(name, test, bytes.one_in(5), bytes.one_in(5)).ok()
}

fn query(bytes: &mut Bytes<'_>) -> Option<QueryMatch> {
    let name = bytes.choose(&["k", "l"])?;
    let test =
        if bytes.one_in(4) { QueryTest::Present(bytes.one_in(2)) } else { QueryTest::Text(text(bytes)?) };
    QueryMatch::new(name, test).ok()
}
