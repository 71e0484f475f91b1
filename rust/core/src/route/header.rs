//! Header matchers.

use super::error::{Fault, RuleError};
use super::request::Request;
use super::text::TextMatch;
use std::fmt;

/// One condition on one header.
///
/// A header that occurs more than once is tested value by value: one that passes is enough, and
/// for an inverted condition one is enough to fail. A header that is absent fails every condition
/// on its value, inverted or not, unless it counts as empty.
#[derive(Debug, Clone)]
pub struct HeaderMatch {
    name: Box<str>,
    test: HeaderTest,
    invert: bool,
    missing_is_empty: bool,
}

/// What is asked of a header.
#[derive(Debug, Clone)]
pub enum HeaderTest {
    /// It is there (true) or not (false).
    Present(bool),
    /// Its text.
    Text(TextMatch),
    /// It is a whole number of at least the first and less than the second.
    Range(i64, i64),
}

impl HeaderMatch {
    /// A condition on the header `name` (in any case; pseudo-headers such as `:path` too).
    ///
    /// # Errors
    /// When no request can carry such a name.
    pub fn new(
        name: &str,
        test: HeaderTest,
        invert: bool,
        missing_is_empty: bool,
    ) -> Result<Self, RuleError> {
        if name.is_empty() {
            return Err(RuleError::of("name", Fault::Empty));
        }
        if name.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
            return Err(RuleError::of("name", Fault::HeaderName(name.to_owned())));
        }
        Ok(Self { name: name.to_ascii_lowercase().into(), test, invert, missing_is_empty })
    }

    /// The lower-case name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is asked of the value.
    #[must_use]
    pub fn test(&self) -> &HeaderTest {
        &self.test
    }

    /// Whether the answer is turned round.
    #[must_use]
    pub fn inverted(&self) -> bool {
        self.invert
    }

    /// Whether an absent header counts as an empty one.
    #[must_use]
    pub fn missing_is_empty(&self) -> bool {
        self.missing_is_empty
    }

    /// Whether `request` passes.
    #[must_use]
    pub fn matches(&self, request: &Request<'_>) -> bool {
        self.answer(|test| request.any_header(&self.name, test))
    }

    /// The same for a header that has a number in the table.
    pub(crate) fn matches_numbered(&self, request: &Request<'_>, number: u32) -> bool {
        self.answer(|test| request.any_numbered(&self.name, number, test))
    }

    /// `any` calls a test with each value of the header, until one passes.
    fn answer(&self, any: impl FnOnce(&mut dyn FnMut(&[u8]) -> bool) -> Option<bool>) -> bool {
        let test = |value: &[u8]| match &self.test {
            HeaderTest::Present(wanted) => *wanted,
            HeaderTest::Text(text) => text.test(value),
            HeaderTest::Range(start, end) => parse_int(value).is_some_and(|n| *start <= n && n < *end),
        };
        match any(&mut |value| test(value)) {
            Some(passed) => passed != self.invert,
            None if self.missing_is_empty => test(b"") != self.invert,
            None => matches!(self.test, HeaderTest::Present(wanted) if wanted == self.invert),
        }
    }
}

/// A whole number as Envoy reads it: spaces around it and a sign are fine, nothing else is.
pub(crate) fn parse_int(value: &[u8]) -> Option<i64> {
    let is_space = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ');
    let start = value.iter().position(|byte| !is_space(byte))?;
    let end = value.iter().rposition(|byte| !is_space(byte))? + 1;
    let (negative, digits) = match value.get(start..end)? {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i64, |n, byte| {
        let digit = i64::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        let n = n.checked_mul(10)?;
        if negative { n.checked_sub(digit) } else { n.checked_add(digit) }
    })
}

