//! Shares of 1 to whole units, exactly.
//!
//! Minimises the sum of `(x[i] - t[i])^2` with `t[i] = shares[i] * units`, over whole numbers with
//! `lower[i] <= x[i] <= upper[i]` that sum to `units`. Raising `x` to `x + 1` changes the sum by
//! `2 (x - t) + 1`, which grows with `x`, so taking the cheapest raises first is optimal. A raise
//! costs `(x - floor t) - fraction t`: a whole number and a fraction below 1. The whole numbers
//! order the raises into levels, the fractions order one level, so no comparison is ever rounded.

use std::fmt;

/// The largest total that may be handed out.
pub const MAX_UNITS: u32 = 1_000_000;
/// The largest share (in absolute value): far beyond any real one, and still exact in an `f64`.
const MAX_SHARE: f64 = 1e9;

/// Why an allocation does not exist.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AllocateError {
    /// The three lists are not equally long.
    Lengths {
        /// Number of shares.
        shares: usize,
        /// Number of lower bounds.
        lower: usize,
        /// Number of upper bounds.
        upper: usize,
    },
    /// More units than [`MAX_UNITS`].
    Units(u32),
    /// A share is not finite, or absurdly large.
    Share(usize, f64),
    /// A target's lower bound is above its upper bound.
    Bounds {
        /// Which target.
        index: usize,
        /// Its lower bound.
        lower: u32,
        /// Its upper bound.
        upper: u32,
    },
    /// The lower bounds alone sum to more than the units.
    Floors {
        /// Sum of the lower bounds.
        sum: u64,
        /// Units to hand out.
        units: u32,
    },
    /// The upper bounds together sum to less than the units.
    Ceilings {
        /// Sum of the upper bounds.
        sum: u64,
        /// Units to hand out.
        units: u32,
    },
}

impl fmt::Display for AllocateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Lengths { shares, lower, upper } => {
                write!(
                    f,
                    "{shares} shares, {lower} lower bounds and {upper} upper bounds: give one of each per target"
                )
            }
            Self::Units(units) => write!(f, "units: {units} is more than {MAX_UNITS}"),
            Self::Share(index, share) => write!(f, "shares[{index}] is {share}, not a share of 1"),
            Self::Bounds { index, lower, upper } => {
                write!(f, "lower[{index}] is {lower}, above upper[{index}], which is {upper}")
            }
            Self::Floors { sum, units } => {
                write!(f, "the lower bounds sum to {sum}, above the {units} units")
            }
            Self::Ceilings { sum, units } => {
                write!(f, "the upper bounds sum to {sum}, below the {units} units")
            }
        }
    }
}

impl std::error::Error for AllocateError {}

/// One target while it is being solved.
struct Item {
    lower: i64,
    upper: i64,
    /// Whole part of the wished units.
    whole: i64,
    /// The rest, in `0.0..1.0`.
    fraction: f64,
}

impl Item {
    /// How many raises cost less than level `level`: those from `lower` up to `whole + level`.
    fn raises_below(&self, level: i64) -> i64 {
        (self.whole + level).clamp(self.lower, self.upper) - self.lower
    }

    fn has_raise_at(&self, level: i64) -> bool {
        (self.lower..self.upper).contains(&(self.whole + level))
    }
}

