//! Runs: "as many bytes of a class as there are", what `[^/]+` and `\d+` in a route mean.

use crate::route::table::bytes::position;

/// A set of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(crate) fn of(ranges: impl IntoIterator<Item = (u8, u8)>) -> Self {
        let mut words = [0; 4];
        for byte in ranges.into_iter().flat_map(|(low, high)| low..=high) {
            if let Some(word) = words.get_mut(usize::from(byte >> 6)) {
                *word |= 1_u64 << (byte & 63);
            }
        }
        Self(words)
    }

    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }

    /// The small letter, if the set is a letter in both cases.
    pub(crate) fn letter(&self) -> Option<u8> {
        let mut letters = (b'a'..=b'z').filter(|letter| self.contains(*letter));
        letters.next().filter(|letter| self.len() == 2 && self.contains(letter.to_ascii_uppercase()))
    }

    /// Whether letters are in it in both cases or not at all.
    pub(crate) fn ignores_case(&self) -> bool {
        (b'a'..=b'z').all(|letter| self.contains(letter) == self.contains(letter.to_ascii_uppercase()))
    }

    pub(crate) fn is_disjoint(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & b == 0)
    }

    pub(crate) fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// The one byte that is not in the set, if it is just one.
    pub(super) fn only_stranger(&self) -> Option<u8> {
        let mut strangers = (0..=u8::MAX).filter(|byte| !self.contains(*byte));
        strangers.next().filter(|_| strangers.next().is_none())
    }
}

/// Bytes of a class: a fixed number of them (`min` equal to `max`), or all there are, at least
/// `min` and at most `max`. So there is one way only for it to match, and no way back to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    pub class: ByteSet,
    pub min: u32,
    pub max: u32,
}

impl Run {
    /// What `[^/]+` means.
    pub(crate) fn segment() -> Self {
        Self { class: ByteSet::of([(0, b'/' - 1), (b'/' + 1, u8::MAX)]), min: 1, max: u32::MAX }
    }

    /// The length of the run at the start of `text`, if it is one.
    pub(crate) fn forward(&self, text: &[u8]) -> Option<usize> {
        if self.is_fixed() {
            let bytes = text.get(..self.min as usize)?;
            return bytes.iter().all(|byte| self.class.contains(*byte)).then_some(bytes.len());
        }
        self.within(text.iter().take_while(|byte| self.class.contains(**byte)).count())
    }

    /// The length of the run at the end of `text`, if it is one.
    pub(crate) fn backward(&self, text: &[u8]) -> Option<usize> {
        if self.is_fixed() {
            let bytes = text.get(text.len().checked_sub(self.min as usize)?..)?;
            return bytes.iter().all(|byte| self.class.contains(*byte)).then_some(bytes.len());
        }
        self.within(text.iter().rev().take_while(|byte| self.class.contains(**byte)).count())
    }

    fn within(&self, length: usize) -> Option<usize> {
        (self.min as usize <= length && length <= self.max as usize).then_some(length)
    }

    pub(crate) fn is_fixed(&self) -> bool {
        self.min == self.max
    }
}

/// A run as it is searched for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunTest {
    run: Run,
    /// Where the class is all bytes but one, the run ends there: a search for it finds it.
    stop: Option<u8>,
}

impl RunTest {
    pub(crate) fn new(run: Run) -> Self {
        Self { run, stop: run.class.only_stranger() }
    }

    /// Whether a text that goes on with `byte` may go on with the run.
    pub(crate) fn may_start(&self, byte: u8) -> bool {
        self.run.min == 0 || self.run.class.contains(byte)
    }

    /// The length of the run at the start of `text`, if it is one.
    pub(crate) fn forward(&self, text: &[u8]) -> Option<usize> {
        match self.stop {
            Some(stop) if !self.run.is_fixed() => self.run.within(position(text, stop).unwrap_or(text.len())),
            _ => self.run.forward(text),
        }
    }

    /// The length of the run at the end of `text`, if it is one.
    pub(crate) fn backward(&self, text: &[u8]) -> Option<usize> {
        self.run.backward(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_takes_all_it_can() {
        let digits = RunTest::new(Run { class: ByteSet::of([(b'0', b'9')]), min: 1, max: 3 });
        assert_eq!(digits.forward(b"12/3"), Some(2));
        assert_eq!(digits.backward(b"12/3"), Some(1));
        assert_eq!(digits.forward(b"/3"), None);
        assert_eq!(digits.forward(b"1234"), None);
        let two = RunTest::new(Run { class: ByteSet::of([(b'0', b'9')]), min: 2, max: 2 });
        assert_eq!((two.forward(b"123"), two.forward(b"1/"), two.forward(b"1")), (Some(2), None, None));
        assert_eq!((two.backward(b"123"), two.backward(b"/3"), two.backward(b"3")), (Some(2), None, None));
        let segment =
            RunTest::new(Run { class: ByteSet::of([(0, b'.'), (b'0', 255)]), min: 0, max: u32::MAX });
        assert_eq!(segment.stop, Some(b'/'));
        assert_eq!(
            (segment.forward(b"a/b"), segment.forward(b"ab"), segment.forward(b"/")),
            (Some(1), Some(2), Some(0))
        );
    }
}
