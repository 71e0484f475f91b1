//! Building tries. What can never win, since something better matches wherever it would, is left out.

use super::bucket::Item;
use super::build::Builder;
use super::bytes::{NONE, common, word};
use super::compiled::{END, NOTHING, Place};
use super::limits::{MAX_WAYS, TooLarge, number};
use super::trie::{Extra, MAX_EDGE, Node, RunEdge, Stop};
use memchr::memchr;
use std::borrow::Cow;

/// In a key, this and the number of a class stand for a run. Keys with this byte in a text are kept
/// out of tries.
pub(super) const ESCAPE: u8 = 0;

/// What leads to an item, and what must be at the end of it.
pub(super) struct Key<'r> {
    pub text: Cow<'r, [u8]>,
    pub check: u32,
    pub item: Item,
}

impl<'r> Key<'r> {
    pub(super) fn new(text: Cow<'r, [u8]>, check: u32, item: Item) -> Self {
        Self { text, check, item }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }
}

/// A node that is to be filled from a range of the sorted keys, which are alike up to `depth`.
struct Work {
    node: u32,
    low: usize,
    high: usize,
    depth: usize,
    /// The best rank that matches wherever this node is reached.
    bound: u32,
}

/// What was found along an edge.
#[derive(Default)]
struct Edge {
    stops: Vec<Stop>,
    /// What asks more than to be reached, with the place where.
    items: Vec<Item>,
}

/// What asks nothing more than to get to a place, and nothing more than to end there.
#[derive(Default)]
struct Ends {
    best: Option<Item>,
    best_end: Option<Item>,
}