/// The whole units nearest to `shares * units` within the bounds, summing to `units`; of equally
/// near ones the earlier target gets the unit.
///
/// # Errors
/// When a share is not finite, or the bounds leave no solution.
pub fn allocate(shares: &[f64], units: u32, lower: &[u32], upper: &[u32]) -> Result<Vec<u32>, AllocateError> {
    let items = checked(shares, units, lower, upper)?;
    let spare = i64::from(units) - items.iter().map(|item| item.lower).sum::<i64>();
    let level = last_full_level(&items, spare);

    let mut units_of: Vec<i64> = items.iter().map(|item| item.lower + item.raises_below(level)).collect();
    let given: i64 = items.iter().map(|item| item.raises_below(level)).sum();

    // What is left goes to the level itself: larger fraction first, then the earlier target.
    let mut next: Vec<(usize, f64)> = items
        .iter()
        .enumerate()
        .filter(|(_, item)| item.has_raise_at(level))
        .map(|(index, item)| (index, item.fraction))
        .collect();
    next.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    for (index, _) in next.into_iter().take(usize::try_from(spare - given).unwrap_or(0)) {
        if let Some(units) = units_of.get_mut(index) {
            *units += 1;
        }
    }
    Ok(units_of.into_iter().map(|units| u32::try_from(units).unwrap_or(0)).collect())
}

/// The highest level below which no more than `spare` raises lie.
fn last_full_level(items: &[Item], spare: i64) -> i64 {
    let taken = |level| items.iter().map(|item: &Item| item.raises_below(level)).sum::<i64>();
    let mut fits = items.iter().map(|item| item.lower - item.whole).min().unwrap_or(0);
    let mut beyond = items.iter().map(|item| item.upper - item.whole).max().unwrap_or(0) + 1;
    while beyond - fits > 1 {
        let middle = fits + (beyond - fits) / 2;
        if taken(middle) <= spare { fits = middle } else { beyond = middle }
    }
    fits
}

