//! Choices that are read from bytes.

/// Bytes that choose; when they run out, everything is the first choice.
#[derive(Debug, Clone)]
pub struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    /// Chooses by these bytes.
    #[must_use]
    pub fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// Whether there is anything left to choose by.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A number less than `count`, of no more than 256.
    pub fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % count.max(1)
    }

    /// Whether one of `count` choices is made.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 1
    }

    /// One of these.
    pub fn choose<'c, T: ?Sized>(&mut self, choices: &[&'c T]) -> Option<&'c T> {
        choices.get(self.below(choices.len())).copied()
    }

    /// Up to `most` of these in a row.
    pub fn text(&mut self, pieces: &[&str], most: usize) -> String {
        (0..self.below(most + 1)).filter_map(|_| self.choose(pieces)).collect()
    }

    /// Up to `most` of what `make` makes.
    pub fn list<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> Option<T>) -> Vec<T> {
        (0..self.below(most + 1)).filter_map(|_| make(self)).collect()
    }
}
