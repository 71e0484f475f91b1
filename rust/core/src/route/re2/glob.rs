//! Texts in their order and anything between them: `.*/admin/.*`, `/static/.*\.js`.
//!
//! Such a pattern may be read in many ways, so it is no row; but no engine is needed for it, either. The
//! first place of each text is as good as any later one: what is left for the others is more.

use super::runs::{ByteSet, Run};
use super::shape::{Piece, Row};
use memchr::{memchr, memmem};

/// Texts with gaps between them, all of one class of bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    class: Class,
    /// What the text begins with and ends with.
    head: Box<[u8]>,
    tail: Box<[u8]>,
    /// What is between, each with how long the gap before it must be.
    middle: Box<[(usize, Box<[u8]>)]>,
    /// How long the gap before the tail must be.
    last: usize,
}

/// The bytes that may be in gaps.
#[derive(Debug, PartialEq, Eq)]
enum Class {
    All,
    AllBut(u8),
    Set(ByteSet),
}

impl Class {
    fn of(set: ByteSet) -> Self {
        match set.only_stranger() {
            Some(stranger) => Self::AllBut(stranger),
            None if set.len() == 256 => Self::All,
            None => Self::Set(set),
        }
    }

    fn has_all_of(&self, text: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::AllBut(stranger) => memchr(*stranger, text).is_none(),
            Self::Set(set) => text.iter().all(|byte| set.contains(*byte)),
        }
    }
}

impl Glob {
    /// The texts and gaps of a row; `None` when it has other runs than gaps, or when it can be read in one
    /// way only.
    pub(super) fn of(row: &[Piece]) -> Option<Self> {
        let (head, rest) = match row {
            [Piece::Text(head), rest @ ..] => (head.as_slice(), rest),
            rest => (&[][..], rest),
        };
        let (tail, rest) = match rest {
            [rest @ .., Piece::Text(tail)] => (tail.as_slice(), rest),
            rest => (&[][..], rest),
        };
        let [Piece::Run(first), ..] = rest else { return None };
        let [between @ .., Piece::Run(last)] = rest else { return None };
        let set = first.class;
        let gap = |run: &Run| {
            (run.class == set && run.max == u32::MAX).then(|| usize::try_from(run.min).ok()).flatten()
        };
        let mut middle = Vec::new();
        for pair in between.chunks(2) {
            let [Piece::Run(run), Piece::Text(text)] = pair else { return None };
            if !text.iter().all(|byte| set.contains(*byte)) {
                return None;
            }
            middle.push((gap(run)?, text.as_slice().into()));
        }
        let goes_on = |byte: Option<&u8>| byte.is_some_and(|byte| set.contains(*byte));
        let in_many_ways = !middle.is_empty() || (goes_on(head.last()) && goes_on(tail.first()));
        in_many_ways.then_some(())?;
        let (head, tail, middle) = (head.into(), tail.into(), middle.into());
        Some(Self { class: Class::of(set), head, tail, middle, last: gap(last)? })
    }

    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let rest = text.strip_prefix(&*self.head).and_then(|rest| rest.strip_suffix(&*self.tail));
        // The texts between the gaps are of the class, too.
        let Some(mut rest) = rest.filter(|rest| self.class.has_all_of(rest)) else { return false };
        for (gap, text) in &self.middle {
            let after = rest.get(*gap..);
            let end = after.and_then(|after| Some(memmem::find(after, text)? + text.len()));
            match after.zip(end).and_then(|(after, end)| after.get(end..)) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.len() >= self.last
    }

    /// What everything that matches begins with, and the longest text that is in all of it.
    pub(super) fn literals(&self) -> (&[u8], &[u8]) {
        let middle = self.middle.iter().map(|(_, text)| &**text);
        let longest = middle.chain([&*self.tail, &*self.head]).max_by_key(|text| text.len());
        (&self.head, longest.unwrap_or_default())
    }

    /// The text that is all that is asked for, anywhere in one, and whether that must be one line: no
    /// newline in it.
    pub(crate) fn anywhere(&self) -> Option<(&[u8], bool)> {
        let one_line = match self.class {
            Class::All => false,
            Class::AllBut(b'\n') => true,
            _ => return None,
        };
        match (&*self.head, &*self.middle, self.last, &*self.tail) {
            ([], [(0, text)], 0, []) => Some((text, one_line)),
            _ => None,
        }
    }
}

