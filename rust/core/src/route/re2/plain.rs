//! The row of a template such as `/svc/[^/]+/items/\d+`, read without a parser.
//!
//! Most regexes of route tables are texts and a few well-known runs in a row, and a table may have
//! a hundred thousand of them. These are read here, to the row that the general way would give;
//! anything else goes that way.

use super::runs::{ByteSet, Run};
use super::shape::{Piece, Row, joined};
use std::sync::LazyLock;

/// The classes that are known by their look.
static CLASSES: LazyLock<[(&str, ByteSet); 7]> = LazyLock::new(|| {
    let digits = [(b'0', b'9')];
    let small = [(b'a', b'z')];
    [
        ("[^/]", Run::segment().class),
        (".", ByteSet::of([(0, b'\n' - 1), (b'\n' + 1, u8::MAX)])),
        (r"\d", ByteSet::of(digits)),
        ("[0-9]", ByteSet::of(digits)),
        ("[a-z]", ByteSet::of(small)),
        ("[a-z0-9]", ByteSet::of([digits, small].concat())),
        (r"\w", ByteSet::of([digits, small, [(b'A', b'Z')], [(b'_', b'_')]].concat())),
    ]
});

/// The row of a pattern that is nothing but plain text and known classes, each once or with a `+`
/// or `*`. `None` for any other pattern: it may be rows nevertheless.
pub(super) fn plain_row(pattern: &str) -> Option<Row> {
    let mut row = Row::new();
    let mut rest = pattern;
    while !rest.is_empty() {
        let piece;
        (piece, rest) = take_text(rest).or_else(|| take_run(rest)).or_else(|| take_escaped(rest))?;
        row.push(piece);
    }
    joined(row)
}

/// Text up to the next character that has a meaning of its own, which must not repeat it.
fn take_text(pattern: &str) -> Option<(Piece, &str)> {
    let end = pattern.bytes().position(|byte| br"\.+*?()|[]{}^$".contains(&byte)).unwrap_or(pattern.len());
    let (text, rest) = pattern.split_at_checked(end)?;
    let is_plain = !text.is_empty() && !rest.starts_with(['+', '*', '?', '{']);
    is_plain.then(|| (Piece::Text(text.into()), rest))
}

fn take_run(pattern: &str) -> Option<(Piece, &str)> {
    let (class, rest) =
        CLASSES.iter().find_map(|(look, class)| Some((*class, pattern.strip_prefix(look)?)))?;
    let (min, max, rest) = if let Some(rest) = rest.strip_prefix('+') {
        (1, u32::MAX, rest)
    } else if let Some(rest) = rest.strip_prefix('*') {
        (0, u32::MAX, rest)
    } else {
        (1, 1, rest)
    };
    let repeats = rest.starts_with(['+', '*', '?', '{']);
    (!repeats).then_some((Piece::Run(Run { class, min, max }), rest))
}

/// A backslash before a character that means itself then.
fn take_escaped(pattern: &str) -> Option<(Piece, &str)> {
    let rest = pattern.strip_prefix('\\')?;
    let byte = *rest.as_bytes().first().filter(|byte| byte.is_ascii_punctuation())?;
    let rest = rest.get(1..).filter(|rest| !rest.starts_with(['+', '*', '?', '{']))?;
    Some((Piece::Text(vec![byte]), rest))
}

#[cfg(test)]
mod tests {
    use super::super::shape::rows_of;
    use super::super::{parse, translate};
    use super::*;
    use proptest::prelude::*;

    /// What plain patterns are made of.
    const PLAIN: &[&str] = &[
        "/",
        "/a",
        "b",
        "-",
        "_",
        "é",
        "\n",
        "~",
        ":",
        "[^/]",
        "[^/]+",
        "[^/]*",
        ".",
        ".*",
        ".+",
        r"\d",
        r"\d+",
        "[0-9]+",
        "[0-9]*",
        "[a-z]",
        "[a-z]+",
        "[a-z0-9]+",
        r"\w+",
        r"\w",
        r"\.",
        r"\-",
        r"\/",
        r"\\",
    ];
    /// What they are not, or not everywhere.
    const OTHER: &[&str] = &[
        "\0", "{", "}", "]", "[", r"\_", r"\a", r"\1", "+", "*", "?", "{2}", "(", ")", "|", "^", "$", "(?i)",
        "\\",
    ];

    fn general_rows(pattern: &str) -> Option<Vec<Row>> {
        rows_of(&parse(&translate(pattern).ok()?).ok()?)
    }

    #[test]
    fn templates_are_read_without_a_parser() {
        for pattern in
            ["", "/a", "/svc/[^/]+/items/[^/]+", r"/a/\d+/b\.json", "/a/[0-9]+", "/static/.*", r"/v\d/[a-z]+"]
        {
            assert!(plain_row(pattern).is_some(), "{pattern}");
            assert_eq!(plain_row(pattern).map(|row| vec![row]), general_rows(pattern), "{pattern}");
        }
    }

    #[test]
    fn anything_else_goes_the_general_way() {
        for pattern in
            ["/a|/b", "/a+", "(/a)", "^/a", "[^/]++", "[^/]+?", r"\d{2}", "/a/[^/", r"/a\", "\0", "(?i)/a"]
        {
            assert_eq!(plain_row(pattern), None, "{pattern}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_plain_pattern_has_the_general_row(
            pieces in prop::collection::vec(prop::sample::select(PLAIN), 0..8),
        ) {
            let pattern = pieces.concat();
            prop_assert_eq!(plain_row(&pattern).map(|row| vec![row]), general_rows(&pattern), "{:?}", pattern);
        }

        #[test]
        fn what_is_read_as_plain_is_what_the_parser_reads(
            pieces in prop::collection::vec(prop::sample::select([PLAIN, OTHER].concat()), 0..6),
        ) {
            let pattern = pieces.concat();
            if let Some(row) = plain_row(&pattern) {
                prop_assert_eq!(Some(vec![row]), general_rows(&pattern), "{:?}", pattern);
            }
        }

        #[test]
        fn any_text_has_the_general_row_or_none(pattern in r"[ab\\\[\]{}()*+?|^$.,:\-~<>0-9Ddw/é=!_\x00\n]{0,12}") {
            if let Some(row) = plain_row(&pattern) {
                prop_assert_eq!(Some(vec![row]), general_rows(&pattern), "{:?}", pattern);
            }
        }
    }
}
