//! Query parameter matchers.

use super::error::{Fault, RuleError};
use super::request::Request;
use super::text::TextMatch;
use memchr::memmem;
use std::fmt;

/// A query that is longer than this, in bytes, is searched, not cut into its parameters.
const LONG: usize = 256;

/// One condition on one parameter of the query.
///
/// The query is compared as it was sent, nothing is decoded: `%20` stays `%20` and `+` stays `+`.
/// Names are case-sensitive, and of a repeated parameter the first one counts.
#[derive(Debug, Clone)]
pub struct QueryMatch {
    name: Box<str>,
    test: QueryTest,
}

/// What is asked of a query parameter.
#[derive(Debug, Clone)]
pub enum QueryTest {
    /// It is there, with any value or none (true), or not (false).
    Present(bool),
    /// It is there, with this value.
    Text(TextMatch),
}

impl QueryMatch {
    /// A condition on the parameter `name`.
    ///
    /// # Errors
    /// When the name is empty.
    pub fn new(name: &str, test: QueryTest) -> Result<Self, RuleError> {
        if name.is_empty() {
            return Err(RuleError::of("name", Fault::Empty));
        }
        Ok(Self { name: name.into(), test })
    }

    /// The name of the parameter.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is asked of it.
    #[must_use]
    pub fn test(&self) -> &QueryTest {
        &self.test
    }

    /// What is asked of the value, if it is.
    #[must_use]
    pub fn text(&self) -> Option<&TextMatch> {
        match &self.test {
            QueryTest::Text(text) => Some(text),
            QueryTest::Present(_) => None,
        }
    }

    /// Whether `request` passes.
    #[must_use]
    pub fn matches(&self, request: &Request<'_>) -> bool {
        self.matches_query(request.query())
    }

    /// Whether `query`, without its `?`, passes.
    #[must_use]
    pub fn matches_query(&self, query: &[u8]) -> bool {
        let found = first_value(query, self.name.as_bytes());
        match &self.test {
            QueryTest::Present(wanted) => found.is_some() == *wanted,
            QueryTest::Text(text) => found.is_some_and(|value| text.test(value)),
        }
    }
}

/// The value of the first parameter called `name`, empty when it has none; `None` when there is
/// no such parameter.
pub(crate) fn first_value<'a>(query: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    if query.len() > LONG && !name.contains(&b'&') {
        return first_value_of_long(query, name);
    }
    query.split(|byte| *byte == b'&').filter(|part| !part.is_empty()).find_map(|part| {
        let rest = part.strip_prefix(name)?;
        match rest {
            [] => Some(rest),
            [b'=', value @ ..] => Some(value),
            _ => None,
        }
    })
}

/// The same, without a look at every parameter, for a name without `&`.
fn first_value_of_long<'a>(query: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    memmem::find_iter(query, name).find_map(|start| {
        let (before, rest) = (query.get(..start)?, query.get(start + name.len()..)?);
        if !matches!(before, [] | [.., b'&']) {
            return None;
        }
        match rest {
            [] | [b'&', ..] => Some(&b""[..]),
            [b'=', value @ ..] => value.split(|byte| *byte == b'&').next(),
            _ => None,
        }
    })
}

impl fmt::Display for QueryMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query parameter {:?} must ", self.name)?;
        match &self.test {
            QueryTest::Present(true) => f.write_str("be present"),
            QueryTest::Present(false) => f.write_str("be absent"),
            QueryTest::Text(text) => text.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::TextKind;
    use super::*;
    use proptest::prelude::*;

    fn asks(name: &str, value: Option<&str>, target: &str) -> bool {
        let text = |text: &str| QueryTest::Text(TextMatch::new(TextKind::Exact(text.into()), false).unwrap());
        QueryMatch::new(name, value.map_or(QueryTest::Present(true), text))
            .unwrap()
            .matches(&Request::to(target.as_bytes()))
    }

    #[test]
    fn a_parameter_without_a_value_is_there_and_empty() {
        for target in ["/?k", "/?k=", "/?a=1&k", "/?&&k"] {
            assert!(asks("k", None, target), "{target}");
            assert!(asks("k", Some(""), target), "{target}");
        }
        assert!(!asks("k", None, "/k"));
        assert!(!asks("k", None, "/?kk=1"));
        assert!(!asks("k", None, "/?a=k"));
    }

    #[test]
    fn the_first_of_a_repeated_parameter_counts() {
        assert!(asks("k", Some("1"), "/?k=1&k=2"));
        assert!(!asks("k", Some("2"), "/?k=1&k=2"));
    }

    #[test]
    fn absence_can_be_asked() {
        let absent = QueryMatch::new("k", QueryTest::Present(false)).unwrap();
        assert!(absent.matches(&Request::to(b"/?a=k")) && !absent.matches(&Request::to(b"/?k=")));
    }

    proptest! {
        #[test]
        fn a_long_query_is_read_like_a_short_one(query in "[ab&=]{0,30}", name in "[ab]{1,3}|[ab=]{1,3}") {
            let (query, name) = (query.as_bytes(), name.as_bytes());
            let expected = first_value(query, name);
            prop_assert_eq!(first_value_of_long(query, name), expected, "{:?}", name);
        }
    }

    #[test]
    fn nothing_is_decoded() {
        assert!(!asks("k", Some("v w"), "/?k=v%20w"));
        assert!(asks("k", Some("v%20w"), "/?k=v%20w"));
        assert!(asks("k", Some("v+w"), "/?k=v+w"));
        assert!(!asks("k", None, "/?%6b=1"));
        assert!(!asks("k", None, "/?K=1"));
        assert!(asks("k", Some("1;j=2"), "/?k=1;j=2"));
        assert!(asks("k", Some("1=2"), "/?k=1=2"));
    }
}
