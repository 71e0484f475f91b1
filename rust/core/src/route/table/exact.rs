//! Whole texts: one hash probe for all of them, however many tables they belong to.

use super::bytes::{Hasher, NONE, eq_folded, same};

/// What is known of one text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// The rank of the rule that needs nothing but this text; `NONE` when there is none.
    pub best: u32,
    /// The rules that need more.
    pub bucket: u32,
}

#[derive(Debug, Clone, Copy)]
struct Key {
    /// Which set of texts this one belongs to.
    set: u32,
    start: u32,
    end: u32,
    found: Found,
}

/// A hash table that is built once and then only read.
#[derive(Debug, Default)]
pub(super) struct ExactMap {
    seed: u64,
    /// Half of the hash and the place of the key; a power of two of them, at most half in use.
    slots: Vec<(u32, u32)>,
    keys: Vec<Key>,
    texts: Vec<u8>,
}

#[expect(clippy::cast_possible_truncation, reason = "the halves of a hash")]
fn halves(hash: u64) -> (u32, usize) {
    (hash as u32, (hash >> 32) as usize)
}

impl ExactMap {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Remembers a text of a set, which must not be there yet. `None` when there are too many.
    pub(super) fn add(&mut self, set: u32, text: &[u8], found: Found) -> Option<()> {
        let start = u32::try_from(self.texts.len()).ok()?;
        self.texts.extend_from_slice(text);
        let end = u32::try_from(self.texts.len()).ok()?;
        u32::try_from(self.keys.len() * 4).ok()?;
        self.keys.push(Key { set, start, end, found });
        Some(())
    }

    /// Spreads the keys over their slots: to be called once, after the last of them.
    pub(super) fn freeze(&mut self) {
        self.texts.shrink_to_fit();
        self.keys.shrink_to_fit();
        if self.keys.is_empty() {
            return;
        }
        let size = (self.keys.len() * 2).next_power_of_two();
        let mut slots = vec![(0, NONE); size];
        for (number, key) in (0_u32..).zip(&self.keys) {
            let text = self.text(key);
            let (tag, mut at) = halves(Hasher::<false>::new(self.seed, key.set, text).up_to(text.len()));
            loop {
                at &= size - 1;
                match slots.get_mut(at) {
                    Some(slot) if slot.1 == NONE => {
                        *slot = (tag, number);
                        break;
                    }
                    _ => at += 1,
                }
            }
        }
        self.slots = slots;
    }

    fn text(&self, key: &Key) -> &[u8] {
        self.texts.get(key.start as usize..key.end as usize).unwrap_or_default()
    }

    /// What is known of `text` in `set`; with `FOLD` its capitals count as small letters.
    pub(super) fn find<const FOLD: bool>(&self, set: u32, text: &[u8]) -> Option<Found> {
        self.find_hashed::<FOLD>(set, text, self.hasher::<FOLD>(set, text).up_to(text.len()))
    }

    pub(super) fn hasher<'x, const FOLD: bool>(&self, set: u32, text: &'x [u8]) -> Hasher<'x, FOLD> {
        Hasher::new(self.seed, set, text)
    }

    /// The same, where the hash is known.
    pub(super) fn find_hashed<const FOLD: bool>(&self, set: u32, text: &[u8], hash: u64) -> Option<Found> {
        let mask = self.slots.len().checked_sub(1)?;
        let (tag, mut at) = halves(hash);
        loop {
            let (other, number) = *self.slots.get(at & mask)?;
            if number == NONE {
                return None;
            }
            if other == tag {
                let key = self.keys.get(number as usize)?;
                let known = self.text(key);
                let same = if FOLD { eq_folded(text, known) } else { same(text, known) };
                if same && key.set == set {
                    return Some(key.found);
                }
            }
            at += 1;
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.slots.as_slice()) + size_of_val(self.keys.as_slice()) + self.texts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_in_their_own_set_only() {
        let mut map = ExactMap::new(7);
        for number in 0..1000_u32 {
            map.add(number % 2, format!("/{number}").as_bytes(), Found { best: number, bucket: NONE })
                .unwrap();
        }
        map.freeze();
        for number in 0..1000_u32 {
            let text = format!("/{number}");
            assert_eq!(map.find::<false>(number % 2, text.as_bytes()).unwrap().best, number);
            assert!(map.find::<false>(1 - number % 2, text.as_bytes()).is_none());
        }
        assert!(map.find::<false>(0, b"/A").is_none());
        assert!(ExactMap::new(7).find::<false>(0, b"").is_none());
    }

    #[test]
    fn capitals_fold_where_asked() {
        let mut map = ExactMap::new(7);
        map.add(0, b"a.example:8080", Found { best: 1, bucket: NONE }).unwrap();
        map.freeze();
        assert!(map.find::<true>(0, b"A.exAmple:8080").is_some());
        assert!(map.find::<false>(0, b"A.exAmple:8080").is_none());
    }
}