impl fmt::Display for HeaderMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "header {:?} must {}", self.name, if self.invert { "not " } else { "" })?;
        match &self.test {
            HeaderTest::Present(true) => f.write_str("be present")?,
            HeaderTest::Present(false) => f.write_str("be absent")?,
            HeaderTest::Text(text) => text.fmt(f)?,
            HeaderTest::Range(start, end) => write!(f, "be a whole number in {start}..{end}")?,
        }
        if self.missing_is_empty { f.write_str(" (absent counts as empty)") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::TextKind;
    use super::*;

    fn asks(test: HeaderTest, invert: bool, missing_is_empty: bool, values: &[&str]) -> bool {
        let pairs: Vec<(&str, &str)> = values.iter().map(|value| ("X", *value)).collect();
        let mut request = Request::to(b"/");
        let headers: &[_] = &pairs;
        request.headers = &headers;
        HeaderMatch::new("x", test, invert, missing_is_empty).unwrap().matches(&request)
    }

    fn exact(text: &str) -> HeaderTest {
        HeaderTest::Text(TextMatch::new(TextKind::Exact(text.into()), false).unwrap())
    }

    #[test]
    fn one_of_several_values_is_enough() {
        assert!(asks(exact("b"), false, false, &["a", "b"]));
        assert!(!asks(exact("a,b"), false, false, &["a", "b"]));
        assert!(!asks(exact("b"), true, false, &["a", "b"]));
        assert!(asks(exact("c"), true, false, &["a", "b"]));
        assert!(asks(HeaderTest::Range(2, 3), false, false, &["1", "2"]));
    }

    #[test]
    fn an_absent_header_fails_even_an_inverted_value() {
        assert!(!asks(exact("a"), false, false, &[]));
        assert!(!asks(exact("a"), true, false, &[]));
        assert!(!asks(HeaderTest::Range(0, 9), true, false, &[]));
    }

    #[test]
    fn an_absent_header_may_count_as_empty() {
        assert!(asks(exact("a"), true, true, &[]));
        assert!(asks(exact(""), false, true, &[]));
        assert!(asks(HeaderTest::Range(0, 9), true, true, &[]));
        assert!(!asks(HeaderTest::Range(0, 9), false, true, &[]));
    }

    #[test]
    fn presence_can_be_asked_four_ways() {
        for (wanted, invert, when_there, when_absent) in [
            (true, false, true, false),
            (true, true, false, true),
            (false, false, false, true),
            (false, true, true, false),
        ] {
            assert_eq!(asks(HeaderTest::Present(wanted), invert, false, &["v"]), when_there);
            assert_eq!(asks(HeaderTest::Present(wanted), invert, false, &[]), when_absent);
        }
    }

    #[test]
    fn an_absent_header_that_counts_as_empty_is_present() {
        assert!(asks(HeaderTest::Present(true), false, true, &[]));
        assert!(!asks(HeaderTest::Present(false), false, true, &[]));
        assert!(!asks(HeaderTest::Present(true), true, true, &[]));
    }

    #[test]
    fn an_empty_range_holds_no_number() {
        assert!(!asks(HeaderTest::Range(5, 5), false, false, &["5"]));
        assert!(asks(HeaderTest::Range(5, 5), true, false, &["5"]));
    }

    #[test]
    fn a_range_is_half_open_over_whole_numbers() {
        let range = || HeaderTest::Range(-9, 10);
        for (value, inside) in [
            ("9", true),
            ("10", false),
            ("-9", true),
            ("-10", false),
            ("+9", true),
            ("09", true),
            (" 9\t", true),
            ("9.0", false),
            ("", false),
            ("-", false),
            ("+-9", false),
            ("9 9", false),
            ("0x9", false),
        ] {
            assert_eq!(asks(range(), false, false, &[value]), inside, "{value:?}");
        }
    }

    #[test]
    fn numbers_span_exactly_64_bits() {
        assert_eq!(parse_int(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(parse_int(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(parse_int(b"9223372036854775808"), None);
    }

    #[test]
    fn pseudo_headers_can_be_asked() {
        let mut request = Request::to(b"/a?b");
        request.host = b"h";
        let asks = |name, text| HeaderMatch::new(name, exact(text), false, false).unwrap().matches(&request);
        assert!(asks(":path", "/a?b"));
        assert!(asks(":authority", "h"));
        assert!(asks("Host", "h"));
        assert!(!asks(":method", "GET"));
    }
}
