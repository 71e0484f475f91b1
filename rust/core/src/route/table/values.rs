//! The values that headers must have: what most conditions ask, and so compared without asking the
//! rule.

use super::bytes::NONE;
use super::names::Names;

/// Numbers of headers with values, one after the other: those of one rule lie side by side.
#[derive(Debug, Default)]
pub(super) struct Values(Vec<u8>);

/// What stands before a value: the number of the header, and how long the value is.
const HEAD: usize = 8;
/// Each begins at a multiple of this.
const UNIT: usize = 4;

impl Values {
    /// Keeps the value that the header of this number must have. `None` when there are too many.
    pub(super) fn add(&mut self, number: u32, value: &[u8]) -> Option<u32> {
        let start = u32::try_from(self.0.len()).ok().filter(|start| *start != NONE)?;
        self.0.extend(number.to_le_bytes());
        self.0.extend(u32::try_from(value.len()).ok()?.to_le_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(UNIT), 0);
        Some(start)
    }

    /// So many of them, from where the first one was kept.
    #[inline]
    pub(super) fn asked<'t>(&'t self, start: u32, count: u16, names: &'t Names) -> AskedValues<'t> {
        AskedValues { names, count, rest: self.0.get(start as usize..).unwrap_or_default() }
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.0.len()
    }
}

/// Values that headers must have, one after the other.
#[derive(Debug, Clone)]
pub struct AskedValues<'t> {
    names: &'t Names,
    count: u16,
    rest: &'t [u8],
}

/// The value that a header must have.
#[derive(Debug, Clone, Copy)]
pub struct AskedValue<'t> {
    names: &'t Names,
    /// The number of its name in the table that asks.
    pub number: u32,
    /// What one of its values must be.
    pub value: &'t [u8],
}

impl<'t> Iterator for AskedValues<'t> {
    type Item = AskedValue<'t>;

    #[inline]
    fn next(&mut self) -> Option<AskedValue<'t>> {
        self.count = self.count.checked_sub(1)?;
        let (head, after) = self.rest.split_first_chunk::<HEAD>()?;
        let head = u64::from_le_bytes(*head);
        let (number, length) = (u32::try_from(head & 0xFFFF_FFFF).ok()?, usize::try_from(head >> 32).ok()?);
        let value = after.get(..length)?;
        self.rest = after.get(length.next_multiple_of(UNIT)..).unwrap_or_default();
        Some(AskedValue { names: self.names, number, value })
    }
}

impl<'t> AskedValue<'t> {
    /// The name of the header, in small letters.
    #[must_use]
    pub fn name(&self) -> &'t str {
        self.names.name(self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Values come back in the order in which they were kept, from any of them on.
        #[test]
        fn what_is_kept_comes_back(kept in prop::collection::vec((any::<u32>(), "[a-zé]{0,9}"), 1..9), from in 0_usize..9) {
            let mut values = Values::default();
            let names = Names::default();
            let starts: Vec<u32> =
                kept.iter().map(|(number, value)| values.add(*number, value.as_bytes()).unwrap()).collect();
            let from = from % kept.len();
            let asked = values.asked(starts[from], u16::try_from(kept.len() - from).unwrap(), &names);
            let back: Vec<_> = asked.map(|one| (one.number, one.value.to_vec())).collect();
            let expected: Vec<_> = kept[from..].iter().map(|(number, value)| (*number, value.clone().into_bytes())).collect();
            prop_assert_eq!(back, expected);
        }
    }
}
