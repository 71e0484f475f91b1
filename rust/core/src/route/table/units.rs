//! What trees of segments are made of: steps and what leads to them, in pieces of one size.
//!
//! A unit is a step with the key that leads to it. Where a few keys lead on they are a table, with the
//! steps themselves at the places of their hashes: one read finds one. Where many do, most of such a
//! table would lie far from the processor; then a unit is a group of six tags and of the places to
//! which they lead. What leads on from a step comes behind it, in the order in which a tree is walked,
//! so that one piece of memory may answer for several steps.

use super::bytes::{ONES, zeros};
use super::exact::tag_of;
use super::segments::Key;

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the other half is another number")]
fn low(word: u64) -> u32 {
    word as u32
}

/// Where several keys lead: so many units behind each other, as many as a power of two says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fan {
    first: u32,
    bits: u32,
    /// Whether the units are groups.
    grouped: bool,
}

/// Of more keys there are groups: a table of them is larger than what a processor has near.
const FEW: usize = 1024;

impl Fan {
    /// What is less is the place of a step.
    const MARK: u32 = 1 << 31;
    const GROUPED: u32 = 1 << 30;
    const BITS: u32 = 5;

    /// In one number.
    pub(super) fn packed(self) -> u32 {
        Self::MARK | u32::from(self.grouped) << 30 | self.first << Self::BITS | self.bits
    }

    #[inline]
    fn of(packed: u32) -> Self {
        let first = (packed & !(Self::MARK | Self::GROUPED)) >> Self::BITS;
        Self { first, bits: packed & ((1 << Self::BITS) - 1), grouped: packed & Self::GROUPED != 0 }
    }

    #[inline]
    fn units(self) -> usize {
        1 << self.bits
    }

    /// The places of the units where a hash is looked for, one after the other: by the bits above the tag.
    #[inline]
    fn places(self, hash: u64) -> impl Iterator<Item = usize> {
        let (first, units, start) = (self.first as usize, self.units(), low(hash >> 8) as usize);
        (start..start + units).map(move |at| first + (at & (units - 1)))
    }
}

/// So many places are in a group, and so many of them are used at most, on average.
const PLACES: usize = 6;
const USED: usize = 4;
/// The high bits of the tags of a group.
const HIGHS: u64 = 0x8080_8080_8080;

/// Two to a line of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
pub(super) struct Unit([u64; 4]);

impl Unit {
    const EMPTY: Self = Self([0; 4]);

    /// A step that leads nowhere.
    const NOWHERE: Self = Self([0, 0, u64::MAX, u64::MAX]);

    /// The key that leads to this step.
    #[inline]
    fn key(&self) -> Key {
        let [low, high, ..] = self.0;
        Key(low, high)
    }

    /// The best rank that this step leads to.
    #[inline]
    pub(super) fn min_rank(&self) -> u32 {
        low(self.0[2])
    }

    /// What ends at this step, `NONE` when nothing does.
    #[inline]
    pub(super) fn ended(&self) -> u32 {
        low(self.0[2] >> 32)
    }

    /// The place of the step that any segment leads to.
    #[inline]
    pub(super) fn open(&self) -> u32 {
        low(self.0[3])
    }

