//! A request, borrowed: what the rules look at.

use super::table::AskedValues;
use memchr::memchr;

/// The headers of a request, by lower-case name.
pub trait Headers {
    /// Calls `test` with each value of the header `name` until it answers true.
    /// `None` when the request has no such header, otherwise whether a value passed.
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> Option<bool>;

    /// The same for a name that has this number in the table that asks, so that what was found
    /// once may be remembered.
    fn any_numbered(&self, _number: u32, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> Option<bool> {
        self.any(name, test)
    }

    /// Whether each of these headers has the value that is asked for: what most rules ask, and so one
    /// call for all of them.
    fn have(&self, mut asked: AskedValues<'_>) -> bool {
        asked.all(|one| self.any_numbered(one.number(), one.name(), &mut |value| one.is(value)) == Some(true))
    }

    /// Calls `visit` with the name and the value of every header, and answers true; false when that
    /// would cost more than to be asked for a dozen of them by name.
    fn each(&self, _visit: &mut dyn FnMut(&[u8], &[u8])) -> bool {
        false
    }
}

/// A request without headers.
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn any(&self, _: &str, _: &mut dyn FnMut(&[u8]) -> bool) -> Option<bool> {
        None
    }

    fn each(&self, _: &mut dyn FnMut(&[u8], &[u8])) -> bool {
        true
    }
}

/// Pairs of name and value; names in any case, a name as often as it likes.
impl<N: AsRef<[u8]>, V: AsRef<[u8]>> Headers for &[(N, V)] {
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> Option<bool> {
        let mut values =
            self.iter().filter(|(n, _)| n.as_ref().eq_ignore_ascii_case(name.as_bytes())).peekable();
        values.peek()?;
        Some(values.any(|(_, value)| test(value.as_ref())))
    }

    fn each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) -> bool {
        for (name, value) in *self {
            visit(name.as_ref(), value.as_ref());
        }
        true
    }
}

/// One request, borrowed from whoever received it. Bytes, since nothing obliges a client to send
/// UTF-8.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The path with its query, as in `:path`.
    pub target: &'a [u8],
    /// The host with its port, if the client sent one, as in `:authority`; empty when absent.
    pub host: &'a [u8],
    /// The method; rules that name methods never match a request without one.
    pub method: Option<&'a [u8]>,
    /// `http` or `https`, where known.
    pub scheme: Option<&'a [u8]>,
    /// The port of the listener that took the request, where known.
    pub port: Option<u16>,
    /// The other headers.
    pub headers: &'a dyn Headers,
}

impl<'a> Request<'a> {
    /// A request for `target` with nothing else known about it.
    #[must_use]
    pub fn to(target: &'a [u8]) -> Self {
        Self { target, host: b"", method: None, scheme: None, port: None, headers: &NoHeaders }
    }

    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> &'a [u8] {
        memchr(b'?', self.target).and_then(|end| self.target.get(..end)).unwrap_or(self.target)
    }

    /// The query without its `?`; empty when there is none.
    #[must_use]
    pub fn query(&self) -> &'a [u8] {
        memchr(b'?', self.target).and_then(|end| self.target.get(end + 1..)).unwrap_or_default()
    }

    /// Whether Envoy would look at its routes at all: it answers 400 to a path with a fragment.
    #[must_use]
    pub fn is_routable(&self) -> bool {
        memchr(b'#', self.target).is_none()
    }

    /// Like [`Headers::any`], for the pseudo-headers too.
    pub(crate) fn any_header(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> Option<bool> {
        match self.pseudo(name) {
            Some(value) => value.map(test),
            None => self.headers.any(name, test),
        }
    }

    /// Like [`Headers::any_numbered`], for the pseudo-headers too.
    pub(crate) fn any_numbered(
        &self,
        name: &str,
        number: u32,
        test: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Option<bool> {
        match self.pseudo(name) {
            Some(value) => value.map(test),
            None => self.headers.any_numbered(number, name, test),
        }
    }

    /// The value of a pseudo-header, if `name` is one.
    #[expect(clippy::option_option, reason = "whether it is one, and whether it is there")]
    #[inline]
    fn pseudo(&self, name: &str) -> Option<Option<&'a [u8]>> {
        if !name.starts_with(':') && name != "host" {
            return None;
        }
        match name {
            ":path" => Some(Some(self.target)),
            // HTTP/1's Host is :authority to Envoy.
            ":authority" | "host" => Some(Some(self.host).filter(|host| !host.is_empty())),
            ":method" => Some(self.method),
            ":scheme" => Some(self.scheme),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_begins_at_the_first_question_mark() {
        let request = Request::to(b"/a?b?c");
        assert_eq!((request.path(), request.query()), (&b"/a"[..], &b"b?c"[..]));
        assert_eq!(Request::to(b"/a").query(), b"");
    }

    #[test]
    fn a_fragment_is_not_routable() {
        assert!(!Request::to(b"/a#b").is_routable());
        assert!(!Request::to(b"/a?x#b").is_routable());
    }

    #[test]
    fn header_names_ignore_case() {
        let pairs = [("X-A", "1"), ("x-a", "2")];
        let mut seen = Vec::new();
        let headers: &[_] = &pairs;
        assert_eq!(
            headers.any("x-a", &mut |value| {
                seen.push(value.to_vec());
                false
            }),
            Some(false)
        );
        assert_eq!(seen, [b"1", b"2"]);
        assert_eq!(headers.any("x-b", &mut |_| true), None);
    }
}