/// The glob of these rows, if there is one row and it is one.
pub(super) fn glob_of(rows: &[Row]) -> Option<Glob> {
    match rows {
        [row] => Glob::of(row),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::engine::whole;
    use super::super::shape::{rows_of, shape_of_rows};
    use super::super::{parse, translate};
    use super::*;
    use proptest::prelude::*;
    use regex::bytes::{Regex, RegexBuilder};

    fn rows(pattern: &str) -> Option<Vec<Row>> {
        rows_of(&parse(&translate(pattern).ok()?).ok()?)
    }

    fn glob(pattern: &str) -> Option<Glob> {
        glob_of(&rows(pattern)?)
    }

    fn engine(pattern: &str) -> Regex {
        RegexBuilder::new(&whole(pattern).unwrap()).unicode(false).build().unwrap()
    }

    #[test]
    fn texts_with_gaps_between_are_globs() {
        for pattern in
            [".*a.*", "/a/.*/b", ".+/a/.*b.*/c", "(?s).*a.*", "[^/]*a[^/]+", "^(.*)a(.*)$", "[ab]*a[ab]*c"]
        {
            assert!(glob(pattern).is_some(), "{pattern}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for pattern in [
            ".*",
            "a.*",
            ".*a",
            "a",
            "",
            ".*a[^/]*",
            ".{3}a.*",
            ".{0,3}a.*",
            "a.*|b.*",
            "[^/]*/[^/]*",
            ".*\n.*",
            "/a[^/]*/b",
            ".*ab?.*",
            r".*\ba.*",
            "(?m).*^a.*",
            "(?i).*a.*",
        ] {
            assert_eq!(glob(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn a_text_that_is_all_is_known_with_what_it_must_be_in() {
        let anywhere = |pattern: &str| {
            let glob = glob(pattern).unwrap();
            glob.anywhere().map(|(text, one_line)| (String::from_utf8(text.to_vec()).unwrap(), one_line))
        };
        assert_eq!(anywhere(".*/a/.*"), Some(("/a/".into(), true)));
        assert_eq!(anywhere("(?s).*/a/.*"), Some(("/a/".into(), false)));
        assert_eq!(anywhere(r"[^\n]*/a/[^\n]*"), Some(("/a/".into(), true)));
        for pattern in [".+a.*", ".*a.+", "a.*b.*", ".*a.*b", ".*a.*b.*", "[^/]*a[^/]*"] {
            assert_eq!(anywhere(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn literals_are_the_head_and_the_longest_text() {
        assert_eq!(glob("/a.*bcd.*e").unwrap().literals(), (&b"/a"[..], &b"bcd"[..]));
        assert_eq!(glob(".*b.*").unwrap().literals(), (&b""[..], &b"b"[..]));
        assert_eq!(glob("/.*/abc").unwrap().literals(), (&b"/"[..], &b"/abc"[..]));
    }

    const PIECES: &[&str] = &[
        ".*", ".*", ".+", "(?s:.)*", "[ab]*", "[ab]+", "[^a]*", "a", "b", "ab", "aa", "\n", "é", r"\x{c3}",
        ".{2,}", ".", "^", "$", "[^\n]*",
    ];

    /// Of few bytes, so that everything is almost there; halves of characters and newlines among them.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(&b"aaabbb/\n\xc3\xa9"[..]), 0..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_glob_says_what_the_engine_says(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 1..7),
            texts in prop::collection::vec(text(), 20..40),
        ) {
            let pattern = pieces.concat();
            if let Some(glob) = glob(&pattern) {
                let engine = engine(&pattern);
                for text in texts {
                    prop_assert_eq!(glob.matches(&text), engine.is_match(&text), "{:?} {:?}", pattern, text);
                    if let Some((part, one_line)) = glob.anywhere() {
                        let found = memmem::find(&text, part).is_some() && !(one_line && text.contains(&b'\n'));
                        prop_assert_eq!(found, engine.is_match(&text), "{:?} {:?}", pattern, text);
                    }
                }
            }
        }

        /// What is a row is searched for as one, which is faster.
        #[test]
        fn a_glob_is_no_shape(pieces in prop::collection::vec(prop::sample::select(PIECES), 1..7)) {
            let rows = rows(&pieces.concat());
            if let Some(rows) = rows.filter(|rows| glob_of(rows).is_some()) {
                prop_assert_eq!(shape_of_rows(rows), None);
            }
        }
    }
}
