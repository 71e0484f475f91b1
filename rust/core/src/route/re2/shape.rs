//! The shape of a regex: most of those in route tables are texts and runs in a row, and such a row
//! needs no regex engine.

use super::runs::{ByteSet, Run};
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

/// How many rows a regex may be spread into, for its alternatives.
const MAX_ROWS: usize = 16;
/// How many runs a row may have: what bounds the depth of a search.
const MAX_RUNS: usize = 12;
/// The longest text that a repetition is spread into.
const MAX_TEXT: usize = 256;

/// A part of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(Vec<u8>),
    Run(Run),
}

/// One after another, from the start of a text to its end.
pub(crate) type Row = Vec<Piece>;

/// What a regex asks of a whole text: to be one of these rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Rows that can be read from the front.
    pub forward: Vec<Row>,
    /// Rows for a text with its capitals made small, read from the front.
    pub folded: Vec<Row>,
    /// Rows that can be read from the back only, written from the back.
    pub backward: Vec<Row>,
}

/// The rows of a pattern, joined; `None` when it is more than rows, or too many of them.
pub(super) fn rows_of(hir: &Hir) -> Option<Vec<Row>> {
    rows(hir, Bounds { start: true, end: true })?.into_iter().map(joined).collect()
}

/// The shape of joined rows; `None` when one of them may be read in several ways.
pub(super) fn shape_of_rows(rows: Vec<Row>) -> Option<Shape> {
    let mut shape = Shape::default();
    for row in rows {
        if let Some(folded) = folded(&row).filter(|row| is_readable(row)) {
            shape.folded.push(folded);
        } else if is_readable(&row) {
            shape.forward.push(row);
        } else {
            let row = reversed(row);
            if !is_readable(&row) {
                return None;
            }
            shape.backward.push(row);
        }
    }
    // Most have one row, and there may be many patterns.
    for rows in [&mut shape.forward, &mut shape.folded, &mut shape.backward] {
        rows.shrink_to_fit();
    }
    Some(shape)
}

impl Shape {
    /// Whether `text` is one of the rows.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        self.forward.iter().any(|row| is_row(row, text, false))
            || self.folded.iter().any(|row| is_row(row, text, true))
            || self.backward.iter().any(|row| is_row_backward(row, text))
    }
}

