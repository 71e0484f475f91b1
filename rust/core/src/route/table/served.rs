//! What a host pattern leads to: rules in a shard, and the numbers that they have in the table.

use super::bytes::NONE;
use super::shard::{Listed, Shard};
use crate::likely::likely;
use std::hint::cold_path;
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
    /// One after the other: the first one, and how many.
    Row(u32, u32),
    List(Arc<[u32]>),
}

impl Numbers {
    /// These numbers, which ascend.
    pub(super) fn of(numbers: &[u32]) -> Self {
        let first = numbers.first().copied().unwrap_or(0);
        let is_row = numbers.iter().zip(first..).all(|(number, expected)| *number == expected);
        match u32::try_from(numbers.len()) {
            Ok(count) if is_row => Self::Row(first, count),
            _ => Self::List(numbers.into()),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Row(_, count) => *count as usize,
            Self::List(list) => list.len(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let (row, list) = match self {
            Self::Row(first, count) => (*first..first + count, &[][..]),
            Self::List(list) => (0..0, &**list),
        };
        row.chain(list.iter().copied())
    }
}

impl Served {
    /// No rules, nowhere yet.
    pub(super) fn nothing() -> Self {
        Self::new(Arc::default(), Listed::NOWHERE, Numbers::Row(0, 0))
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
        let along = place.checked_sub(self.listed.first)?;
        match &self.numbers {
            Numbers::Row(first, count) => likely(along < *count).then_some(first + along),
            Numbers::List(list) => {
                cold_path();
                list.get(along as usize).copied()
            }
        }
    }

    /// The place in the shard of the first rule whose number is not less than `number`.
    pub(super) fn place_of(&self, number: u32) -> u32 {
        let along = match &self.numbers {
            Numbers::Row(first, count) => number.saturating_sub(*first).min(*count),
            Numbers::List(list) => {
                u32::try_from(list.partition_point(|other| *other < number)).unwrap_or(u32::MAX)
            }
        };
        self.listed.first.saturating_add(along)
    }

    /// The memory that it takes, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        let list = match &self.numbers {
            Numbers::Row(..) => 0,
            Numbers::List(list) => size_of_val(&**list),
        };
        size_of::<Self>() + list
    }
}
