//! Fans: where the known segments lead that a step goes on with.

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the other half is another number")]
pub(super) fn low(word: u64) -> u32 {
    word as u32
}

/// Where known segments lead: so many units behind each other, as many as a power of two says. Packed
/// as it stands in a step, with room for the place of another step below it; zero is no fan at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fan(pub u64);

/// Places have so many bits.
pub(super) const PLACE: u32 = 25;
/// So many keys get places of their own, in a table that may have to be larger for it.
const APART: usize = 16;

impl Fan {
    pub(super) const NONE: Self = Self(0);

    /// Behind the place of the other step: which bits of a hash count, from the highest on.
    const SKIPPED: u32 = PLACE;
    /// Whether no two keys share a place.
    pub(super) const APART: u64 = 1 << 31;
    /// How many bits of a hash do not count, less one.
    const UNUSED: u32 = 32;
    const FIRST: u32 = 38;

    pub(super) fn new(first: u32, skipped: u32, bits: u32) -> Self {
        let fields = u64::from(skipped) << Self::SKIPPED | u64::from(63 - bits) << Self::UNUSED;
        Self(u64::from(first) << Self::FIRST | fields)
    }

    #[inline]
    pub(super) fn is_none(self) -> bool {
        self.0 >> 32 == 0
    }

    #[inline]
    pub(super) fn is(self, what: u64) -> bool {
        self.0 & what != 0
    }

    /// Whether several keys may share a place, as they may where there are many.
    pub(super) fn is_shared(self) -> bool {
        !self.is_none() && !self.is(Self::APART)
    }

    #[inline]
    pub(super) fn first(self) -> usize {
        (self.0 >> Self::FIRST) as usize
    }

    fn bits(self) -> u32 {
        63 - (low(self.0 >> Self::UNUSED) & 63)
    }

    /// Where a key of this hash is, counted from the first unit. The shifts take the lower six bits of
    /// what they are given, so that the fields are not cut out.
    #[inline]
    pub(super) fn slot(self, hash: u64) -> usize {
        let counting = hash.wrapping_shl(low(self.0 >> Self::SKIPPED)) >> 1;
        counting.wrapping_shr(low(self.0 >> Self::UNUSED)) as usize
    }

    /// The places of the units where a hash is looked for, one after the other: first those of one line of
    /// the cache.
    pub(super) fn places(self, hash: u64) -> impl Iterator<Item = usize> {
        let (first, slot, units) = (self.first(), self.slot(hash), 1_usize << self.bits());
        (0..units).map(move |step| first + (slot ^ step))
    }
}

/// How hashes that lead to one table are spread there: how many of their bits are skipped, how many
/// count then, and whether no two of them share a place.
pub(super) fn spread(hashes: &[u64]) -> (u32, u32, bool) {
    let least = hashes.len().next_power_of_two().ilog2();
    if hashes.len() > APART {
        // Half full at most.
        let bits = least + 1;
        let ways = (0..=MOST_SKIPPED.min(63 - bits)).step_by(8);
        let best = ways.min_by_key(|skipped| sharing(hashes, Fan::new(0, *skipped, bits)));
        return (best.unwrap_or(0), bits, false);
    }
    // A table that would be nearly full is not tried: it hardly ever works.
    let least = least + u32::from(hashes.len() > 3 && 8 * hashes.len() > 5 << least);
    let ways =
        (least..=least + LARGER).flat_map(|bits| (0..=MOST_SKIPPED).map(move |skipped| (skipped, bits)));
    let apart = ways.into_iter().find(|(skipped, bits)| are_apart(hashes, Fan::new(0, *skipped, *bits)));
    let (skipped, bits) = apart.unwrap_or((0, least + 1));
    (skipped, bits, apart.is_some())
}

/// So many more bits count at most where keys get places of their own.
const LARGER: u32 = 2;
/// So many bits of a hash are skipped at most.
const MOST_SKIPPED: u32 = 40;

/// Whether hashes that are few have places of their own.
fn are_apart(hashes: &[u64], fan: Fan) -> bool {
    let mut taken = 0_u128;
    hashes.iter().all(|hash| {
        let place = 1 << fan.slot(*hash);
        let is_free = taken & place == 0;
        taken |= place;
        is_free
    })
}

/// How many hashes find their place in a table taken.
fn sharing(hashes: &[u64], fan: Fan) -> usize {
    let mut taken = vec![0_u64; (1_usize << fan.bits()).div_ceil(64)];
    let is_taken = |hash: &&u64| {
        let slot = fan.slot(**hash);
        let bit = 1 << (slot % 64);
        taken.get_mut(slot / 64).is_none_or(|word| std::mem::replace(word, *word | bit) & bit != 0)
    };
    hashes.iter().filter(is_taken).count()
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::bytes::{FACTOR, mix};
    use super::super::segments::{Key, Seed};
    use super::*;
    use proptest::prelude::*;

    /// A hash of which every bit depends on the key.
    pub fn scattered(key: u64) -> u64 {
        mix(key ^ FACTOR.reverse_bits(), FACTOR)
    }

    proptest! {
        #[test]
        fn few_keys_have_places_of_their_own(keys in prop::collection::btree_set(any::<u64>(), 1..=APART)) {
            let hashes: Vec<u64> = keys.iter().copied().map(scattered).collect();
            let (skipped, bits, apart) = spread(&hashes);
            let fan = Fan::new(0, skipped, bits);
            let slots: std::collections::BTreeSet<_> = hashes.iter().map(|hash| fan.slot(*hash)).collect();
            prop_assert!(apart && slots.len() == hashes.len());
            prop_assert!(slots.last().is_some_and(|last| *last < 1 << bits));
        }
    }

    /// Names that count up are spread nearly as well as by chance, whatever the seed.
    #[test]
    fn names_that_count_up_are_spread() {
        for (count, seed) in
            [300_u32, 3_000, 30_000].into_iter().flat_map(|count| (0..9).map(move |seed| (count, seed)))
        {
            let seed = Seed::new(scattered(seed));
            let hash = |number| Key::of(format!("service{number:06}").as_bytes(), seed).hash(seed);
            let hashes: Vec<u64> = (0..count).map(hash).collect();
            let (skipped, bits, _) = spread(&hashes);
            let shared = u32::try_from(sharing(&hashes, Fan::new(0, skipped, bits))).unwrap();
            let (count, places) = (f64::from(count), f64::from(1 << bits));
            let by_chance = count - places * (1.0 - (-count / places).exp());
            assert!(
                f64::from(shared) <= 1.1 * by_chance,
                "{count} {seed:?}: {shared}, {by_chance} by chance"
            );
        }
    }
}
