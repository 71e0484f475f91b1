//! The values that headers must have: what most conditions ask, and so compared without asking the
//! rule.

use super::bytes::{Edges, NONE, same};
use super::names::Names;
use crate::likely::likely;
use std::sync::Arc;

/// Values with the numbers of their headers, one after the other: those of one rule lie side by side.
#[derive(Debug, Default)]
pub(super) struct Values {
    list: Vec<Value>,
    /// The values of which the edges are not all.
    texts: Vec<u8>,
    /// The names of the headers.
    names: Arc<Names>,
}

/// The value of one header.
#[derive(Debug, Clone, Copy)]
struct Value {
    number: u32,
    /// Where the text is, if it is among the texts.
    start: u32,
    edges: Edges,
}

impl Values {
    /// For headers with these names.
    pub(super) fn of(names: &Arc<Names>) -> Self {
        Self { names: names.clone(), ..Self::default() }
    }

    /// Keeps the value that the header of this number must have. `None` when there are too many.
    pub(super) fn add(&mut self, number: u32, value: &[u8]) -> Option<u32> {
        let place = u32::try_from(self.list.len()).ok().filter(|place| *place != NONE)?;
        let start = u32::try_from(self.texts.len()).ok()?;
        if value.len() > Edges::WHOLE {
            self.texts.extend_from_slice(value);
        }
        self.list.push(Value { number, start, edges: Edges::of(value) });
        Some(place)
    }

    /// So many of them, from the place of the first one on, if there is one.
    #[inline]
    pub(super) fn asked(&self, first: u32, count: u16) -> Option<AskedValues<'_>> {
        let list = self.list.get(first as usize..first as usize + usize::from(count))?;
        Some(AskedValues { values: self, rest: list.iter() })
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.list.as_slice()) + self.texts.len()
    }
}

/// Values that headers must have, one after the other.
#[derive(Debug, Clone)]
pub struct AskedValues<'t> {
    values: &'t Values,
    rest: std::slice::Iter<'t, Value>,
}

/// The value that a header must have.
#[derive(Debug, Clone, Copy)]
pub struct AskedValue<'t> {
    values: &'t Values,
    value: &'t Value,
}

impl<'t> Iterator for AskedValues<'t> {
    type Item = AskedValue<'t>;

    #[inline]
    fn next(&mut self) -> Option<AskedValue<'t>> {
        self.rest.next().map(|value| AskedValue { values: self.values, value })
    }
}

impl<'t> AskedValue<'t> {
    /// The number of the header in the table that asks.
    #[must_use]
    #[inline]
    pub fn number(&self) -> u32 {
        self.value.number
    }

    /// The name of the header, in small letters.
    #[must_use]
    pub fn name(&self) -> &'t str {
        self.values.names.name(self.value.number)
    }

    /// Whether this is the value that is asked for.
    #[must_use]
    #[inline]
    pub fn is(&self, value: &[u8]) -> bool {
        likely(self.value.edges.fit(value)) && (likely(value.len() <= Edges::WHOLE) || self.is_long(value))
    }

    /// The same for a value of which the edges are not all.
    #[inline(never)]
    fn is_long(&self, value: &[u8]) -> bool {
        let known = self.values.texts.get(self.value.start as usize..);
        known.and_then(|known| known.get(..value.len())).is_some_and(|known| same(known, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Values come back in the order in which they were kept, from any of them on.
        #[test]
        fn what_is_kept_comes_back(kept in prop::collection::vec((any::<u32>(), "[a-zé]{0,9}|a{8}[ab]{0,2}a{8}"), 1..9), from in 0_usize..9) {
            let mut values = Values::default();
            let places: Vec<u32> =
                kept.iter().map(|(number, value)| values.add(*number, value.as_bytes()).unwrap()).collect();
            let from = from % kept.len();
            let asked = values.asked(places[from], u16::try_from(kept.len() - from).unwrap()).unwrap();
            prop_assert_eq!(asked.clone().count(), kept.len() - from);
            for (asked, (number, value)) in asked.zip(&kept[from..]) {
                prop_assert_eq!(asked.number(), *number);
                for (_, other) in &kept {
                    prop_assert_eq!(asked.is(other.as_bytes()), other == value);
                }
            }
        }
    }
}
