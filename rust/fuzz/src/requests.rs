//! Requests made of bytes.

use super::Bytes;
use super::rules::PIECES;
use trimtab_core::route::Request;

const HOSTS: &[&str] = &["", "a", "A.b", "x.b", "b", "a.x", "aB", "c", ".b", "x.a.B", "b:1"];
const METHODS: &[&str] = &["GET", "POST", "get", "M1", "M8", "M9"];
const HEADERS: &[&str] = &["x", "X", "y", "content-type"];
const VALUES: &[&str] = &["application/grpc", "application/grpc+a", "application/grpcx", "+1", " 2 ", "-1"];

/// The longest path: what servers take of a line at most.
const LONG: usize = 8192;

/// A request that owns what it is made of.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    target: String,
    host: String,
    method: Option<&'static str>,
    scheme: Option<&'static str>,
    port: Option<u16>,
    headers: Vec<(&'static str, String)>,
}

/// A request; the path of one in many is as long as servers take it.
pub fn asked(bytes: &mut Bytes<'_>) -> Asked {
    let mut target = bytes.text(PIECES, 8);
    if bytes.one_in(60) && !target.is_empty() {
        target = target.repeat(LONG / target.len());
    }
    if bytes.one_in(3) {
        target.push('?');
        target.push_str(&bytes.text(&["k", "l", "=", "&", "a", "b", "é", "#"], 8));
    }
    let header = |bytes: &mut Bytes<'_>| {
        let name = bytes.choose(HEADERS)?;
        let value = if bytes.one_in(3) { bytes.choose(VALUES)?.to_owned() } else { bytes.text(PIECES, 3) };
        Some((name, value))
    };
    Asked {
        target,
        host: bytes.choose(HOSTS).unwrap_or_default().to_owned(),
        method: if bytes.one_in(4) { None } else { bytes.choose(METHODS) },
        scheme: if bytes.one_in(2) { bytes.choose(&["http", "https", "ftp"]) } else { None },
        port: bytes.one_in(2).then_some(80),
        headers: bytes.list(4, header),
    }
}

impl Asked {
    /// How long its path is, in bytes.
    #[must_use]
    pub fn path_len(&self) -> usize {
        self.target.len()
    }

    /// Calls `ask` with the request.
    pub fn with<T>(&self, ask: impl FnOnce(&Request<'_>) -> T) -> T {
        let headers = self.headers.as_slice();
        ask(&Request {
            target: self.target.as_bytes(),
            host: self.host.as_bytes(),
            method: self.method.map(str::as_bytes),
            scheme: self.scheme.map(str::as_bytes),
            port: self.port,
            headers: &headers,
        })
    }
}
