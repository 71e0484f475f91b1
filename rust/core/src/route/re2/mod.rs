//! Regexes as Envoy reads them: RE2's syntax, run by the `regex` crate.
//!
//! The two agree on most of their syntax and differ in silence on the rest (`\d`, `\w`, `\s`,
//! `\b`, set operations in classes), so a pattern is read by RE2's grammar and written anew in the
//! other's. What RE2 refuses is refused; so is the little that the `regex` crate cannot say.
//!
//! Envoy compiles its patterns as Latin-1, so a character is a byte: `.` matches half an `é`, `[é]`
//! either half, `é+` repeats the second one, `(?i)` and `\w` know ASCII letters only.

mod class;
mod engine;
mod glob;
mod plain;
mod runs;
mod scan;
mod shape;
mod translate;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use engine::{Engine, SIZE_LIMIT, matches_once, nfa_of};
pub(crate) use glob::Glob;
use glob::glob_of;
use plain::plain_row;
pub(crate) use runs::{Run, RunTest};
pub(crate) use shape::{Piece, Row, Shape};
use shape::{literals_of, rows_of, shape_of_rows};
pub use translate::translate;

/// How deep groups may be nested.
pub(crate) const NEST_LIMIT: u32 = 200;

/// Why a regex is not honoured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// RE2 does not accept this.
    Syntax(String),
    /// RE2 accepts this, but it cannot be had here.
    Unsupported(String),
    /// It would compile to more than the memory set aside for one pattern.
    TooLarge,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(what) => write!(f, "not RE2 syntax: {what}"),
            Self::Unsupported(what) => write!(f, "not supported: {what}"),
            Self::TooLarge => write!(f, "takes more than {SIZE_LIMIT} bytes when compiled"),
        }
    }
}

impl std::error::Error for Refusal {}

/// A regex that matches whole texts. A copy is the same pattern.
#[derive(Clone)]
pub struct Pattern(Arc<Inner>);

struct Inner {
    source: Box<str>,
    kind: Kind,
}

enum Kind {
    /// Texts and runs in a row: no engine is needed.
    Rows(Shape),
    /// Texts with gaps between: none is needed, either.
    Glob(Box<Glob>),
    /// Anything else. The engine is made when it is used for the second time: there may be many patterns,
    /// it is large, and to make it takes longer than to do without it once.
    Other { head: Box<[u8]>, literal: Box<[u8]>, program: usize, used: AtomicBool, engine: OnceLock<Engine> },
}

impl Kind {
    /// The general way: by the pattern's tree.
    fn of(source: &str) -> Result<Self, Refusal> {
        let hir = parse(&translate(source)?)?;
        if let Some(kind) = rows_of(&hir).and_then(Self::of_rows) {
            return Ok(kind);
        }
        let program = nfa_of(source)?.memory_usage();
        let (head, literal) = literals_of(&hir);
        let (head, literal) = (head.into(), literal.into());
        Ok(Self::Other { head, literal, program, used: AtomicBool::new(false), engine: OnceLock::new() })
    }

    /// What needs no engine.
    fn of_rows(rows: Vec<Row>) -> Option<Self> {
        match glob_of(&rows) {
            Some(glob) => Some(Self::Glob(Box::new(glob))),
            None => shape_of_rows(rows).map(Self::Rows),
        }
    }
}

impl Pattern {
    /// Compiles a pattern written in RE2's syntax.
    ///
    /// # Errors
    /// When RE2 would refuse it, when it cannot be translated, or when it is too large.
    pub fn new(source: &str) -> Result<Self, Refusal> {
        let plain = plain_row(source).and_then(|row| Kind::of_rows(vec![row]));
        let kind = plain.map_or_else(|| Kind::of(source), Ok)?;
        Ok(Self(Arc::new(Inner { source: source.into(), kind })))
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The rows that the pattern is, if it is rows.
    pub(crate) fn shape(&self) -> Option<&Shape> {
        match &self.0.kind {
            Kind::Rows(shape) => Some(shape),
            Kind::Glob(_) | Kind::Other { .. } => None,
        }
    }

    /// The texts with gaps between that the pattern is, if it is that.
    pub(crate) fn glob(&self) -> Option<&Glob> {
        match &self.0.kind {
            Kind::Glob(glob) => Some(glob),
            Kind::Rows(_) | Kind::Other { .. } => None,
        }
    }

    /// What everything that matches begins with, and the longest text that is in all of it, where
    /// the pattern is not rows.
    pub(crate) fn literals(&self) -> (&[u8], &[u8]) {
        match &self.0.kind {
            Kind::Rows(_) => (b"", b""),
            Kind::Glob(glob) => glob.literals(),
            Kind::Other { head, literal, .. } => (head, literal),
        }
    }

    /// How large its program is, in bytes: none where no engine is needed.
    pub(crate) fn program_size(&self) -> usize {
        match &self.0.kind {
            Kind::Rows(_) | Kind::Glob(_) => 0,
            Kind::Other { program, .. } => *program,
        }
    }

    /// The pattern as a tree.
    #[cfg(test)]
    pub(crate) fn hir(&self) -> Option<Hir> {
        parse(&translate(&self.0.source).ok()?).ok()
    }

    /// Makes the engine, if there is to be one.
    pub(crate) fn prepare(&self) {
        if let Kind::Other { engine, .. } = &self.0.kind {
            engine.get_or_init(|| Engine::of(&self.0.source));
        }
    }

    /// Whether the pattern matches all of `text`.
    #[must_use]
    pub fn is_full_match(&self, text: &[u8]) -> bool {
        let engine = match &self.0.kind {
            Kind::Rows(shape) => return shape.matches(text),
            Kind::Glob(glob) => return glob.matches(text),
            Kind::Other { engine, used, .. } => {
                if engine.get().is_none()
                    && !used.swap(true, Ordering::Relaxed)
                    && let Some(matches) = matches_once(&self.0.source, text)
                {
                    return matches;
                }
                engine.get_or_init(|| Engine::of(&self.0.source))
            }
        };
        engine.is_full_match(text)
    }
}

fn parse(translated: &str) -> Result<Hir, Refusal> {
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).nest_limit(NEST_LIMIT + 50).build();
    parser.parse(translated).map_err(|error| Refusal::Unsupported(last_line(&error.to_string())))
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.0.source).finish()
    }
}