/// Whether `text` is the row: there is only one way to read it.
fn is_row(row: &[Piece], text: &[u8], folds: bool) -> bool {
    let mut rest = text;
    for piece in row {
        let length = match piece {
            Piece::Run(run) => run.forward(rest),
            Piece::Text(text) => rest
                .get(..text.len())
                .filter(|start| if folds { start.eq_ignore_ascii_case(text) } else { start == text })
                .map(<[u8]>::len),
        };
        match length.and_then(|length| rest.get(length..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

fn is_row_backward(row: &[Piece], text: &[u8]) -> bool {
    let mut rest = text;
    for piece in row {
        let length = match piece {
            Piece::Run(run) => run.backward(rest),
            Piece::Text(text) => rest
                .iter()
                .rev()
                .zip(text)
                .filter(|(a, b)| a == b)
                .count()
                .eq(&text.len())
                .then_some(text.len()),
        };
        match length.and_then(|length| rest.len().checked_sub(length)).and_then(|left| rest.get(..left)) {
            Some(before) => rest = before,
            None => return false,
        }
    }
    rest.is_empty()
}

/// The row for small letters, of a row that takes letters in either case and has some.
fn folded(row: &[Piece]) -> Option<Row> {
    let mut letters = false;
    let mut folded: Row = Vec::new();
    for piece in row {
        let text = match piece {
            Piece::Text(text) if text.iter().any(u8::is_ascii_alphabetic) => return None,
            Piece::Text(text) => text.clone(),
            Piece::Run(run) => match run.class.letter().filter(|_| run.is_fixed()) {
                Some(letter) => {
                    letters = true;
                    vec![letter; run.min as usize]
                }
                None if run.class.ignores_case() => {
                    folded.push(piece.clone());
                    continue;
                }
                None => return None,
            },
        };
        match folded.last_mut() {
            Some(Piece::Text(before)) => before.extend_from_slice(&text),
            _ => folded.push(Piece::Text(text)),
        }
    }
    letters.then_some(folded)
}

/// Texts of which one is in everything that matches: what it begins with, and the longest one.
pub(crate) fn literals_of(hir: &Hir) -> (Vec<u8>, Vec<u8>) {
    let mut literals = vec![Vec::new()];
    push_literals(hir, &mut literals);
    let head = literals.first().cloned().unwrap_or_default();
    let longest = literals.into_iter().max_by_key(Vec::len).unwrap_or_default();
    (head, longest)
}

/// Adds to the last literal while they follow each other; starts a new one after anything else.
fn push_literals(hir: &Hir, literals: &mut Vec<Vec<u8>>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => {
            if let Some(last) = literals.last_mut() {
                last.extend_from_slice(&literal.0);
            }
        }
        HirKind::Capture(capture) => push_literals(&capture.sub, literals),
        HirKind::Concat(parts) => parts.iter().for_each(|part| push_literals(part, literals)),
        _ => literals.push(Vec::new()),
    }
}

/// Whether a part of a pattern begins where the text does, and ends where it does.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    start: bool,
    end: bool,
}

fn rows(hir: &Hir, at: Bounds) -> Option<Vec<Row>> {
    let nothing = || Some(vec![Vec::new()]);
    match hir.kind() {
        HirKind::Empty => nothing(),
        HirKind::Literal(literal) => Some(vec![vec![Piece::Text(literal.0.to_vec())]]),
        HirKind::Class(class) => run_of(class, 1, 1).map(|piece| vec![vec![piece]]),
        HirKind::Capture(capture) => rows(&capture.sub, at),
        HirKind::Repetition(repetition) => repeated(repetition),
        HirKind::Alternation(ways) => {
            let ways: Option<Vec<_>> = ways.iter().map(|way| rows(way, at)).collect();
            few(ways?.into_iter().flatten().collect())
        }
        HirKind::Concat(parts) => {
            let last = parts.len().saturating_sub(1);
            parts.iter().enumerate().try_fold(vec![Vec::new()], |before, (place, part)| {
                let at = Bounds { start: at.start && place == 0, end: at.end && place == last };
                product(&before, &rows(part, at)?)
            })
        }
        // An anchor where the text starts or ends anyway says nothing.
        HirKind::Look(Look::Start) if at.start => nothing(),
        HirKind::Look(Look::End) if at.end => nothing(),
        HirKind::Look(_) => None,
    }
}

fn repeated(repetition: &Repetition) -> Option<Vec<Row>> {
    let max = repetition.max.unwrap_or(u32::MAX);
    if let HirKind::Class(class) = repetition.sub.kind() {
        return run_of(class, repetition.min, max).map(|piece| vec![vec![piece]]);
    }
    if let (HirKind::Literal(literal), Some(_)) = (repetition.sub.kind(), repetition.max)
        && literal.0.len().saturating_mul(max as usize) > MAX_TEXT
    {
        return None;
    }
    if max > 8 {
        return None;
    }
    let once = rows(&repetition.sub, Bounds { start: false, end: false })?;
    let mut ways = Vec::new();
    let mut so_far = vec![Vec::new()];
    for times in 0..=max {
        if times >= repetition.min {
            ways = few([ways, so_far.clone()].concat())?;
        }
        if times < max {
            so_far = product(&so_far, &once)?;
        }
    }
    Some(ways)
}

fn product(before: &[Row], after: &[Row]) -> Option<Vec<Row>> {
    few(before.iter().flat_map(|a| after.iter().map(move |b| [a.as_slice(), b].concat())).collect())
}

fn few(rows: Vec<Row>) -> Option<Vec<Row>> {
    (rows.len() <= MAX_ROWS).then_some(rows)
}

fn run_of(class: &Class, min: u32, max: u32) -> Option<Piece> {
    let class = match class {
        Class::Bytes(class) => class.clone(),
        // What is left of alternatives of single characters.
        Class::Unicode(class) => class.to_byte_class()?,
    };
    let set = ByteSet::of(class.ranges().iter().map(|range| (range.start(), range.end())));
    (set.len() > 0).then_some(Piece::Run(Run { class: set, min, max }))
}

/// The row with its neighbours joined: text with text, a run with a run of the same class.
pub(super) fn joined(row: Row) -> Option<Row> {
    let mut pieces = Row::with_capacity(row.len());
    for piece in row {
        match (pieces.last_mut(), piece) {
            (_, Piece::Text(text)) if text.is_empty() => {}
            (_, Piece::Run(run)) if run.max == 0 => {}
            // The byte that stands for a run in a trie.
            (_, Piece::Text(text)) if text.contains(&0) => return None,
            (Some(Piece::Text(before)), Piece::Text(text)) => before.extend_from_slice(&text),
            (Some(Piece::Run(before)), Piece::Run(run)) if before.class == run.class => {
                before.min = before.min.checked_add(run.min)?;
                before.max = before.max.saturating_add(run.max);
            }
            (_, piece) => pieces.push(piece),
        }
    }
    Some(pieces)
}

/// Whether it is plain where each run ends, so that there is only one way to read the row.
fn is_readable(row: &[Piece]) -> bool {
    let runs = row.iter().filter(|piece| matches!(piece, Piece::Run(_))).count();
    let ends = row.windows(2).all(|pair| match pair {
        [Piece::Run(run), _] if run.is_fixed() => true,
        [Piece::Run(run), Piece::Text(text)] => text.first().is_some_and(|byte| !run.class.contains(*byte)),
        [Piece::Run(run), Piece::Run(next)] => next.min > 0 && run.class.is_disjoint(&next.class),
        _ => true,
    });
    ends && runs <= MAX_RUNS
}

fn reversed(row: Row) -> Row {
    row.into_iter()
        .rev()
        .map(|piece| match piece {
            Piece::Text(mut text) => {
                text.reverse();
                Piece::Text(text)
            }
            run @ Piece::Run(_) => run,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::route::Pattern;
    use proptest::prelude::*;

    fn shape_of(hir: &Hir) -> Option<Shape> {
        shape_of_rows(rows_of(hir)?)
    }

    fn hir(pattern: &str) -> Hir {
        Pattern::new(pattern).unwrap().hir().unwrap()
    }

    fn shape(pattern: &str) -> Option<(usize, usize)> {
        shape_of(&hir(pattern)).map(|shape| (shape.forward.len(), shape.backward.len()))
    }

    /// Whether `text` is a row of the pattern, and whether the pattern has rows.
    fn says(pattern: &str, text: &[u8]) -> Option<bool> {
        shape_of(&hir(pattern)).map(|shape| shape.matches(text))
    }

    #[test]
    fn templates_are_rows() {
        for pattern in [
            "/a",
            "/a/[^/]+/b",
            "/a/[^/]+",
            r"/\d{1,3}/x",
            "/a/.*",
            "^/a(/.*)$",
            "/v[12]/[a-z][a-z]+",
            "/[a-z][a-z0-9]*/v[0-9]0",
            "/[a-z]+[0-9]+",
            "/(?P<id>[^/]*)/",
        ] {
            assert_eq!(shape(pattern), Some((1, 0)), "{pattern}");
        }
    }

    #[test]
    fn alternatives_are_spread() {
        assert_eq!(shape("/a|/b/[^/]+"), Some((2, 0)));
        assert_eq!(shape("/a(/.*)?"), Some((2, 0)));
        assert_eq!(shape("/(a|b)/(cc|d|e)"), Some((3, 0)));
        assert_eq!(shape("/(ab){1,3}"), Some((3, 0)));
        assert_eq!(shape("/(aa|b)(aa|b)(aa|b)(aa|b)(aa|b)"), None);
    }

    #[test]
    fn what_ends_in_a_text_may_be_read_from_the_back() {
        assert_eq!(shape(".*-5"), Some((0, 1)));
        assert_eq!(shape("[a-z]+b"), Some((0, 1)));
    }

    #[test]
    fn what_can_be_read_in_two_ways_needs_an_engine() {
        for pattern in ["/a/.*/b", "(ab)*", ".*a.*", "(?m)^a$", r"a\bb", "x^"] {
            assert_eq!(shape(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn an_anchor_within_a_text_matches_nothing() {
        for pattern in [r"/(\Aa|b)", "/(?:a$|b)c?", "(?:a|b$)c", "(?:^a){2}"] {
            assert_eq!(shape(pattern), None, "{pattern}");
        }
        for pattern in [r"/(\Aa|1)", "(a$|1)b"] {
            assert!(!Pattern::new(pattern).unwrap().is_full_match(b"/a"));
            assert!(!Pattern::new(pattern).unwrap().is_full_match(b"ab"));
        }
        assert_eq!(shape("(?:^aa|^b)(?:cc$|d$)"), Some((4, 0)), "there it says nothing");
    }

    #[test]
    fn what_ignores_case_is_a_row_of_small_letters() {
        let folded = |pattern: &str| shape_of(&hir(pattern)).map(|shape| shape.folded.len());
        for (pattern, rows) in
            [("(?i)/aa/[^/]+/b", 1), ("(?i)a|b1", 2), ("(?i)[a-f]+/x", 1), ("/a(?i)b", 0), ("/[a-z]b", 0)]
        {
            assert_eq!(folded(pattern), Some(rows), "{pattern}");
        }
        assert_eq!(says("(?i)/aa/[^/]+", b"/aA/B"), Some(true));
    }

    #[test]
    fn literals_are_in_everything_that_matches() {
        let literals = |pattern: &str| {
            let (head, longest) = literals_of(&hir(pattern));
            [head, longest].map(|text| String::from_utf8(text).unwrap())
        };
        assert_eq!(literals("^/a/(b).*/c"), ["/a/b", "/a/b"]);
        assert_eq!(literals("(?i)/a"), ["/", "/"]);
        assert_eq!(literals(".*/abc.*(?:de|f)?"), ["", "/abc"]);
        assert_eq!(literals("a|b"), ["", ""]);
    }

    const PIECES: &[&str] = &[
        "a",
        "b",
        "/",
        "/a",
        "[^/]+",
        "[^/]*",
        ".*",
        ".",
        "[ab]",
        "[ab]+",
        r"\d{1,2}",
        "(a|bb)",
        "(a|/b)?",
        "(?i:a)",
        "(?i:[a-b]+)",
        "[aA]",
        "(ab){2}",
        "é",
        "^",
        "$",
        "(^a|b)",
        "(a$|1)",
        "(?:^a)?",
        "[^a]",
        "a?",
        "(?s:.)+",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn rows_say_what_the_engine_says(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..6),
            texts in prop::collection::vec("[abA/1é\n]{0,6}", 20..40),
        ) {
            let pattern = pieces.concat();
            let engine = regex::bytes::RegexBuilder::new(&format!(r"\A(?:{})\z", super::super::translate(&pattern).unwrap()))
                .unicode(false)
                .build()
                .unwrap();
            if let Some(shape) = shape_of(&hir(&pattern)) {
                for text in texts {
                    prop_assert_eq!(shape.matches(text.as_bytes()), engine.is_match(text.as_bytes()), "{} {:?}", pattern, text);
                }
            }
        }
    }
}
