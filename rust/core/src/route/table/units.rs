//! What trees of segments are made of: steps and what leads to them, in pieces of one size.
//!
//! A unit is a step with the key that leads to it. What leads on from a step by a known segment is a
//! fan. That of a few segments is a table in which each has a place of its own, found when the table
//! was built, so that one read says which one it is, or that it is none. In one of more segments some
//! share a place, and go on to the next ones. Where very many lead on, most of such a table would lie
//! far from the processor; then a unit is a group of six tags and of the places to which they lead.
//! What leads on from a step comes behind it, in the order in which a tree is walked, so that one piece
//! of memory may answer for several steps.

use super::bytes::{ONES, zeros};
use super::exact::tag_of;
use super::fans::{FEW, Fan, PLACE, low, spread};
use super::segments::Key;
use crate::likely::{likely, unlikely, usual};

/// So many places are in a group, and so many of them are used at most, on average.
const PLACES: usize = 6;
const USED: usize = 4;
/// The high bits of the tags of a group.
const HIGHS: u64 = 0x8080_8080_8080;

/// Two to a line of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
pub(super) struct Unit([u64; 4]);

/// A step that leads nowhere.
pub(super) static NOWHERE: Unit = Unit([0, 0, u32::MAX as u64, 0]);

impl Unit {
    const EMPTY: Self = Self([0; 4]);

    /// The key that leads to this step.
    #[inline]
    fn key(&self) -> Key {
        let [low, high, ..] = self.0;
        Key(low, high)
    }

    /// The best rank that this step leads to; `NONE` when it leads nowhere.
    #[inline]
    pub(super) fn min_rank(&self) -> u32 {
        low(self.0[2])
    }

    /// What ends at this step, zero when nothing does.
    #[inline]
    pub(super) fn ended(&self) -> u32 {
        low(self.0[2] >> 32)
    }

    /// The place of the step that any segment leads to, zero when there is none.
    #[inline]
    pub(super) fn open(&self) -> u32 {
        low(self.0[3]) & ((1 << PLACE) - 1)
    }

    /// Where the segments lead that are known here.
    #[inline]
    pub(super) fn closed(&self) -> Fan {
        Fan(self.0[3] & (u64::MAX << PLACE))
    }

    /// The place at `slot` of a group.
    #[inline]
    fn place(&self, slot: usize) -> Option<u32> {
        let [_, places @ ..] = &self.0;
        places.get(slot / 2).map(|pair| low(pair >> (32 * (slot % 2))))
    }

    /// Puts a place into a group. False when there is no room.
    fn put(&mut self, tag: u8, place: u32) -> bool {
        let [tags, places @ ..] = &mut self.0;
        let slot = (0..PLACES).find(|slot| tags.to_le_bytes().get(*slot) == Some(&0));
        let Some((slot, pair)) = slot.and_then(|slot| Some((slot, places.get_mut(slot / 2)?))) else {
            return false;
        };
        *tags |= u64::from(tag) << (8 * slot);
        *pair |= u64::from(place) << (32 * (slot % 2));
        true
    }
}