/// How far the keys that are left go on alike.
fn same_from(keys: &[Key<'_>], work: &Work, end: usize) -> usize {
    let left = keys.get(work.low..work.high).unwrap_or_default();
    let (Some(first), Some(last)) = (left.first(), left.last()) else { return end };
    let (first, last) = (first.text.get(end..).unwrap_or_default(), last.text.get(end..).unwrap_or_default());
    // They are sorted: what the first and the last share, all of them share, or they end in it.
    let same = common(first, last);
    end + memchr(ESCAPE, first.get(..same).unwrap_or_default()).unwrap_or(same)
}

impl Builder<'_> {
    /// The root of a trie over these keys, `NONE` when there are none.
    pub(super) fn trie(&mut self, mut keys: Vec<Key<'_>>) -> Result<u32, TooLarge> {
        if keys.is_empty() {
            return Ok(NONE);
        }
        keys.sort_by(|a, b| a.text.cmp(&b.text).then(a.item.rank.cmp(&b.item.rank)));
        let root = self.new_nodes(&[ESCAPE])?;
        let mut work = vec![Work { node: root, low: 0, high: keys.len(), depth: 0, bound: NONE }];
        while let Some(next) = work.pop() {
            self.fill(&keys, next, &mut work)?;
        }
        self.raise_ranks(root);
        if let Some(key) = keys.iter().find(|key| key.text.contains(&ESCAPE))
            && self.ways(root) > MAX_WAYS
        {
            return Err(TooLarge::Crossing(self.rule_name(key.item.rank)));
        }
        Ok(root)
    }

    /// As many nodes as labels, side by side.
    fn new_nodes(&mut self, labels: &[u8]) -> Result<u32, TooLarge> {
        let first = number(self.out.tries.nodes.len())?;
        for label in labels {
            self.out.tries.labels.push(*label);
            self.out.tries.nodes.push(Node::new());
        }
        Ok(first)
    }

    fn fill(&mut self, keys: &[Key<'_>], mut work: Work, more: &mut Vec<Work>) -> Result<(), TooLarge> {
        let mut edge = Edge::default();
        let mut end = work.depth;
        let ends = loop {
            let ends = self.take_ends(keys, &mut work, end, &mut edge)?;
            let next = same_from(keys, &work, end);
            if next == end {
                break ends;
            }
            // The edge goes on: what ends here is a stop along it.
            let along = number(end - work.depth)?;
            if let Some(best) = ends.best {
                edge.stops.push(Stop { at: along, best: best.rank });
            }
            edge.items.extend(ends.best_end.map(|item| item.at(Place { along, check: END })));
            end = next;
        };
        if end - work.depth > MAX_EDGE {
            return Err(TooLarge::Places);
        }
        self.write_edge(keys, &work, end, edge, &ends)?;
        self.branch_out(keys, &work, end, more)
    }

    /// Takes the keys that end here: they come first in the order of texts.
    fn take_ends(
        &self,
        keys: &[Key<'_>],
        work: &mut Work,
        end: usize,
        edge: &mut Edge,
    ) -> Result<Ends, TooLarge> {
        let mut ends = Ends::default();
        let along = number(end - work.depth)?;
        for key in keys.get(work.low..work.high).unwrap_or_default() {
            if key.text.len() != end {
                break;
            }
            work.low += 1;
            let item = key.item;
            if item.rank >= work.bound {
                continue;
            }
            let free = item.path == Place::ANY && self.needs.is_free(item.rank, item.skip);
            match key.check {
                NOTHING if free => {
                    ends.best = Some(item);
                    work.bound = item.rank;
                }
                // Keys of one text come in the order of their ranks.
                END if free => ends.best_end = ends.best_end.or(Some(item)),
                check => edge.items.push(item.at(Place { along, check })),
            }
        }
        Ok(ends)
    }

    fn write_edge(
        &mut self,
        keys: &[Key<'_>],
        work: &Work,
        end: usize,
        edge: Edge,
        ends: &Ends,
    ) -> Result<(), TooLarge> {
        let bucket = self.bucket(edge.items)?;
        let best_end = ends.best_end.map_or(NONE, |item| item.rank);
        let tries = &mut self.out.tries;
        let text = number(tries.texts.len())?;
        // Any key of the range has the text; the last one that was, if none is left.
        let sample = keys.get(work.low.min(work.high.wrapping_sub(1))).map(|key| &key.text);
        let sample = sample.and_then(|text| text.get(work.depth..end)).unwrap_or_default();
        // Short ones are in their nodes.
        if sample.len() > 8 {
            tries.texts.extend_from_slice(sample);
        }
        let mut extra = NONE;
        if best_end != NONE || bucket != NONE || !edge.stops.is_empty() {
            let (stops, stop_count) = (number(tries.stops.len())?, number(edge.stops.len())?);
            tries.stops.extend(edge.stops);
            extra = number(tries.extras.len())?;
            tries.extras.push(Extra { best_end, bucket, stops, stop_count, runs: 0, run_count: 0 });
        }
        if let Some(node) = tries.nodes.get_mut(work.node as usize) {
            (node.text, node.head, node.extra) = (text, word(sample), extra);
            node.sizes = number(sample.len())? << 8;
            node.best = ends.best.map_or(NONE, |item| item.rank);
        }
        Ok(())
    }

    /// Makes the nodes below: one for each byte and for each run that the keys go on with.
    fn branch_out(
        &mut self,
        keys: &[Key<'_>],
        work: &Work,
        end: usize,
        more: &mut Vec<Work>,
    ) -> Result<(), TooLarge> {
        let left = keys.get(work.low..work.high).unwrap_or_default();
        let symbol = |key: &Key<'_>| match key.byte(end) {
            Some(ESCAPE) => (ESCAPE, key.byte(end + 1)),
            byte => (byte.unwrap_or_default(), None),
        };
        let groups: Vec<_> = left.chunk_by(|a, b| symbol(a) == symbol(b)).collect();
        let labels: Vec<u8> =
            groups.iter().filter_map(|group| group.first()).map(|key| symbol(key).0).collect();
        let first = self.new_nodes(&labels)?;
        let runs = number(self.out.tries.runs.len())?;
        let mut low = work.low;
        let mut run_count = 0_u32;
        for (child, group) in (first..).zip(groups) {
            let high = low + group.len();
            let class = group.first().and_then(|key| symbol(key).1);
            let depth = if class.is_some() { end + 2 } else { end };
            if let Some(class) = class {
                self.out.tries.runs.push(RunEdge { class: u32::from(class), child });
                run_count += 1;
            }
            more.push(Work { node: child, low, high, depth, bound: work.bound });
            low = high;
        }
        // Runs sort first, so the nodes after them are those of bytes.
        let labels = labels.get(run_count as usize..).unwrap_or_default();
        let tries = &mut self.out.tries;
        let Some(node) = tries.nodes.get_mut(work.node as usize) else { return Ok(()) };
        node.children = first + run_count;
        node.sizes |= number(labels.len())?;
        node.labels = word(labels);
        if run_count > 0 {
            if node.extra == NONE {
                node.extra = number(tries.extras.len())?;
                tries.extras.push(Extra {
                    best_end: NONE,
                    bucket: NONE,
                    stops: 0,
                    stop_count: 0,
                    runs,
                    run_count,
                });
            } else if let Some(extra) = tries.extras.get_mut(node.extra as usize) {
                (extra.runs, extra.run_count) = (runs, run_count);
            }
        }
        Ok(())
    }

    /// How many nodes one text may lead to, at most: a byte and any of the runs may go on with it.
    fn ways(&self, root: u32) -> u32 {
        let tries = &self.out.tries;
        let nodes = tries.nodes.get(root as usize..).unwrap_or_default();
        let mut ways = vec![1_u32; nodes.len()];
        for (at, node) in nodes.iter().enumerate().rev() {
            let of = |child: u32| {
                child.checked_sub(root).and_then(|child| ways.get(child as usize)).copied().unwrap_or(0)
            };
            let extra = tries.extras.get(node.extra as usize);
            let runs = extra.and_then(|extra| {
                tries.runs.get(extra.runs as usize..(extra.runs + extra.run_count) as usize)
            });
            let runs = runs.unwrap_or_default();
            let of_runs = |byte: Option<u8>| {
                let taken = runs.iter().filter(|edge| {
                    let run = tries.classes.get(edge.class as usize);
                    byte.is_none_or(|byte| run.is_some_and(|run| run.may_start(byte)))
                });
                taken.fold(0_u32, |sum, edge| sum.saturating_add(of(edge.child)))
            };
            let children = (node.children..).take(node.child_count());
            let of_children = children.filter_map(|child| {
                let label = tries.labels.get(child as usize)?;
                Some(of(child).saturating_add(of_runs(Some(*label))))
            });
            let most = of_children.max().unwrap_or(0).max(of_runs(None)).saturating_add(1);
            if let Some(known) = ways.get_mut(at) {
                *known = most;
            }
        }
        ways.first().copied().unwrap_or(0)
    }

    /// Tells every node the best rank in and below it. Nodes come after those they hang on.
    fn raise_ranks(&mut self, root: u32) {
        for at in (root as usize..self.out.tries.nodes.len()).rev() {
            let tries = &self.out.tries;
            let Some(node) = tries.nodes.get(at) else { continue };
            let children = node.children as usize;
            let below = tries.nodes.get(children..children + node.child_count()).unwrap_or_default();
            let mut best = below.iter().map(|child| child.min_rank).min().unwrap_or(NONE).min(node.best);
            if let Some(extra) = tries.extras.get(node.extra as usize) {
                let (runs, stops) = (extra.runs as usize, extra.stops as usize);
                let beyond = tries.runs.get(runs..runs + extra.run_count as usize).unwrap_or_default();
                let beyond = beyond.iter().filter_map(|run| tries.nodes.get(run.child as usize));
                let along = tries.stops.get(stops..stops + extra.stop_count as usize).unwrap_or_default();
                let bucket = self.out.buckets.get(extra.bucket as usize).map(|bucket| bucket.min_rank);
                let ranks = beyond.map(|child| child.min_rank).chain(along.iter().map(|stop| stop.best));
                best = ranks.chain(bucket).chain([best, extra.best_end]).min().unwrap_or(best);
            }
            if let Some(node) = self.out.tries.nodes.get_mut(at) {
                node.min_rank = best;
            }
        }
    }
}
