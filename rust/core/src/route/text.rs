//! How one text is compared with another: the string matchers of Envoy.

use super::error::{Fault, RuleError};
use super::re2::Pattern;
use memchr::memmem;
use std::fmt;

/// A comparison with one text.
#[derive(Debug, Clone)]
pub struct TextMatch {
    kind: TextKind,
    /// ASCII letters compare equal in either case.
    ignore_case: bool,
}

/// The kinds of comparison.
#[derive(Debug, Clone)]
pub enum TextKind {
    /// The whole text.
    Exact(Box<str>),
    /// The beginning of it.
    Prefix(Box<str>),
    /// The end of it.
    Suffix(Box<str>),
    /// Somewhere in it.
    Contains(Box<str>),
    /// The whole text, against a regex.
    Regex(Pattern),
}

impl TextKind {
    /// What is compared with, as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Prefix(text) | Self::Suffix(text) | Self::Contains(text) => text,
            Self::Regex(pattern) => pattern.source(),
        }
    }

    /// The regex, if it is one.
    pub(crate) fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Regex(pattern) => Some(pattern),
            _ => None,
        }
    }
}

impl TextMatch {
    /// Checks that the comparison means something.
    ///
    /// # Errors
    /// An empty prefix, suffix or part (it would match everything), or a regex that ignores case
    /// (write `(?i)` in it instead).
    pub fn new(kind: TextKind, ignore_case: bool) -> Result<Self, RuleError> {
        let (field, text) = match &kind {
            TextKind::Prefix(text) => ("prefix", text),
            TextKind::Suffix(text) => ("suffix", text),
            TextKind::Contains(text) => ("contains", text),
            TextKind::Regex(_) if ignore_case => {
                return Err(RuleError::of("ignore_case", Fault::Unused("a regex: write '(?i)' in it")));
            }
            TextKind::Exact(_) | TextKind::Regex(_) => return Ok(Self { kind, ignore_case }),
        };
        if text.is_empty() {
            return Err(RuleError::of(field, Fault::Empty));
        }
        Ok(Self { kind, ignore_case })
    }

    /// What is compared.
    #[must_use]
    pub fn kind(&self) -> &TextKind {
        &self.kind
    }

    /// Whether ASCII letters compare equal in either case.
    #[must_use]
    pub fn ignores_case(&self) -> bool {
        self.ignore_case
    }

    /// Whether `value` passes.
    #[must_use]
    pub fn test(&self, value: &[u8]) -> bool {
        let part =
            |part: Option<&[u8]>, text: &str| part.is_some_and(|part| self.same(part, text.as_bytes()));
        match &self.kind {
            TextKind::Exact(text) => self.same(value, text.as_bytes()),
            TextKind::Prefix(text) => part(value.get(..text.len()), text),
            TextKind::Suffix(text) => {
                part(value.len().checked_sub(text.len()).and_then(|start| value.get(start..)), text)
            }
            TextKind::Contains(text) if self.ignore_case => {
                value.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
            }
            TextKind::Contains(text) => memmem::find(value, text.as_bytes()).is_some(),
            TextKind::Regex(pattern) => pattern.is_full_match(value),
        }
    }

    fn same(&self, a: &[u8], b: &[u8]) -> bool {
        if self.ignore_case { a.eq_ignore_ascii_case(b) } else { a == b }
    }
}

impl fmt::Display for TextMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TextKind::Exact(text) => write!(f, "equal {text:?}")?,
            TextKind::Prefix(text) => write!(f, "begin with {text:?}")?,
            TextKind::Suffix(text) => write!(f, "end with {text:?}")?,
            TextKind::Contains(text) => write!(f, "contain {text:?}")?,
            TextKind::Regex(pattern) => write!(f, "match regex {:?}", pattern.source())?,
        }
        if self.ignore_case { f.write_str(" in any case") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(kind: TextKind, ignore_case: bool, value: &str) -> bool {
        TextMatch::new(kind, ignore_case).unwrap().test(value.as_bytes())
    }

    #[test]
    fn each_kind_looks_at_its_place() {
        for (kind, good, bad) in [
            (TextKind::Exact("ab".into()), "ab", "abc"),
            (TextKind::Prefix("ab".into()), "abc", "xab"),
            (TextKind::Suffix("ab".into()), "xab", "abx"),
            (TextKind::Contains("ab".into()), "xabx", "axb"),
        ] {
            assert!(passes(kind.clone(), false, good), "{kind:?}");
            assert!(!passes(kind.clone(), false, bad), "{kind:?}");
            assert!(!passes(kind.clone(), false, "a"), "{kind:?}");
            assert!(!passes(kind.clone(), false, &good.to_uppercase()), "{kind:?}");
            assert!(passes(kind, true, &good.to_uppercase()));
        }
    }

    #[test]
    fn only_ascii_letters_fold() {
        assert!(!passes(TextKind::Exact("é".into()), true, "É"));
    }

    #[test]
    fn a_comparison_that_is_always_true_is_refused() {
        assert!(TextMatch::new(TextKind::Prefix("".into()), false).is_err());
        assert!(TextMatch::new(TextKind::Contains("".into()), true).is_err());
        assert!(TextMatch::new(TextKind::Exact("".into()), false).is_ok());
    }
}
