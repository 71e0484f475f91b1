//! What trees of segments are made of: steps and what leads to them, in pieces of one size.
//!
//! A unit is a step with the key that leads to it. What leads on from a step by a known segment is a
//! fan. That of a few segments is a table in which each has a place of its own, found when the table
//! was built, so that one read says which one it is, or that it is none. In one of more segments some
//! share a place, and go on to the next ones. What comes next is near: in a free place of the table, as a
//! guest, or behind everything, in the order in which a tree is walked. So one piece of memory may answer for
//! several steps.

use super::fans::{Fan, PLACE, spread};
use super::segments::Key;
use super::unit::{NOWHERE, Step, Unit};
use crate::likely::{likely, usual};

/// So many units are in two lines of the cache that mostly come together. Tables of so many or more begin
/// and end with such lines.
const LINES: u32 = 4;

/// A step, and the fan in whose table it stands, if it stands in one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Near {
    pub step: u32,
    pub table: Fan,
}

impl Near {
    /// A step that stands in no table.
    pub(super) fn alone(step: u32) -> Self {
        Self { step, table: Fan::NONE }
    }

    /// Another step that was put near this one, or behind everything.
    pub(super) fn to(self, step: u32) -> Self {
        Self { step, ..self }
    }
}

/// All units of a table. The first one is no step, so that its place may stand for none.
#[derive(Debug, Default)]
pub(super) struct Units(Vec<Unit>);

impl Units {
    /// Room for about so many more, so that what is there need not be moved again and again.
    pub(super) fn reserve(&mut self, units: usize) {
        self.0.reserve(units);
    }

    /// Gives back what was reserved and not taken.
    pub(super) fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    /// Room for so many units. `None` when there are too many.
    fn add(&mut self, count: usize) -> Option<u32> {
        if self.0.is_empty() {
            self.0.push(NOWHERE);
        }
        if count >= LINES as usize {
            self.0.resize(self.0.len().next_multiple_of(LINES as usize), Unit::EMPTY);
        }
        let first = self.0.len();
        // Nothing is taken for what is refused.
        let place = u32::try_from(first).ok().filter(|_| first + count <= 1 << PLACE)?;
        self.0.resize(first + count, Unit::EMPTY);
        Some(place)
    }

    /// A step that leads nowhere yet. `None` when there are too many.
    pub(super) fn add_step(&mut self) -> Option<u32> {
        let place = self.add(1)?;
        self.set_unit(place, NOWHERE);
        Some(place)
    }

    fn set_unit(&mut self, place: u32, unit: Unit) {
        if let Some(known) = self.0.get_mut(place as usize) {
            *known = unit;
        }
    }

    /// The same near another one that leads there by an open segment. If a certain one has to come then,
    /// that is its key.
    pub(super) fn add_open(&mut self, near: Near, key: Option<Key>) -> Option<u32> {
        let place = self.add_near(near, None)?;
        if let Some(key) = key {
            self.set_key(place, key);
            self.set_flag(place, Unit::KEYED);
        }
        Some(place)
    }

    /// Room for a text near a step.
    pub(super) fn add_text(&mut self, near: Near, text: &[u8]) -> Option<u32> {
        let place = self.add_near(near, None)?;
        self.set_unit(place, Unit::of_text(text)?);
        Some(place)
    }

    /// Whether this text stands at a place.
    #[inline]
    pub(super) fn has_text(&self, place: u32, text: &[u8]) -> bool {
        self.step(place).is_some_and(|unit| unit.is_text(text))
    }

