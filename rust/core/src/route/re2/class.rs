//! Character classes: `[...]`, `\d`, `\pL`, `[:alpha:]`.

use super::Refusal;
use super::scan::Scanner;
use regex::bytes::Regex;
use std::fmt::Write;

/// RE2's Unicode categories.
const CATEGORIES: &[&str] = &[
    "Any", "C", "Cc", "Cf", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd",
    "Nl", "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp",
    "Zs",
];
/// The scripts whose full names are as short as the abbreviations, which RE2 does not know.
const SHORT_SCRIPTS: &[&str] = &["Ahom", "Cham", "Han", "Lao", "Lisu", "Mro", "Nko", "Thai", "Vai", "Yi"];
const POSIX: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// `\d` and its kin; `\s` is without the vertical tab, as in RE2.
pub(super) fn take_perl(scanner: &mut Scanner<'_>) -> Option<&'static str> {
    let classes = [
        (r"\d", "[0-9]"),
        (r"\D", "[^0-9]"),
        (r"\s", r"[\t\n\x0C\r ]"),
        (r"\S", r"[^\t\n\x0C\r ]"),
        (r"\w", "[0-9A-Za-z_]"),
        (r"\W", "[^0-9A-Za-z_]"),
    ];
    classes.into_iter().find(|(escape, _)| scanner.take(escape)).map(|(_, class)| class)
}

/// `\pN`, `\p{Greek}`, `\P{Greek}`, `\p{^Greek}`: those of its characters that are one byte.
pub(super) fn take_unicode(scanner: &mut Scanner<'_>) -> Result<Option<String>, Refusal> {
    let shown = scanner.shown();
    let bad = || Refusal::Syntax(format!("Unicode class at {shown:?}"));
    let mut negated = scanner.starts_with(r"\P");
    if !scanner.take(r"\p") && !scanner.take(r"\P") {
        return Ok(None);
    }
    let mut name = if scanner.take("{") {
        scanner.take_until("}").ok_or_else(bad)?
    } else {
        char::from(scanner.next().ok_or_else(bad)?).to_string()
    };
    if let Some(rest) = name.strip_prefix('^') {
        negated = !negated;
        name = rest.to_owned();
    }
    let ranges = latin1_ranges(&name).ok_or_else(bad)?;
    // A negated class is written as one: letters that ignore case are to be added before.
    Ok(Some(match (ranges.as_str(), negated) {
        ("", false) => r"[^\x00-\xFF]".to_owned(),
        ("", true) => r"[\x00-\xFF]".to_owned(),
        (ranges, false) => format!("[{ranges}]"),
        (ranges, true) => format!("[^{ranges}]"),
    }))
}

/// The Latin-1 characters of a category or script that RE2 knows, as ranges of a class.
fn latin1_ranges(name: &str) -> Option<String> {
    // The other engine would forgive case and take abbreviations.
    let capitalised = name.split('_').all(|part| {
        part.starts_with(|c: char| c.is_ascii_uppercase())
            && part.chars().skip(1).all(|c| c.is_ascii_lowercase())
    });
    let class = if name == "Cs" {
        return Some(String::new());
    } else if CATEGORIES.contains(&name) {
        format!(r"\A\p{{{name}}}\z")
    } else if capitalised && (name.len() > 4 || SHORT_SCRIPTS.contains(&name)) {
        format!(r"\A\p{{Script={name}}}\z")
    } else {
        return None;
    };
    let class = Regex::new(&class).ok()?;
    let mut ranges = String::new();
    let members = |byte: u8| class.is_match(char::from(byte).encode_utf8(&mut [0; 2]).as_bytes());
    let mut bytes = (0..=u8::MAX).peekable();
    while let Some(low) = bytes.find(|byte| members(*byte)) {
        let mut high = low;
        while let Some(next) = bytes.next_if(|byte| members(*byte)) {
            high = next;
        }
        push_byte(&mut ranges, low);
        ranges.push('-');
        push_byte(&mut ranges, high);
    }
    Some(ranges)
}

/// `[:alpha:]` and `[:^alpha:]`, inside a class.
fn take_posix(scanner: &mut Scanner<'_>) -> Result<Option<String>, Refusal> {
    if !scanner.starts_with("[:") {
        return Ok(None);
    }
    let mut ahead = scanner.clone();
    ahead.take("[:");
    let Some(name) = ahead.take_until(":]") else { return Ok(None) };
    *scanner = ahead;
    if !POSIX.contains(&name.strip_prefix('^').unwrap_or(&name)) {
        return Err(Refusal::Syntax(format!("class [:{name}:]")));
    }
    Ok(Some(format!("[:{name}:]")))
}

/// A class in brackets. Nothing in it is an operator but `^` at its start, `-` between two
/// characters, and the classes above.
pub(super) fn take_bracketed(scanner: &mut Scanner<'_>, out: &mut String) -> Result<(), Refusal> {
    let shown = scanner.shown();
    let unclosed = || Refusal::Syntax(format!("no ']' for {shown:?}"));
    scanner.next();
    out.push('[');
    if scanner.take("^") {
        out.push('^');
    }
    let mut first = true;
    while first || scanner.peek() != Some(b']') {
        first = false;
        if let Some(class) = take_posix(scanner)? {
            out.push_str(&class);
        } else if let Some(class) = take_unicode(scanner)? {
            out.push_str(&class);
        } else if let Some(class) = take_perl(scanner) {
            out.push_str(class);
        } else {
            let low = take_byte(scanner)?.ok_or_else(unclosed)?;
            push_byte(out, low);
            if scanner.peek() == Some(b'-') && !matches!(scanner.peek_second(), None | Some(b']')) {
                scanner.next();
                let high = take_byte(scanner)?.ok_or_else(unclosed)?;
                if high < low {
                    return Err(Refusal::Syntax(format!("a range in {shown:?} is backwards")));
                }
                out.push('-');
                push_byte(out, high);
            }
        }
        if scanner.is_empty() {
            return Err(unclosed());
        }
    }
    scanner.next();
    out.push(']');
    Ok(())
}

fn take_byte(scanner: &mut Scanner<'_>) -> Result<Option<u8>, Refusal> {
    if scanner.peek() == Some(b'\\') { scanner.take_escape().map(Some) } else { Ok(scanner.next()) }
}

/// Writes a byte so that it stands for itself, inside a class and outside.
pub(super) fn push_byte(out: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() || byte == b'/' {
        out.push(char::from(byte));
    } else {
        // Writing to a String cannot fail.
        let _ = write!(out, r"\x{byte:02X}");
    }
}
