//! Texts by their hash: one hash table for all of them, however many sets they belong to.
//!
//! Eight slots are a group. A look-up reads the eight tags of a group, which are so small that they
//! stay in the cache, and nothing else unless a tag is the one it looks for. What is known of a text
//! lies side by side with the text, so that one place in memory answers.

use super::bytes::{Hasher, NONE, ONES, eq_folded, same, zeros};

/// A rule that needs nothing but the text it was found by, and one of these methods, if any are named.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain {
    pub rank: u32,
    pub methods: u16,
}

/// How many such rules stand beside their text.
pub(super) const PLAIN: usize = 2;

/// What is known of one text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// In the order of their ranks; `NONE` as the rank of none.
    pub plain: [Plain; PLAIN],
    /// The rules that need more, and the best rank among them.
    pub bucket: u32,
    pub bucket_rank: u32,
}

impl Plain {
    pub(super) const NONE: Self = Self { rank: NONE, methods: 0 };
}

impl Found {
    pub(super) const NOTHING: Self = Self { plain: [Plain::NONE; PLAIN], bucket: NONE, bucket_rank: NONE };

    /// The rule that this leads to, if it is the only one and asks for nothing but its methods.
    pub(super) fn only(&self) -> Option<Plain> {
        let [only, other] = self.plain;
        (only.rank != NONE && other.rank == NONE && self.bucket == NONE).then_some(only)
    }

    /// A text that leads to one place, where the method is one of these.
    pub(super) fn one(rank: u32, methods: u16) -> Self {
        Self { plain: [Plain { rank, methods }, Plain::NONE], ..Self::NOTHING }
    }
}

/// So many of the eight slots of a group are used on average: few groups overflow into the next.
const USED: usize = 4;
/// What stands before each text: its set, its length, and what is known of it.
const HEADER: usize = 28;
/// Places among the texts are counted in so many bytes.
const UNIT: usize = 4;

/// A hash table that is built once and then only read.
#[derive(Debug, Default)]
pub(super) struct ExactMap {
    seed: u64,
    /// Eight tags a group, zero for a slot that is free; the slots are filled from the lowest on.
    tags: Vec<u64>,
    /// Where the text of each slot is.
    places: Vec<[u32; 8]>,
    /// Headers and texts.
    texts: Vec<u8>,
    /// Hash and place of each text, until the table is frozen.
    added: Vec<(u64, u32)>,
}

#[expect(clippy::cast_possible_truncation, reason = "one byte of a hash is as good as another")]
#[inline]
fn tag_of(hash: u64) -> u8 {
    (hash as u8).max(1)
}

/// Whether the last slot of a group is free: then nothing went on to the next one.
fn has_room(tags: u64) -> bool {
    tags >> 56 == 0
}

/// One of `groups`, by the upper half of the hash.
fn group_of(hash: u64, groups: usize) -> usize {
    (((hash >> 32) * groups as u64) >> 32) as usize
}

impl ExactMap {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Remembers a text of a set, which must not be there yet, by any hash that the search will know
    /// too. `None` when there are too many.
    pub(super) fn add(&mut self, set: u32, hash: u64, text: &[u8], found: &Found) -> Option<()> {
        let place = u32::try_from(self.texts.len() / UNIT).ok().filter(|place| *place != NONE)?;
        let [first, second] = found.plain;
        let methods = u32::from(first.methods) | u32::from(second.methods) << 16;
        let length = u32::try_from(text.len()).ok()?;
        for field in [set, length, first.rank, second.rank, methods, found.bucket, found.bucket_rank] {
            self.texts.extend(field.to_le_bytes());
        }
        self.texts.extend_from_slice(text);
        self.texts.resize(self.texts.len().next_multiple_of(UNIT), 0);
        self.added.push((hash, place));
        Some(())
    }

    /// The same by the hash of the whole text.
    pub(super) fn add_text(&mut self, set: u32, text: &[u8], found: &Found) -> Option<()> {
        self.add(set, self.hasher::<false>(set, text).up_to(text.len()), text, found)
    }

    /// Spreads the texts over their slots: to be called once, after the last of them.
    pub(super) fn freeze(&mut self) {
        self.texts.shrink_to_fit();
        let added = std::mem::take(&mut self.added);
        if added.is_empty() {
            return;
        }
        let groups = added.len() / USED + 1;
        self.tags = vec![0; groups];
        self.places = vec![[NONE; 8]; groups];
        for (hash, place) in added {
            let mut group = group_of(hash, groups);
            while let (Some(tags), Some(places)) = (self.tags.get_mut(group), self.places.get_mut(group)) {
                if let Some((slot, free)) = (0..).zip(places).find(|(_, place)| **place == NONE) {
                    *free = place;
                    *tags |= u64::from(tag_of(hash)) << (8 * slot);
                    break;
                }
                group = if group + 1 == groups { 0 } else { group + 1 };
            }
        }
    }

