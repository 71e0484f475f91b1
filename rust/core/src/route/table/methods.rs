//! Methods as bits: the usual ones have bits of their own.

use super::bytes::word;

/// The methods that have a bit of their own, each where [`method_place`] finds it.
const METHODS: [&[u8]; 16] = [
    b"", b"PATCH", b"", b"", b"", b"PUT", b"TRACE", b"", b"GET", b"DELETE", b"", b"OPTIONS", b"", b"HEAD",
    b"CONNECT", b"POST",
];
/// The bits that are left for other methods, first come first served.
pub(super) const OTHER_BITS: [u8; 7] = [0, 2, 3, 4, 7, 10, 12];
/// A short method in one word, with its length above it.
const fn method_word(word: u64, length: usize) -> u64 {
    word | (length as u64) << 56
}

const METHOD_WORDS: [u64; 16] = {
    let (mut words, mut place) = ([0; 16], 0);
    #[expect(clippy::indexing_slicing, reason = "the lengths of the arrays, at build time")]
    while place < 16 {
        let (mut word, mut at) = (0, METHODS[place].len());
        while at > 0 {
            at -= 1;
            word = word << 8 | METHODS[place][at] as u64;
        }
        words[place] = method_word(word, METHODS[place].len());
        place += 1;
    }
    words
};

/// The bit of a method that has one of its own: no two of them have this sum of their first bytes.
#[inline]
pub(super) fn method_place(method: &[u8]) -> Option<u8> {
    if !(2..8).contains(&method.len()) {
        return None;
    }
    let word = word(method);
    let place = (word.wrapping_mul(5).wrapping_add(word >> 8)) % 16;
    let known = usize::try_from(place).ok().and_then(|place| METHOD_WORDS.get(place));
    let is_known = known.is_some_and(|known| *known == method_word(word, method.len()));
    is_known.then(|| u8::try_from(place).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_usual_method_is_where_it_is_looked_for() {
        let usual = METHODS.iter().filter(|method| !method.is_empty());
        assert!(usual.clone().all(|method| method_place(method).is_some()));
        let places = usual.filter_map(|method| method_place(method)).chain(OTHER_BITS);
        assert_eq!(places.collect::<std::collections::BTreeSet<_>>(), (0..16).collect());
        assert_eq!(method_place(b"get").or(method_place(b"G")).or(method_place(b"GEX")), None);
    }
}