    /// Where the segments lead that are known here: one place, or a fan.
    #[inline]
    pub(super) fn closed(&self) -> u32 {
        low(self.0[3] >> 32)
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

/// All units of a table.
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

    /// A step that leads nowhere yet. `None` when there are too many.
    pub(super) fn add_step(&mut self) -> Option<u32> {
        self.0.push(Unit::NOWHERE);
        u32::try_from(self.0.len() - 1).ok().filter(|place| *place < Fan::MARK)
    }

    /// Room for so many keys. `None` when there are too many.
    pub(super) fn add_fan(&mut self, keys: usize) -> Option<Fan> {
        let grouped = keys > FEW;
        let count = if grouped { keys.div_ceil(USED) } else { 2 * keys }.next_power_of_two();
        let first = u32::try_from(self.0.len()).ok()?;
        self.0.resize(self.0.len() + count, Unit::EMPTY);
        let fits = self.0.len() < (Fan::GROUPED >> Fan::BITS) as usize;
        fits.then_some(Fan { first, bits: count.ilog2(), grouped })
    }

    /// Sets what is known of a step: the best rank, what ends there, where it leads on.
    pub(super) fn set_step(&mut self, place: u32, [min_rank, ended, open, closed]: [u32; 4]) {
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        if let Some(Unit([_, _, first, second])) = self.0.get_mut(place as usize) {
            (*first, *second) = (pair(min_rank, ended), pair(open, closed));
        }
    }

    /// A new step, which leads nowhere yet, for a key of this hash, which must not be there; without a fan
    /// it is the only one. `None` when there are too many.
    pub(super) fn lead(&mut self, fan: Option<Fan>, hash: u64, key: Key) -> Option<u32> {
        let place = match fan {
            Some(fan) if !fan.grouped => {
                let free = |place: &usize| self.0.get(*place).is_some_and(|unit| unit.key() == Key::NONE);
                u32::try_from(fan.places(hash).find(free)?).ok()?
            }
            _ => self.add_step()?,
        };
        if let Some(Unit([low, high, ..])) = self.0.get_mut(place as usize) {
            (*low, *high) = (key.0, key.1);
        }
        if let Some(fan) = fan.filter(|fan| fan.grouped) {
            let mut groups = fan.places(hash);
            groups.find(|group| self.0.get_mut(*group).is_some_and(|unit| unit.put(tag_of(hash), place)))?;
        }
        Some(place)
    }

    /// The step at a place.
    #[inline]
    pub(super) fn step(&self, place: u32) -> Option<&Unit> {
        self.0.get(place as usize)
    }

    /// The step that a key leads to that `is` the one that stands with it. `closed` is where the keys of
    /// a step lead, `hash` that of the key, if it is asked for.
    #[inline]
    pub(super) fn find(
        &self,
        closed: u32,
        hash: impl FnOnce() -> u64,
        is: impl Fn(Key) -> bool,
    ) -> Option<&Unit> {
        if closed < Fan::MARK {
            return self.0.get(closed as usize).filter(|unit| is(unit.key()));
        }
        let (fan, hash) = (Fan::of(closed), hash());
        if fan.grouped {
            return self.find_grouped(fan, hash, is);
        }
        for place in fan.places(hash) {
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

    #[inline]
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
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_step_is_what_it_was_made_of() {
        let mut units = Units::default();
        let place = units.add_step().unwrap();
        let step = |units: &Units| {
            units.step(place).map(|step| [step.min_rank(), step.ended(), step.open(), step.closed()])
        };
        assert_eq!(step(&units), Some([NONE; 4]));
        units.set_step(place, [1, 2, 3, 4]);
        assert_eq!(step(&units), Some([1, 2, 3, 4]));
    }

    proptest! {
        #[test]
        fn what_leads_on_is_found_in_its_own_fan_only(
            fans in prop::collection::vec(prop::collection::btree_set(1..u64::MAX, 2..80), 1..5),
            same: u64,
        ) {
            let mut units = Units::default();
            // Half of the hashes are the same: those keys have to be told apart by themselves.
            let hash = |key: u64| if key.is_multiple_of(2) { same } else { key };
            let mut known = Vec::new();
            for keys in &fans {
                let fan = units.add_fan(keys.len()).unwrap();
                prop_assert_eq!(Fan::of(fan.packed()), fan);
                for key in keys {
                    let place = units.lead(Some(fan), hash(*key), Key(*key, 7)).unwrap();
                    units.set_step(place, [place, 0, 0, 0]);
                    known.push((fan, *key, place));
                }
            }
            for (of, key, place) in &known {
                for (fan, ..) in &known {
                    let found = units.find(fan.packed(), || hash(*key), |known| known == Key(*key, 7));
                    let expected = known.iter().find(|known| (known.0, known.1) == (*fan, *key));
                    prop_assert_eq!(found.map(Unit::min_rank), expected.map(|known| known.2));
                    prop_assert!(fan != of || found.is_some_and(|found| found.min_rank() == *place));
                }
            }
        }
    }

    #[test]
    fn what_leads_on_in_groups_is_found_in_whatever_group_it_went() {
        let mut units = Units::default();
        let keys = 1..=4 * FEW as u64;
        let fan = units.add_fan(4 * FEW).unwrap();
        assert!(fan.grouped);
        // Every eighth has the hash of others, so that some groups overflow.
        let hash =
            |key: u64| if key.is_multiple_of(8) { 7 << 8 } else { key.wrapping_mul(0x9E37_79B9_7F4A_7C15) };
        let places: Vec<_> =
            keys.clone().map(|key| units.lead(Some(fan), hash(key), Key(key, 7)).unwrap()).collect();
        for (key, place) in keys.zip(places) {
            units.set_step(place, [place, 0, 0, 0]);
            let found = |other: u64| units.find(fan.packed(), || hash(key), |known| known == Key(key, other));
            assert_eq!(found(7).map(Unit::min_rank), Some(place));
            assert!(found(8).is_none());
        }
    }
}
