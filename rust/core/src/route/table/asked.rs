//! What a rule asks of a text, on its way into an index.

use crate::route::re2::Piece;
use crate::route::{PathMatch, Pattern, TextMatch};
use std::borrow::Cow;

/// What a rule asks of a text.
pub(super) enum Asked<'r> {
    Any,
    Text(&'r TextMatch),
    /// These bytes.
    Whole(Cow<'r, [u8]>),
    Separated {
        prefix: &'r str,
        ignore_case: bool,
    },
}

impl Asked<'_> {
    /// How many keys a pattern gives that begin with a text, as most do. To ask is to have its rows
    /// fetched from where they lie.
    pub(super) fn rows(&self) -> usize {
        let Self::Text(text) = self else { return 0 };
        let shape = text.kind().pattern().and_then(Pattern::shape);
        shape.map_or(0, |shape| {
            shape.forward.iter().filter(|row| matches!(row.first(), Some(Piece::Text(_)))).count()
        })
    }
}

impl<'r> From<Option<&'r PathMatch>> for Asked<'r> {
    fn from(path: Option<&'r PathMatch>) -> Self {
        match path {
            None | Some(PathMatch::Any) => Self::Any,
            Some(PathMatch::Text(text)) => Self::Text(text),
            Some(PathMatch::Separated { prefix, ignore_case }) => {
                Self::Separated { prefix, ignore_case: *ignore_case }
            }
        }
    }
}