/// What is known of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub min_rank: u32,
    pub ended: u32,
    pub open: u32,
    pub closed: Fan,
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
        let first = self.0.len();
        let fits = first + count <= 1 << PLACE;
        self.0.resize(first + count, Unit::EMPTY);
        u32::try_from(first).ok().filter(|_| fits)
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

    /// Room for keys of these hashes. `None` when there are too many.
    pub(super) fn add_fan(&mut self, hashes: &[u64]) -> Option<Fan> {
        if hashes.is_empty() {
            return Some(Fan::NONE);
        }
        if hashes.len() == 1 {
            return self.add(1).map(|first| Fan(Fan::new(first, 0, 0).0 | Fan::APART));
        }
        if hashes.len() > FEW {
            let bits = hashes.len().div_ceil(USED).next_power_of_two().ilog2();
            let fan = Fan::new(self.add(1 << bits)?, 0, bits);
            return Some(Fan(fan.0 | Fan::GROUPED));
        }
        let (skipped, bits, apart) = spread(hashes);
        let fan = Fan::new(self.add(1 << bits)?, skipped, bits);
        Some(Fan(fan.0 | if apart { Fan::APART } else { 0 }))
    }

    /// Sets what is known of a step.
    pub(super) fn set_step(&mut self, place: u32, step: Step) {
        let Step { min_rank, ended, open, closed } = step;
        if let Some(Unit([_, _, first, second])) = self.0.get_mut(place as usize) {
            *first = u64::from(min_rank) | u64::from(ended) << 32;
            *second = u64::from(open) | closed.0;
        }
    }

    /// A new step of a fan, which leads nowhere yet, for a key of this hash, which must not be there.
    /// `None` when there are too many.
    pub(super) fn lead(&mut self, fan: Fan, hash: u64, key: Key) -> Option<u32> {
        let place = if fan.is(Fan::GROUPED) {
            let place = self.add_step()?;
            let mut groups = fan.places(hash);
            groups.find(|group| self.0.get_mut(*group).is_some_and(|unit| unit.put(tag_of(hash), place)))?;
            place
        } else {
            let free = |place: &usize| self.0.get(*place).is_some_and(|unit| unit.key() == Key::NONE);
            u32::try_from(fan.places(hash).find(free)?).ok()?
        };
        self.set_unit(place, Unit([key.0, key.1, NOWHERE.0[2], NOWHERE.0[3]]));
        Some(place)
    }

    /// The step at a place.
    #[inline]
    pub(super) fn step(&self, place: u32) -> Option<&Unit> {
        self.0.get(place as usize)
    }

    /// The step of a fan with a key of this hash that `is` the one that stands with it.
    #[inline]
    pub(super) fn find(&self, fan: Fan, hash: u64, is: impl Fn(Key) -> bool) -> &Unit {
        if unlikely(fan.is(Fan::GROUPED)) {
            return self.find_grouped(fan, hash, is).unwrap_or(&NOWHERE);
        }
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
            let key = unit.key();
            if is(key) {
                return Some(unit);
            }
            if key == Key::NONE {
                return None;
            }
        }
        None
    }

    #[inline(never)]
    fn find_grouped(&self, fan: Fan, hash: u64, is: impl Fn(Key) -> bool) -> Option<&Unit> {
        let wanted = u64::from(tag_of(hash)) * ONES;
        for group in fan.places(hash) {
            let group = self.0.get(group)?;
            let tags = group.0[0];
            let mut hits = zeros(tags ^ wanted) & HIGHS;
            while hits != 0 {
                let place = group.place((hits.trailing_zeros() / 8) as usize)?;
                if let Some(unit) = self.0.get(place as usize).filter(|unit| is(unit.key())) {
                    return Some(unit);
                }
                hits &= hits - 1;
            }
            // The last place is free: nothing went on to the next group.
            if tags >> (8 * (PLACES - 1)) == 0 {
                return None;
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
        let closed = units.add_fan(&[1, 2, 3]).unwrap();
        let known = Step { min_rank: 1, ended: 2, open: (1 << PLACE) - 1, closed };
        units.set_step(place, known);
        assert_eq!(step(&units), known);
        assert!(!closed.is_none());
    }

    proptest! {
        #[test]
        fn what_leads_on_is_found_in_its_own_fan_only(
            fans in prop::collection::vec(prop::collection::btree_set(1..u64::MAX, 1..80), 1..5),
            same: u64,
            alike: bool,
        ) {
            let mut units = Units::default();
            // If so, half of the hashes are the same: those keys have to be told apart by themselves.
            let hash = |key: u64| if alike && key.is_multiple_of(2) { same } else { scattered(key) };
            let mut known = Vec::new();
            for keys in &fans {
                let fan = units.add_fan(&keys.iter().copied().map(hash).collect::<Vec<_>>()).unwrap();
                for key in keys {
                    let place = units.lead(fan, hash(*key), Key(*key, 7)).unwrap();
                    let step = Step { min_rank: place, ended: 0, open: 0, closed: Fan::NONE };
                    units.set_step(place, step);
                    known.push((fan, *key, place));
                }
            }
            for (of, key, place) in &known {
                for (fan, ..) in &known {
                    let found = units.find(*fan, hash(*key), |known| known == Key(*key, 7));
                    let expected = known.iter().find(|known| (known.0, known.1) == (*fan, *key));
                    prop_assert_eq!(found.min_rank(), expected.map_or(NONE, |known| known.2));
                    prop_assert!(fan != of || found.min_rank() == *place);
                }
            }
        }
    }

    #[test]
    fn what_leads_on_in_groups_is_found_in_whatever_group_it_went() {
        let mut units = Units::default();
        let keys = 1..=4 * FEW as u64;
        // Every eighth has the hash of others, so that some groups overflow.
        let hash = |key: u64| if key.is_multiple_of(8) { 7 << 8 } else { scattered(key) };
        let fan = units.add_fan(&keys.clone().map(hash).collect::<Vec<_>>()).unwrap();
        assert!(fan.is(Fan::GROUPED));
        let places: Vec<_> =
            keys.clone().map(|key| units.lead(fan, hash(key), Key(key, 7)).unwrap()).collect();
        for (key, place) in keys.zip(places) {
            units.set_step(place, Step { min_rank: place, ended: 0, open: 0, closed: Fan::NONE });
            let found = |other: u64| units.find(fan, hash(key), |known| known == Key(key, other));
            assert_eq!(found(7).min_rank(), place);
            assert_eq!(found(8).min_rank(), NONE);
        }
    }
}
