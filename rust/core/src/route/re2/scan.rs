//! Reading a pattern byte by byte, and the escapes that stand for one byte.

use super::Refusal;

/// What is left of a pattern.
#[derive(Clone)]
pub(super) struct Scanner<'p> {
    rest: &'p [u8],
}

impl<'p> Scanner<'p> {
    pub(super) fn new(pattern: &'p str) -> Self {
        Self { rest: pattern.as_bytes() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn starts_with(&self, text: &str) -> bool {
        self.rest.starts_with(text.as_bytes())
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(super) fn peek_second(&self) -> Option<u8> {
        self.rest.get(1).copied()
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// Takes `text` if it is next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text.as_bytes()) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes everything before `end`, and `end` itself; nothing when it is not there.
    pub(super) fn take_until(&mut self, end: &str) -> Option<String> {
        let at = self.rest.windows(end.len()).position(|window| window == end.as_bytes())?;
        let (before, after) = self.rest.split_at_checked(at)?;
        self.rest = after.get(end.len()..)?;
        Some(String::from_utf8_lossy(before).into_owned())
    }

    /// The beginning of what is left, to be shown in an error.
    pub(super) fn shown(&self) -> String {
        String::from_utf8_lossy(self.rest).chars().take(12).collect()
    }

    /// Takes a number without leading zeros.
    fn take_number(&mut self) -> Option<u32> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (text, rest) = self.rest.split_at_checked(digits)?;
        if text.len() > 1 && text.starts_with(b"0") {
            return None;
        }
        let number = std::str::from_utf8(text).ok()?.parse().ok()?;
        self.rest = rest;
        Some(number)
    }

    /// Takes `{n}`, `{n,}` or `{n,m}`. Whatever else begins with a brace is plain text to RE2.
    pub(super) fn take_repetition(&mut self) -> Option<(u32, Option<u32>)> {
        let mut ahead = Self { rest: self.rest.strip_prefix(b"{")? };
        let least = ahead.take_number()?;
        let most = if !ahead.take(",") {
            Some(least)
        } else if ahead.peek() == Some(b'}') {
            None
        } else {
            Some(ahead.take_number()?)
        };
        if !ahead.take("}") {
            return None;
        }
        self.rest = ahead.rest;
        Some((least, most))
    }

    /// Takes a backslash and what it stands for, where that is one byte.
    pub(super) fn take_escape(&mut self) -> Result<u8, Refusal> {
        let shown = self.shown();
        let bad = || Refusal::Syntax(format!("escape at {shown:?}"));
        self.next();
        let code = match self.next().ok_or_else(bad)? {
            b'a' => 0x07,
            b'f' => 0x0c,
            b'n' => 0x0a,
            b'r' => 0x0d,
            b't' => 0x09,
            b'v' => 0x0b,
            b'x' => self.take_hex().ok_or_else(bad)?,
            b'0' => self.take_octal(0),
            // \1 to \7 are octal only when more digits follow; alone they are back-references.
            digit @ b'1'..=b'7' if matches!(self.peek(), Some(b'0'..=b'7')) => {
                self.take_octal(u32::from(digit - b'0'))
            }
            byte if byte.is_ascii() && !byte.is_ascii_alphanumeric() => u32::from(byte),
            _ => return Err(bad()),
        };
        u8::try_from(code).map_err(|_| bad())
    }

    /// Up to two more octal digits.
    fn take_octal(&mut self, mut code: u32) -> u32 {
        for _ in 0..2 {
            if let Some(digit @ b'0'..=b'7') = self.peek() {
                code = code * 8 + u32::from(digit - b'0');
                self.next();
            }
        }
        code
    }

    /// `7F` or `{7F}`.
    fn take_hex(&mut self) -> Option<u32> {
        let digits = if self.take("{") {
            self.take_until("}")?
        } else {
            [char::from(self.next()?), char::from(self.next()?)].iter().collect()
        };
        let all_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if all_hex { u32::from_str_radix(&digits, 16).ok() } else { None }
    }
}
