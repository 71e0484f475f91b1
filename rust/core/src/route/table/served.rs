//! What a host pattern leads to: rules in a shard, and the numbers that they have in the table.

use super::bytes::NONE;
use super::shard::{Listed, Shard};
use crate::likely::likely;
use std::hint::cold_path;
use std::num::NonZero;
use std::sync::Arc;

/// The rules of a host.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub shard: Arc<Shard>,
    pub listed: Listed,
    pub numbers: Numbers,
}

/// Numbers of rules, ascending.
#[derive(Debug, Clone)]
pub(super) enum Numbers {
    /// Each so far from the one before: next to it where the rules of a host stand together, further
    /// where those of several hosts take turns.
    Row {
        first: u32,
        apart: NonZero<u32>,
        count: u32,
    },
    List(Arc<[u32]>),
}

impl Numbers {
    /// These numbers, which ascend.
    pub(super) fn of(numbers: &[u32]) -> Self {
        Self::row(numbers).unwrap_or_else(|| Self::List(numbers.into()))
    }

    fn row(numbers: &[u32]) -> Option<Self> {
        let (first, apart) = match numbers {
            [] => (0, NonZero::<u32>::MIN),
            [first] => (*first, NonZero::<u32>::MIN),
            [first, second, ..] => (*first, NonZero::new(second.checked_sub(*first)?)?),
        };
        let is_next = |pair: &[u32; 2]| pair[1].checked_sub(pair[0]) == Some(apart.get());
        let count = u32::try_from(numbers.len()).ok()?;
        numbers.array_windows().all(is_next).then_some(Self::Row { first, apart, count })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Row { count, .. } => *count as usize,
            Self::List(list) => list.len(),
        }
    }

    /// The one at this place.
    #[inline]
    fn get(&self, along: u32) -> Option<u32> {
        match self {
            Self::Row { first, apart, count } => likely(along < *count).then(|| first + along * apart.get()),
            Self::List(list) => {
                cold_path();
                list.get(along as usize).copied()
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.len()).filter_map(|along| self.get(u32::try_from(along).ok()?))
    }
}

impl Served {
    /// No rules, nowhere yet.
    pub(super) fn nothing() -> Self {
        Self::new(Arc::default(), Listed::NOWHERE, Numbers::of(&[]))
    }

    pub(super) fn new(shard: Arc<Shard>, listed: Listed, numbers: Numbers) -> Self {
        Self { shard, listed, numbers }
    }

    /// Whether it is nowhere yet.
    pub(super) fn is_nowhere(&self) -> bool {
        self.listed.index == NONE
    }

    /// The number of the rule at this place of the shard.
    pub(super) fn number(&self, place: u32) -> Option<u32> {
        self.numbers.get(place.checked_sub(self.listed.first)?)
    }

    /// The place in the shard of the first rule whose number is not less than `number`.
    pub(super) fn place_of(&self, number: u32) -> u32 {
        let along = match &self.numbers {
            Numbers::Row { first, apart, count } => {
                number.saturating_sub(*first).div_ceil(apart.get()).min(*count)
            }
            Numbers::List(list) => {
                u32::try_from(list.partition_point(|other| *other < number)).unwrap_or(u32::MAX)
            }
        };
        self.listed.first.saturating_add(along)
    }

    /// The memory that it takes, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        let list = match &self.numbers {
            Numbers::Row { .. } => 0,
            Numbers::List(list) => size_of_val(&**list),
        };
        size_of::<Self>() + list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whether they are kept as a row or as a list, numbers are those that were given.
        #[test]
        fn numbers_are_found_by_their_places_and_places_by_their_numbers(
            first in 0_u32..9, apart in prop_oneof![Just(vec![1]), Just(vec![3]), prop::collection::vec(1_u32..4, 1..9)], count in 0_usize..9, place in 0_u32..3,
        ) {
            let next = |number: &mut u32, apart: &u32| Some(std::mem::replace(number, *number + apart));
            let numbers: Vec<u32> = apart.iter().cycle().take(count).scan(first, next).collect();
            let listed = Listed { first: place, ..Listed::NOWHERE };
            let served = Served::new(Arc::default(), listed, Numbers::of(&numbers));
            let is_row = matches!(served.numbers, Numbers::Row { .. });
            prop_assert!(is_row || apart.len() > 1);
            prop_assert_eq!(served.numbers.iter().collect::<Vec<_>>(), numbers.clone());
            for along in 0..12 {
                prop_assert_eq!(served.number(place + along), numbers.get(along as usize).copied());
            }
            prop_assert_eq!(served.number(place.wrapping_sub(1)), None);
            for number in 0..60 {
                let before = numbers.iter().filter(|known| **known < number).count();
                prop_assert_eq!(served.place_of(number), place + u32::try_from(before).unwrap());
            }
        }
    }
}