fn checked(shares: &[f64], units: u32, lower: &[u32], upper: &[u32]) -> Result<Vec<Item>, AllocateError> {
    if shares.len() != lower.len() || shares.len() != upper.len() {
        return Err(AllocateError::Lengths { shares: shares.len(), lower: lower.len(), upper: upper.len() });
    }
    if units > MAX_UNITS {
        return Err(AllocateError::Units(units));
    }
    let mut items = Vec::with_capacity(shares.len());
    for (index, ((share, lower), upper)) in shares.iter().zip(lower).zip(upper).enumerate() {
        if !share.is_finite() || share.abs() > MAX_SHARE {
            return Err(AllocateError::Share(index, *share));
        }
        if lower > upper {
            return Err(AllocateError::Bounds { index, lower: *lower, upper: *upper });
        }
        let wish = share * f64::from(units);
        let whole = wish.floor();
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 1e15")]
        items.push(Item {
            lower: i64::from(*lower),
            upper: i64::from(*upper),
            whole: whole as i64,
            fraction: wish - whole,
        });
    }
    let sum = |bounds: &[u32]| bounds.iter().map(|bound| u64::from(*bound)).sum::<u64>();
    if sum(lower) > u64::from(units) {
        return Err(AllocateError::Floors { sum: sum(lower), units });
    }
    if sum(upper) < u64::from(units) {
        return Err(AllocateError::Ceilings { sum: sum(upper), units });
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn free(shares: &[f64], units: u32) -> Vec<u32> {
        allocate(shares, units, &vec![0; shares.len()], &vec![units; shares.len()]).unwrap()
    }

    #[test]
    fn the_units_are_kept() {
        assert_eq!(free(&[0.5, 0.3, 0.2], 100), [50, 30, 20]);
        assert_eq!(free(&[0.1, 0.1, 0.1], 100), [34, 33, 33]);
    }

    #[test]
    fn a_tie_goes_to_the_earlier_target() {
        assert_eq!(free(&[0.5, 0.5], 101), [51, 50]);
        assert_eq!(free(&[1.0 / 3.0; 3], 100), [34, 33, 33]);
    }

    #[test]
    fn bounds_hold_and_the_rest_is_spread_evenly() {
        assert_eq!(allocate(&[0.9, 0.1, 0.0], 100, &[0, 0, 5], &[60, 100, 100]).unwrap(), [60, 25, 15]);
    }

    #[test]
    fn one_target_gets_everything() {
        assert_eq!(free(&[0.0], 1_000_000), [1_000_000]);
    }

    #[test]
    fn errors_name_what_is_infeasible() {
        let text = |result: Result<Vec<u32>, AllocateError>| result.unwrap_err().to_string();
        assert_eq!(
            text(allocate(&[0.5, f64::NAN], 9, &[0, 0], &[9, 9])),
            "shares[1] is NaN, not a share of 1"
        );
        assert_eq!(text(allocate(&[1.0], 9, &[8], &[7])), "lower[0] is 8, above upper[0], which is 7");
        assert_eq!(text(allocate(&[1.0], 9, &[0], &[7])), "the upper bounds sum to 7, below the 9 units");
        assert_eq!(
            text(allocate(&[0.5; 2], 9, &[5; 2], &[9; 2])),
            "the lower bounds sum to 10, above the 9 units"
        );
        assert_eq!(text(allocate(&[], 9, &[], &[])), "the upper bounds sum to 0, below the 9 units");
        assert_eq!(text(allocate(&[1.0], 2_000_000, &[0], &[1])), "units: 2000000 is more than 1000000");
        assert!(text(allocate(&[1.0], 9, &[], &[1])).starts_with("1 shares, 0 lower bounds and 1 upper"));
    }

    /// Every way to hand out `units` within the bounds, in the order that prefers early targets.
    fn all(units: u32, lower: &[u32], upper: &[u32]) -> Vec<Vec<u32>> {
        let Some((low, rest_low)) = lower.split_first() else {
            return if units == 0 { vec![vec![]] } else { vec![] };
        };
        (*low..=upper[0].min(units))
            .rev()
            .flat_map(|x| {
                all(units - x, rest_low, &upper[1..]).into_iter().map(move |mut rest| {
                    rest.insert(0, x);
                    rest
                })
            })
            .collect()
    }

    proptest! {
        /// Shares in 256ths and units that are a power of two make the wished units, and so the
        /// cost of each way, exact.
        #[test]
        fn no_other_way_is_nearer(
            parts in prop::collection::vec((-64_i32..400, 0_u32..6, 0_u32..10), 1..5), power in 0_u32..5,
        ) {
            let units = 1 << power;
            let shares: Vec<f64> = parts.iter().map(|(share, _, _)| f64::from(*share) / 256.0).collect();
            let lower: Vec<u32> = parts.iter().map(|(_, low, _)| *low).collect();
            let upper: Vec<u32> = parts.iter().map(|(_, low, more)| low + more).collect();
            let cost = |x: &Vec<u32>| -> i64 {
                x.iter().zip(&parts).map(|(x, (share, _, _))| {
                    let off = i64::from(*x) * 256 - i64::from(*share) * i64::from(units);
                    off * off
                }).sum()
            };
            let ways = all(units, &lower, &upper);
            match allocate(&shares, units, &lower, &upper) {
                Err(_) => prop_assert!(ways.is_empty()),
                Ok(found) => {
                    let best = ways.iter().map(cost).min().unwrap();
                    let first = ways.into_iter().find(|way| cost(way) == best).unwrap();
                    prop_assert_eq!(found, first);
                }
            }
        }

        #[test]
        fn large_ones_keep_the_sum_and_the_bounds(
            parts in prop::collection::vec((0.0_f64..1.0, 0_u32..5000, 0_u32..1_000_000), 2..100),
        ) {
            let shares: Vec<f64> = parts.iter().map(|(share, _, _)| *share).collect();
            let lower: Vec<u32> = parts.iter().map(|(_, low, _)| *low).collect();
            let upper: Vec<u32> = parts.iter().map(|(_, low, more)| low + more).collect();
            if let Ok(found) = allocate(&shares, 1_000_000, &lower, &upper) {
                prop_assert_eq!(found.iter().sum::<u32>(), 1_000_000);
                for ((x, low), high) in found.iter().zip(&lower).zip(&upper) {
                    prop_assert!(low <= x && x <= high);
                }
            }
        }
    }
}
