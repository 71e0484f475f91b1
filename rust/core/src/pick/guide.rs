//! Where to begin to look among many targets.

/// How many ends are compared at once, without a branch that could be mispredicted.
const WINDOW: usize = 4;

/// All numbers below the total, in parts of one size: a target for each, before which no other ends
/// in it or behind it. There are several parts for each target, so that few parts hold more than one end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guide {
    first: Box<[u32]>,
    /// Parts for each number, times 2^32.
    scale: u64,
}

impl Guide {
    /// For these ends, the last of which is the positive `total`.
    pub fn new(ends: &[u32], total: u32) -> Self {
        let parts = ((ends.len() as u64).saturating_mul(WINDOW as u64)).min(u64::from(total)).max(1);
        let scale = (parts << 32) / u64::from(total);
        let first = |part: u64| {
            // The least number in this part.
            let least = (part << 32).div_ceil(scale);
            let first = ends.partition_point(|end| u64::from(*end) <= least);
            // To have a whole window at the end of the list too: what lies before is only counted.
            u32::try_from(first.min(ends.len().saturating_sub(WINDOW))).unwrap_or(u32::MAX)
        };
        Self { first: (0..parts).map(first).collect(), scale }
    }

    /// The first target that ends behind `point`.
    pub fn find(&self, ends: &[u32], point: u32) -> usize {
        let part = usize::try_from((u64::from(point) * self.scale) >> 32).unwrap_or(0);
        let first = self.first.get(part).map_or(0, |first| *first as usize);
        match ends.get(first..first + WINDOW) {
            Some([a, b, c, d]) if *d > point => {
                first + usize::from(*a <= point) + usize::from(*b <= point) + usize::from(*c <= point)
            }
            // A part with many ends.
            _ => first + ends.get(first..).unwrap_or_default().partition_point(|end| *end <= point),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ends(weights: &[u32]) -> Vec<u32> {
        weights
            .iter()
            .scan(0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect()
    }

    #[test]
    fn a_guide_leads_to_both_ends_of_every_target() {
        let weights: Vec<u32> =
            (0..1000).map(|place| if place % 7 == 0 { 0 } else { place * place }).collect();
        let ends = ends(&weights);
        let guide = Guide::new(&ends, *ends.last().unwrap());
        for (place, (weight, end)) in weights.iter().zip(&ends).enumerate() {
            if *weight > 0 {
                assert_eq!((guide.find(&ends, end - weight), guide.find(&ends, end - 1)), (place, place));
            }
        }
    }

    proptest! {
        #[test]
        fn a_guide_leads_where_the_search_does(
            weights in prop::collection::vec(prop_oneof![0_u32..3, 0_u32..20_000_000], 1..200), part in 0.0..1.0_f64,
        ) {
            let ends = ends(&weights);
            let total = *ends.last().unwrap();
            prop_assume!(total > 0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of it")]
            let point = (f64::from(total) * part) as u32;
            let guide = Guide::new(&ends, total);
            prop_assert_eq!(guide.find(&ends, point), ends.partition_point(|end| *end <= point));
        }
    }
}