/// The message of a syntax error ends with what is wrong, after a drawing of where.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn says(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern)
            .unwrap_or_else(|refusal| panic!("{pattern:?}: {refusal}"))
            .is_full_match(text.as_bytes())
    }

    fn bytes(pattern: &str, text: &[u8]) -> bool {
        Pattern::new(pattern).unwrap().is_full_match(text)
    }

    #[test]
    fn the_whole_text_must_match() {
        assert!(says("/a|/ab", "/ab"));
        assert!(!says("a", "ab"));
        assert!(!says("a", "a\n"));
        assert!(says("", ""));
        assert!(says("a$|^b", "b"));
    }

    #[test]
    fn perl_classes_are_ascii() {
        assert!(
            says(r"\d\w\s", "1_ ") && !says(r"\d", "\u{661}") && !says(r"\w", "é") && !says(r"\s", "\u{a0}")
        );
        assert!(says(r"[\d-]+", "1-") && !says(r"[\w]", "é"));
        assert!(says(r"\D\W\S", "é\u{7f}") && bytes(r"[^\w]", b"\xe9") && bytes(r"[\W]", b"\xe9"));
        assert!(!says(r"\s", "\u{b}"), "RE2 leaves the vertical tab out");
        assert!(says(r"\S", "\u{b}"));
    }

    #[test]
    fn a_character_is_a_byte() {
        assert!(!says(".", "é") && says("..", "é") && !says("[^/]", "é") && says("é", "é"));
        assert!(says("é+", "é") && !says("é+", "éé") && says("(?:é)+", "éé"));
        assert!(says("[é]{2}", "é") && says(r"\x{c3}\xA9", "é") && !says(r"\pL", "é"));
        assert!(
            bytes(r"\pL", b"\xe9")
                && bytes("[^a]", b"\xff")
                && bytes(".", b"\xff")
                && bytes(r"\C\C", b"\xff\n")
        );
        assert!(!says(".", "\n") && says("(?s).", "\n") && says("[^a]", "\n"));
    }

    #[test]
    fn only_ascii_letters_fold() {
        assert!(says("(?i)k", "K") && !says("(?i)k", "\u{212a}") && !bytes(r"(?i)\x{e5}", b"\xc5"));
        assert!(says(r"(?i)\p{Lu}", "a") && bytes(r"(?i)\p{Lu}", b"\xc5") && !bytes(r"(?i)\p{Lu}", b"\xe5"));
        assert!(!says(r"(?i)\P{Lu}", "a") && !says(r"(?i)[\P{Lu}]", "a") && says(r"(?i)[[:upper:]]", "a"));
    }

    #[test]
    fn word_boundaries_are_ascii() {
        assert!(says(r"é\bb", "éb"));
        assert!(!says(r"a\bb", "ab") && says(r"a\Bb", "ab"));
    }

    #[test]
    fn set_operations_are_plain_characters() {
        assert!(says("[a&&b]+", "a&b"));
        assert!(says("[a-z&&[^b]]", "b]") && !says("[a-z&&[^b]]", "c"));
        assert!(says(r"[\w--a]+", "-_x"));
        assert!(says("[a[bc]]", "[]") && says("[a~~b]+", "~a"));
        assert!(says(r"\<a\>", "<a>"));
    }

    #[test]
    fn brackets_and_braces_may_be_literal() {
        assert!(says("[]a]+", "]a") && says("[^]a]", "b") && !says("[^]a]", "]"));
        assert!(says("a{,3}", "a{,3}") && says("a{", "a{") && says("{x}", "{x}") && says("a{01}", "a{01}"));
        assert!(says("]", "]") && says("}", "}") && says("[a-]+", "-a") && says("[+--]+", "+,-"));
        assert!(says("a{2}", "aa") && says("a{1,}", "aaa") && says("a{0,1}", ""));
    }

    #[test]
    fn quotes_and_escapes_are_read_as_re2_reads_them() {
        assert!(says(r"\Qa.b*\E+", "a.b**") && !says(r"\Qa.b\E", "axb") && says(r"a\Q+", "a+"));
        assert!(says(r"\x41\x{7e}\101\0\a\f\v\_", "A~A\u{0}\u{7}\u{c}\u{b}_") && says(r"[\x41-\x43\n]", "B"));
        assert!(
            says(r"\pN\p{Latin}\P{Greek}\p{^Greek}", "1aaa")
                && !says(r"\p{Greek}", "a")
                && !says(r"\p{Cs}", "a")
                && says(r"[\pN\P{L}]", "1")
        );
        assert!(says("[[:alpha:]]", "a") && !says("[[:alpha:]]", "é") && says("[[:^digit:][:word:]]", "1"));
        assert!(says(r"\Aa\z", "a") && says("(?P<n>a)(?<n>b)(c)", "abc"));
    }

    #[test]
    fn flags_hold_to_the_end_of_their_group() {
        assert!(says("a(?i)b|c", "C") && !says("(a(?i)b)c", "ABC") && says("((?i)a)b", "Ab"));
        assert!(
            says("(?i:a)(?-i)b(?)", "Ab")
                && says("(?ii)a", "A")
                && says("(?im-s)a", "A")
                && says("(?U)a*", "aa")
        );
        assert!(says("(?m)a$\n^b", "a\nb") && !says("a$\n^b", "a\nb"));
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        for pattern in [
            "a**",
            "a++",
            "a?+",
            "a*?*",
            "a{2}{3}",
            "a{2}*",
            "*a",
            "|*",
            "(*)",
            "(?x)a",
            "(?u)a",
            "(?R)a",
            "(?-)a",
            "(?i-)a",
            "(?=a)",
            "(?<!a)",
            "(?P=n)",
            "(?P<>a)",
            "a{1001}",
            "a{0,1001}",
            "a{3,2}",
            r"\Z",
            r"\1",
            r"\8",
            r"\R",
            r"\e",
            r"\xG",
            r"\x{110000}",
            r"\x{}",
            r"\p{Nope}",
            r"\p{greek}",
            r"\pX",
            r"a\",
            "[a",
            "[]",
            "[b-a]",
            r"[a-\d]",
            r"[\b]",
            r"[\Q]",
            "[[:nope:]]",
            "(a",
            "a)",
            r"[\8]",
            r"\E",
            r"\b{start}x**",
            r"((a{100}){100}){2}",
        ] {
            assert!(
                matches!(Pattern::new(pattern), Err(Refusal::Syntax(_))),
                "{pattern:?}: {:?}",
                Pattern::new(pattern)
            );
        }
    }

    #[test]
    fn what_cannot_be_said_here_is_refused_with_its_reason() {
        let why = |pattern: &str| Pattern::new(pattern).unwrap_err().to_string();
        assert!(why(&"(".repeat(500)).contains("nested"));
        assert_eq!(why(&"(?:ab?c?){1000}".repeat(50)), "takes more than 4194304 bytes when compiled");
    }

    proptest! {
        #[test]
        fn any_text_is_translated_or_refused(pattern in r"[ab\\\[\]{}()*+?|^$.,:\-&~<>0-9QECdDwWsSbBpPxzAiUms/é=!]{0,24}") {
            if let Ok(pattern) = Pattern::new(&pattern) {
                let _ = pattern.is_full_match(b"ab/1");
            }
        }

        /// The first text is matched before there is an engine, unless it is long.
        #[test]
        fn a_pattern_says_the_same_each_time(
            pattern in r"[ab.*+|()^$/]{0,12}", text in "[ab/\n]{0,8}", long in prop::bool::ANY,
        ) {
            let text = if long { text.repeat(1000) } else { text };
            if let Ok(pattern) = Pattern::new(&pattern) {
                let first = pattern.is_full_match(text.as_bytes());
                prop_assert_eq!(pattern.is_full_match(text.as_bytes()), first);
                prop_assert_eq!(Pattern::new(pattern.source()).map(|copy| { copy.prepare(); copy.is_full_match(text.as_bytes()) }), Ok(first));
            }
        }

        #[test]
        fn a_quoted_text_matches_itself_alone(text in "[^\\\\]{0,12}", other in ".{0,4}") {
            let pattern = Pattern::new(&format!(r"\Q{text}\E")).unwrap();
            prop_assert!(pattern.is_full_match(text.as_bytes()));
            prop_assert_eq!(pattern.is_full_match(other.as_bytes()), text == other);
        }
    }
}
