//! A list that is changed by making another one, which shares with it all but what was changed.

use std::sync::Arc;

/// A chunk has so many items: about as many as there are chunks in a large table.
const CHUNK: usize = 256;

/// An immutable list in chunks. A changed copy costs one chunk and a pointer for each other one;
/// an item is two steps away, where a tree would have it four steps away.
#[derive(Debug, Clone)]
pub struct Chunked<T> {
    chunks: Vec<Arc<[T]>>,
    len: usize,
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T: Clone> Chunked<T> {
    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The item at `place`.
    #[must_use]
    #[inline]
    pub fn get(&self, place: usize) -> Option<&T> {
        self.chunks.get(place / CHUNK)?.get(place % CHUNK)
    }

    /// The item at `place` for changing it: a chunk that is shared is copied.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        Arc::make_mut(self.chunks.get_mut(place / CHUNK)?).get_mut(place % CHUNK)
    }

    /// All items in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// Adds items at the end.
    pub fn extend(&mut self, items: impl IntoIterator<Item = T>) {
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            let open = self.chunks.last().is_some_and(|chunk| chunk.len() < CHUNK);
            let last = if open { self.chunks.pop() } else { None };
            let mut chunk = last.map(|chunk| chunk.to_vec()).unwrap_or_default();
            let before = chunk.len();
            chunk.extend(items.by_ref().take(CHUNK - before));
            self.len += chunk.len() - before;
            self.chunks.push(chunk.into());
        }
    }
}

impl<T: Clone> FromIterator<T> for Chunked<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut list = Self::default();
        list.extend(items);
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A changed copy is what a `Vec` would be, and the list that it was made of stays as it was.
        #[test]
        fn a_copy_changes_alone(
            counts in prop::collection::vec(0_usize..600, 1..4), changes in prop::collection::vec((0_usize..1500, any::<u16>()), 0..9),
        ) {
            let mut list = Chunked::default();
            let mut model: Vec<u16> = Vec::new();
            for count in counts {
                let more: Vec<u16> = (0..).take(count).collect();
                list.extend(more.iter().copied());
                model.extend(more);
            }
            let (before, model_before) = (list.clone(), model.clone());
            for (place, value) in changes {
                prop_assert_eq!(list.get_mut(place).map(|item| *item = value), model.get_mut(place).map(|item| *item = value));
            }
            prop_assert_eq!(list.iter().copied().collect::<Vec<_>>(), model.clone());
            prop_assert_eq!(before.iter().copied().collect::<Vec<_>>(), model_before);
            prop_assert_eq!((list.len(), list.is_empty()), (model.len(), model.is_empty()));
            prop_assert_eq!(list.get(model.len()), None);
        }
    }
}