    pub(super) fn hasher<'x, const FOLD: bool>(&self, set: u32, text: &'x [u8]) -> Hasher<'x, FOLD> {
        Hasher::new(self.seed, set, text)
    }

    /// Whether there is no text at all, which spares hashing one.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// What is known of `text` in `set`; with `FOLD` its capitals count as small letters.
    pub(super) fn find_text<const FOLD: bool>(&self, set: u32, text: &[u8]) -> Option<Found> {
        let hash = self.hasher::<FOLD>(set, text).up_to(text.len());
        self.find(set, hash, |known| if FOLD { eq_folded(text, known) } else { same(text, known) })
    }

    /// What is known of the text in `set` that has this hash and passes `is`. Most texts that are not
    /// there are seen not to be by one group of tags.
    #[inline]
    pub(super) fn find(&self, set: u32, hash: u64, is: impl Fn(&[u8]) -> bool) -> Option<Found> {
        let wanted = u64::from(tag_of(hash)) * ONES;
        let group = group_of(hash, self.tags.len());
        let tags = *self.tags.get(group)?;
        if zeros(tags ^ wanted) == 0 && has_room(tags) {
            return None;
        }
        self.find_from(group, wanted, set, is)
    }

    #[inline(never)]
    fn find_from(
        &self,
        mut group: usize,
        wanted: u64,
        set: u32,
        is: impl Fn(&[u8]) -> bool,
    ) -> Option<Found> {
        loop {
            let tags = *self.tags.get(group)?;
            let mut hits = zeros(tags ^ wanted);
            while hits != 0 {
                let slot = (hits.trailing_zeros() / 8) as usize;
                let place = self.places.get(group).and_then(|places| places.get(slot)).copied()?;
                let found = self.known(place, set, &is);
                if found.is_some() {
                    return found;
                }
                hits &= hits - 1;
            }
            if has_room(tags) {
                return None;
            }
            group = if group + 1 == self.tags.len() { 0 } else { group + 1 };
        }
    }

    /// What is known of the text at this place, if it is the one that is looked for.
    #[inline]
    fn known(&self, place: u32, set: u32, is: impl Fn(&[u8]) -> bool) -> Option<Found> {
        let (header, rest) = self.texts.get(place as usize * UNIT..)?.split_first_chunk::<HEADER>()?;
        let field = |at: usize| {
            header
                .get(4 * at..)
                .and_then(<[u8]>::first_chunk::<4>)
                .map_or(NONE, |field| u32::from_le_bytes(*field))
        };
        if field(0) != set || !is(rest.get(..field(1) as usize)?) {
            return None;
        }
        let methods = |shift: u32| u16::try_from(field(4) >> shift & 0xFFFF).unwrap_or(0);
        let plain =
            [Plain { rank: field(2), methods: methods(0) }, Plain { rank: field(3), methods: methods(16) }];
        Some(Found { plain, bucket: field(5), bucket_rank: field(6) })
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.tags.as_slice()) + size_of_val(self.places.as_slice()) + self.texts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_in_their_own_set_only() {
        let mut map = ExactMap::new(7);
        for number in 0..1000_u32 {
            map.add_text(number % 2, format!("/{number}").as_bytes(), &Found::one(number, 0)).unwrap();
        }
        map.freeze();
        for number in 0..1000_u32 {
            let text = format!("/{number}");
            let found = map.find_text::<false>(number % 2, text.as_bytes()).unwrap();
            assert_eq!(found.plain[0].rank, number);
            assert!(map.find_text::<false>(1 - number % 2, text.as_bytes()).is_none());
        }
        assert!(map.find_text::<false>(0, b"/A").is_none());
        assert!(ExactMap::new(7).find_text::<false>(0, b"").is_none());
    }

    #[test]
    fn texts_of_one_hash_are_told_apart() {
        let mut map = ExactMap::new(7);
        for number in 0..100_u32 {
            map.add(0, 42, format!("/{number}").as_bytes(), &Found::one(number, 0)).unwrap();
        }
        map.freeze();
        for number in 0..100_u32 {
            let text = format!("/{number}");
            let found = map.find(0, 42, |known| known == text.as_bytes()).unwrap();
            assert_eq!(found.plain[0].rank, number);
        }
        assert!(map.find(0, 42, |_| false).is_none());
        assert!(map.find(1, 42, |_| true).is_none());
    }

    #[test]
    fn what_is_known_comes_back_as_it_was_given() {
        let plain = [Plain { rank: 3, methods: 5 }, Plain { rank: 4, methods: 0xFFFF }];
        let mut map = ExactMap::new(7);
        map.add_text(0, b"/a", &Found { plain, bucket: 6, bucket_rank: 7 }).unwrap();
        map.freeze();
        let found = map.find_text::<false>(0, b"/a").unwrap();
        assert_eq!(found.plain.map(|plain| (plain.rank, plain.methods)), [(3, 5), (4, 0xFFFF)]);
        assert_eq!((found.bucket, found.bucket_rank), (6, 7));
    }

    #[test]
    fn capitals_fold_where_asked() {
        let mut map = ExactMap::new(7);
        map.add_text(0, b"a.example:8080", &Found::one(1, 0)).unwrap();
        map.freeze();
        assert!(map.find_text::<true>(0, b"A.exAmple:8080").is_some());
        assert!(map.find_text::<false>(0, b"A.exAmple:8080").is_none());
    }
}
