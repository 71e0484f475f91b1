//! Ranges of whole numbers: which of them hold a number, best rank first.
//!
//! A segment tree: each range stands in a few nodes, and the nodes over a number are those from its
//! leaf up to the root.

use super::bytes::NONE;

/// The points where ranges start and end, and for each node of the tree over them the ranges, by
/// their place in the list, that stand in it.
pub(super) fn spread(ranges: &[(i64, i64)]) -> (Vec<i64>, Vec<Vec<usize>>) {
    let mut points: Vec<i64> = ranges.iter().flat_map(|(start, end)| [*start, *end]).collect();
    points.sort_unstable();
    points.dedup();
    let leaves = points.len().next_power_of_two();
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); leaves * 2];
    let place = |point: &i64| points.partition_point(|other| other < point) + leaves;
    for (number, (start, end)) in ranges.iter().enumerate() {
        let (mut low, mut high) = (place(start), place(end));
        while low < high {
            if low & 1 == 1 {
                if let Some(list) = members.get_mut(low) {
                    list.push(number);
                }
                low += 1;
            }
            if high & 1 == 1 {
                high -= 1;
                if let Some(list) = members.get_mut(high) {
                    list.push(number);
                }
            }
            (low, high) = (low / 2, high / 2);
        }
    }
    (points, members)
}

/// Every range tree of a table shares these arrays.
#[derive(Debug, Default)]
pub(super) struct RangeTrees {
    trees: Vec<Tree>,
    points: Vec<i64>,
    /// Bucket of each node; the leaves are the last half.
    nodes: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Tree {
    points: u32,
    point_count: u32,
    nodes: u32,
    leaves: u32,
}

impl RangeTrees {
    /// Adds a tree over these points, with the buckets of its nodes.
    pub(super) fn add(&mut self, points: Vec<i64>, nodes: Vec<u32>) -> Option<u32> {
        let tree = Tree {
            points: u32::try_from(self.points.len()).ok()?,
            point_count: u32::try_from(points.len()).ok()?,
            nodes: u32::try_from(self.nodes.len()).ok()?,
            leaves: u32::try_from(nodes.len() / 2).ok()?,
        };
        self.points.extend(points);
        self.nodes.extend(nodes);
        self.trees.push(tree);
        u32::try_from(self.trees.len() - 1).ok()
    }

    /// The buckets of the ranges that hold `number`.
    pub(super) fn over(&self, tree: u32, number: i64) -> impl Iterator<Item = u32> {
        let tree = self.trees.get(tree as usize).copied();
        let leaf = tree.and_then(|tree| {
            let first = tree.points as usize;
            let points = self.points.get(first..first + tree.point_count as usize)?;
            let before = points.partition_point(|point| *point <= number).checked_sub(1)?;
            Some((tree, before + tree.leaves as usize))
        });
        let (tree, mut node) = leaf.map_or((None, 0), |(tree, node)| (Some(tree), node));
        std::iter::from_fn(move || {
            let first = tree?.nodes as usize;
            while node > 0 {
                let bucket = self.nodes.get(first + node).copied().filter(|bucket| *bucket != NONE);
                node /= 2;
                if bucket.is_some() {
                    return bucket;
                }
            }
            None
        })
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.points.as_slice()) + size_of_val(self.nodes.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn exactly_the_ranges_that_hold_a_number_are_found(
            ranges in prop::collection::vec((-9_i64..9, 0_i64..9), 1..20), numbers in prop::collection::vec(-12_i64..20, 1..20),
        ) {
            let ranges: Vec<_> = ranges.into_iter().map(|(start, length)| (start, start + length)).collect();
            let mut trees = RangeTrees::default();
            let (points, lists) = spread(&ranges);
            let tree = trees.add(points, (0..lists.len()).map(|list| u32::try_from(list).unwrap()).collect()).unwrap();
            for number in numbers {
                let mut found: Vec<usize> = trees.over(tree, number).flat_map(|list| lists[list as usize].clone()).collect();
                found.sort_unstable();
                let expected: Vec<usize> =
                    (0..ranges.len()).filter(|r| ranges[*r].0 <= number && number < ranges[*r].1).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