    /// Room for a step near another one: in a free place of two lines of the cache that mostly come together, or
    /// behind everything. `hash` is that of the key, if it will have one: its place must not be where the table
    /// has that key looked for. What is free in those lines belongs to that table or to none, since larger
    /// tables begin and end with such lines, and smaller ones are full.
    fn add_near(&mut self, Near { step, table }: Near, hash: Option<u64>) -> Option<u32> {
        let avoided = hash.map(|hash| table.first() + table.slot(hash));
        let is_free = |place: &u32| {
            let at = *place as usize;
            Some(at) != avoided && self.0.get(at).is_some_and(Unit::is_empty)
        };
        let Some(place) = (1..LINES).map(|other| step ^ other).find(is_free) else {
            return self.add_step();
        };
        self.set_unit(place, NOWHERE);
        self.set_flag(place, Unit::GUEST);
        Some(place)
    }

    /// Room for keys of these hashes: for a single one near the step that leads there. `None` when there are
    /// too many.
    pub(super) fn add_fan(&mut self, near: Near, hashes: &[u64]) -> Option<Fan> {
        if hashes.is_empty() {
            return Some(Fan::NONE);
        }
        if let [hash] = hashes {
            return self.add_near(near, Some(*hash)).map(|first| Fan(Fan::new(first, 0, 0).0 | Fan::APART));
        }
        let (skipped, bits, apart) = spread(hashes);
        let fan = Fan::new(self.add(1 << bits)?, skipped, bits);
        Some(Fan(fan.0 | if apart { Fan::APART } else { 0 }))
    }

    /// Sets what is known of a step.
    pub(super) fn set_step(&mut self, place: u32, step: Step) {
        if let Some(unit) = self.0.get_mut(place as usize) {
            unit.set_step(step);
        }
    }

    /// A new step of a fan, which leads nowhere yet, for a key of this hash, which must not be there.
    /// `None` when there are too many.
    pub(super) fn lead(&mut self, fan: Fan, hash: u64, key: Key) -> Option<u32> {
        let free = |place: &usize| self.0.get(*place).is_some_and(|unit| unit.key() == Key::NONE);
        let place = u32::try_from(fan.places(hash).find(free)?).ok()?;
        self.set_key(place, key);
        Some(place)
    }

    fn set_flag(&mut self, place: u32, flag: u32) {
        if let Some(unit) = self.0.get_mut(place as usize) {
            unit.set_flag(flag);
        }
    }

    /// Sets the key that leads to a step.
    pub(super) fn set_key(&mut self, place: u32, key: Key) {
        if let Some(unit) = self.0.get_mut(place as usize) {
            unit.set_key(key);
        }
    }

    /// The step at a place.
    #[inline]
    pub(super) fn step(&self, place: u32) -> Option<&Unit> {
        self.0.get(place as usize)
    }

    /// The step of a fan with a key of this hash that `is` the one that stands with it.
    #[inline]
    pub(super) fn find(&self, fan: Fan, hash: u64, is: impl Fn(Key) -> bool) -> &Unit {
        let unit = usual(self.0.get(fan.first() + fan.slot(hash)), &NOWHERE);
        if likely(is(unit.key())) {
            unit
        } else if fan.is(Fan::APART) || unit.key() == Key::NONE {
            &NOWHERE
        } else {
            self.find_behind(fan, hash, is).unwrap_or(&NOWHERE)
        }
    }

