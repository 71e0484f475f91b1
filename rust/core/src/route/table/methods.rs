//! Methods as bits: the usual ones have bits of their own.

use std::hint::cold_path;

/// The methods that have a bit of their own, each where [`method_bit`] looks for it.
const METHODS: [&[u8]; 16] = [
    b"", b"PATCH", b"", b"", b"", b"PUT", b"TRACE", b"", b"GET", b"DELETE", b"", b"OPTIONS", b"", b"HEAD",
    b"CONNECT", b"POST",
];
/// The bits that are left for other methods, first come first served.
pub(super) const OTHER_BITS: [u8; 7] = [0, 2, 3, 4, 7, 10, 12];

/// The methods as [`pairs`] of bytes, and how long they are.
const METHOD_PAIRS: [(u64, usize); 16] = {
    let (mut all, mut place) = ([(0, 0); 16], 0);
    #[expect(clippy::indexing_slicing, reason = "the lengths of the arrays, at build time")]
    while place < 16 {
        if !METHODS[place].is_empty() {
            let (method, mut pair) = (METHODS[place], 0);
            while pair < 4 {
                let at = pair_places(method.len())[pair];
                all[place].0 |= (method[at] as u64 | (method[at + 1] as u64) << 8) << (16 * pair);
                pair += 1;
            }
            all[place].1 = method.len();
        }
        place += 1;
    }
    all
};

/// Where four pairs of bytes begin that are together all bytes of a method of this length, 2 to 7.
const fn pair_places(length: usize) -> [usize; 4] {
    [0, length / 2 - 1, (length - 1) / 2, length - 2]
}

/// All bytes of a method in one word, in the same steps for each length, since methods cannot be
/// foreseen. `None` for one of fewer than two or more than seven.
#[inline]
fn pairs(method: &[u8]) -> Option<u64> {
    let length = Some(method.len()).filter(|length| (2..8).contains(length))?;
    let mut all = 0;
    for at in pair_places(length).into_iter().rev() {
        let [first, second] = method.get(at..at + 2)? else { return None };
        all = all << 16 | u64::from(u16::from_le_bytes([*first, *second]));
    }
    Some(all)
}

/// The bit of a method that has one of its own, zero for another: no two of them have this sum of their
/// first bytes.
#[inline]
pub(super) fn method_bit(method: &[u8]) -> u16 {
    let Some(pairs) = pairs(method) else {
        cold_path();
        return 0;
    };
    let place = (pairs.wrapping_mul(5).wrapping_add(pairs >> 8)) % 16;
    let (known, length) = METHOD_PAIRS.get(usize::try_from(place).unwrap_or(0)).copied().unwrap_or_default();
    if (known ^ pairs) | (length ^ method.len()) as u64 == 0 { 1 << place } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_usual_method_is_where_it_is_looked_for() {
        let usual = METHODS.iter().filter(|method| !method.is_empty());
        let usual = usual.map(|method| method_bit(method));
        let all: Vec<u16> = usual.chain(OTHER_BITS.map(|place| 1 << place)).collect();
        assert!(all.iter().all(|bit| bit.is_power_of_two()));
        assert_eq!(all.iter().fold(0, |sum, bit| sum | bit), u16::MAX);
        assert_eq!(all.len(), 16);
        for other in [&b""[..], b"get", b"G", b"GEX", b"GETT", b"POSS", b"OPTI\0NS", b"GEGETET"] {
            assert_eq!(method_bit(other), 0);
        }
    }
}