    /// The same where the first place has another key.
    #[inline(never)]
    fn find_behind(&self, fan: Fan, hash: u64, is: impl Fn(Key) -> bool) -> Option<&Unit> {
        for place in fan.places(hash).skip(1) {
            let unit = self.0.get(place)?;
            if unit.is_no_step() {
                return None;
            }
            if is(unit.key()) {
                return Some(unit);
            }
        }
        None
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.0.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::super::bytes::NONE;
    use super::super::fans::tests::scattered;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_step_is_what_it_was_made_of() {
        let mut units = Units::default();
        let place = units.add_step().unwrap();
        let step = |units: &Units| {
            let unit = units.step(place).unwrap();
            let (min_rank, ended) = (unit.min_rank(), unit.ended());
            Step { min_rank, ended, open: unit.open(), closed: unit.closed() }
        };
        assert_eq!(step(&units), Step { min_rank: NONE, ended: 0, open: 0, closed: Fan::NONE });
        assert!(step(&units).closed.is_none());
        let closed = units.add_fan(Near::alone(0), &[1, 2, 3]).unwrap();
        let known = Step { min_rank: 1, ended: 2, open: (1 << PLACE) - 1, closed };
        units.set_step(place, known);
        assert_eq!(step(&units), known);
        assert!(!closed.is_none());
    }

    proptest! {
        #[test]
        fn what_leads_on_is_found_in_its_own_fan_only(
            fans in prop::collection::vec(prop::collection::btree_set(1..u64::MAX >> 8, 1..80), 1..5),
            same: u64,
            alike: bool,
        ) {
            let mut units = Units::default();
            // If so, half of the hashes are the same: those keys have to be told apart by themselves.
            let hash = |key: u64| if alike && key.is_multiple_of(2) { same } else { scattered(key) };
            let mut known = Vec::new();
            for keys in &fans {
                let fan = units.add_fan(Near::alone(0), &keys.iter().copied().map(hash).collect::<Vec<_>>()).unwrap();
                for key in keys {
                    let place = units.lead(fan, hash(*key), Key(key << 8 | 1, 7)).unwrap();
                    let step = Step { min_rank: place, ended: 0, open: 0, closed: Fan::NONE };
                    units.set_step(place, step);
                    known.push((fan, *key, place));
                }
            }
            for (of, key, place) in &known {
                for (fan, ..) in &known {
                    let found = units.find(*fan, hash(*key), |known| known == Key(key << 8 | 1, 7));
                    let expected = known.iter().find(|known| (known.0, known.1) == (*fan, *key));
                    prop_assert_eq!(found.min_rank(), expected.map_or(NONE, |known| known.2));
                    prop_assert!(fan != of || found.min_rank() == *place);
                }
            }
        }
    }

    #[test]
    fn what_is_put_near_a_step_is_near_it_or_behind_everything() {
        let mut units = Units::default();
        let mut steps = Vec::new();
        for keys in [5, 20, 40, 9_000] {
            let hashes: Vec<_> = (1..=keys).map(scattered).collect();
            let table = units.add_fan(Near::alone(0), &hashes).unwrap();
            let lead = |key| units.lead(table, scattered(key), Key(key << 8 | 1, 7)).unwrap();
            steps.extend((1..=keys).map(lead).map(|step| Near { step, table }));
        }
        for (near, hash) in steps.into_iter().zip((1..).map(scattered)) {
            let end = units.0.len();
            let place = units.add_fan(near, &[hash]).unwrap().first();
            assert!(place == end || place / LINES as usize == (near.step / LINES) as usize);
            assert_ne!(place, near.table.first() + near.table.slot(hash));
        }
    }

    #[test]
    fn nothing_is_taken_for_what_is_refused() {
        let mut units = Units::default();
        let place = units.add_step();
        assert_eq!(units.add(1 << PLACE), None);
        assert!(units.0.capacity() < 99);
        assert_eq!(units.add_step(), place.map(|place| (place + 1).next_multiple_of(LINES)));
    }

    #[test]
    fn very_many_are_found_though_some_of_them_share_a_hash() {
        let mut units = Units::default();
        let keys = 1..=9_000;
        let hash = |key: u64| if key.is_multiple_of(16) { 7 << 8 } else { scattered(key) };
        let fan = units.add_fan(Near::alone(0), &keys.clone().map(hash).collect::<Vec<_>>()).unwrap();
        let places: Vec<_> =
            keys.clone().map(|key| units.lead(fan, hash(key), Key(key << 8 | 1, 7)).unwrap()).collect();
        for (key, place) in keys.zip(places) {
            units.set_step(place, Step { min_rank: place, ended: 0, open: 0, closed: Fan::NONE });
            let found = |other: u64| units.find(fan, hash(key), |known| known == Key(key << 8 | 1, other));
            assert_eq!(found(7).min_rank(), place);
            assert_eq!(found(8).min_rank(), NONE);
        }
    }
}
