//! A radix trie over texts and runs, flat and linked by index.
//!
//! A node is an edge of text that was shared by everything below it, with stops along it: places
//! where something ends. Every node knows the best rank in and below it, so that a search which
//! has found a better one already does not enter.

use super::bytes::{NONE, ONES, common, first_zero, lower, position, word_at};
use crate::route::re2::RunTest;

/// One edge, and what is at its end. What most nodes do not have is kept elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    /// The best rank here and below.
    pub min_rank: u32,
    /// The rank of what needs nothing but to get here.
    pub best: u32,
    /// The first of the nodes that go on with a byte.
    pub children: u32,
    /// What else there is, `NONE` when there is nothing.
    pub extra: u32,
    /// Where the edge is among the texts.
    pub text: u32,
    /// The length of the edge, and in the last byte how many children there are.
    pub sizes: u32,
    /// The first eight bytes of the edge.
    pub head: u64,
    /// The first bytes of the first eight children.
    pub labels: u64,
}

/// What only some nodes have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extra {
    /// The rank of what needs nothing but to end here.
    pub best_end: u32,
    /// What needs more, here or along the edge.
    pub bucket: u32,
    /// The first of the stops along the edge.
    pub stops: u32,
    pub stop_count: u32,
    /// The first of the runs that start at the end of the edge.
    pub runs: u32,
    pub run_count: u32,
}

/// The longest edge.
pub(super) const MAX_EDGE: usize = 0x00FF_FFFF;

impl Node {
    pub(super) fn new() -> Self {
        Self { min_rank: NONE, best: NONE, children: 0, extra: NONE, text: 0, sizes: 0, head: 0, labels: 0 }
    }

    pub(super) fn edge_len(&self) -> usize {
        (self.sizes >> 8) as usize
    }

    pub(super) fn child_count(&self) -> usize {
        (self.sizes & 0xFF) as usize
    }
}

/// A place along an edge, and the best rank of what needs nothing but to get there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    pub at: u32,
    pub best: u32,
}

/// A run, and the node after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunEdge {
    pub class: u32,
    pub child: u32,
}

/// Every trie of a table: each is known by its root.
#[derive(Debug, Default)]
pub(super) struct Tries {
    pub nodes: Vec<Node>,
    pub extras: Vec<Extra>,
    /// The first byte of each node's edge, by the number of the node.
    pub labels: Vec<u8>,
    pub texts: Vec<u8>,
    pub stops: Vec<Stop>,
    pub runs: Vec<RunEdge>,
    pub classes: Vec<RunTest>,
}

/// A text as it is walked: from the front or from the back, as it is or in small letters.
pub(super) trait Walked {
    fn len(&self) -> usize;
    fn byte(&self, at: usize) -> Option<u8>;
    /// The next eight bytes, zeros where there are none.
    fn word(&self, at: usize) -> u64;
    /// How many bytes of `edge` the text goes on with at `at`.
    fn common(&self, at: usize, edge: &[u8]) -> usize;
    /// Where the run that starts at `at` ends, if it is one.
    fn run_end(&self, at: usize, run: &RunTest) -> Option<usize>;
}

pub(super) struct Forward<'a>(pub &'a [u8]);
pub(super) struct Folded<'a>(pub &'a [u8]);
pub(super) struct Backward<'a>(pub &'a [u8]);
pub(super) struct FoldedBackward<'a>(pub &'a [u8]);

impl Walked for Forward<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn byte(&self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }
    fn word(&self, at: usize) -> u64 {
        word_at(self.0, at)
    }
    fn common(&self, at: usize, edge: &[u8]) -> usize {
        common(self.0.get(at..).unwrap_or_default(), edge)
    }
    fn run_end(&self, at: usize, run: &RunTest) -> Option<usize> {
        Some(at + run.forward(self.0.get(at..)?)?)
    }
}

impl Walked for Folded<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn byte(&self, at: usize) -> Option<u8> {
        self.0.get(at).map(u8::to_ascii_lowercase)
    }
    fn word(&self, at: usize) -> u64 {
        lower(word_at(self.0, at))
    }
    fn common(&self, at: usize, edge: &[u8]) -> usize {
        let rest = self.0.get(at..).unwrap_or_default();
        rest.iter().zip(edge).take_while(|(a, b)| a.to_ascii_lowercase() == **b).count()
    }
    fn run_end(&self, at: usize, run: &RunTest) -> Option<usize> {
        // Only classes that have their letters in both cases come here.
        Some(at + run.forward(self.0.get(at..)?)?)
    }
}

impl Walked for Backward<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn byte(&self, at: usize) -> Option<u8> {
        self.0.len().checked_sub(at + 1).and_then(|at| self.0.get(at)).copied()
    }
    fn word(&self, at: usize) -> u64 {
        let rest = self.0.len().checked_sub(at).and_then(|end| self.0.get(..end)).unwrap_or_default();
        match rest.last_chunk::<8>() {
            Some(word) => u64::from_be_bytes(*word),
            None => rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        }
    }
    fn common(&self, at: usize, edge: &[u8]) -> usize {
        let rest = self.0.len().checked_sub(at).and_then(|end| self.0.get(..end)).unwrap_or_default();
        rest.iter().rev().zip(edge).take_while(|(a, b)| a == b).count()
    }
    fn run_end(&self, at: usize, run: &RunTest) -> Option<usize> {
        Some(at + run.backward(self.0.get(..self.0.len().checked_sub(at)?)?)?)
    }
}

impl Walked for FoldedBackward<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn byte(&self, at: usize) -> Option<u8> {
        Backward(self.0).byte(at).map(|byte| byte.to_ascii_lowercase())
    }
    fn word(&self, at: usize) -> u64 {
        lower(Backward(self.0).word(at))
    }
    fn common(&self, at: usize, edge: &[u8]) -> usize {
        let rest = self.0.len().checked_sub(at).and_then(|end| self.0.get(..end)).unwrap_or_default();
        rest.iter().rev().zip(edge).take_while(|(a, b)| a.to_ascii_lowercase() == **b).count()
    }
    fn run_end(&self, at: usize, run: &RunTest) -> Option<usize> {
        // Only classes that have their letters in both cases come here.
        Backward(self.0).run_end(at, run)
    }
}

/// How many bytes two words have in common from the lowest on.
fn same_bytes(a: u64, b: u64) -> usize {
    ((a ^ b).trailing_zeros() / 8) as usize
}

/// Who is told what a walk meets.
pub(super) trait Visitor {
    /// The best rank that is known so far; nothing that is not better is of interest.
    fn best(&self) -> u32;
    /// Something that matches.
    fn offer(&mut self, rank: u32);
    /// What needs more. The edge was entered at `start`, `along` bytes of it were walked.
    fn bucket(&mut self, bucket: u32, start: usize, along: usize);
}

/// Ways that wait to be walked: where a byte and a run both go on.
const WAITING: usize = 8;

impl Tries {
    /// Tells `visitor` of everything that starts `text` below `root`.
    #[inline]
    pub(super) fn walk(&self, root: u32, text: &impl Walked, visitor: &mut impl Visitor) {
        let Some(node) = self.nodes.get(root as usize).filter(|node| node.min_rank < visitor.best()) else {
            return;
        };
        // Often a root is all that there is to enter: a rule for everything that begins with `/`.
        if node.extra == NONE && node.best == node.min_rank {
            self.enter(node, 0, text, visitor);
        } else {
            self.walk_from(root, 0, text, visitor);
        }
    }

    /// Recursion goes through runs only, of which a row has few.
    fn walk_from(&self, root: u32, start: usize, text: &impl Walked, visitor: &mut impl Visitor) {
        let mut waiting = [(NONE, 0_u32); WAITING];
        let mut count = 0;
        let (mut at, mut from) = (root, start);
        loop {
            while let Some(node) = self.nodes.get(at as usize).filter(|node| node.min_rank < visitor.best()) {
                let Some(end) = self.enter(node, from, text, visitor) else { break };
                if visitor.best() <= node.min_rank {
                    break;
                }
                let child = self.child(node, text.byte(end));
                for edge in self.runs(node) {
                    let run = self.classes.get(edge.class as usize);
                    let Some(run_end) = run.and_then(|run| text.run_end(end, run)) else { continue };
                    match (waiting.get_mut(count), u32::try_from(run_end)) {
                        (Some(slot), Ok(run_end)) => {
                            *slot = (edge.child, run_end);
                            count += 1;
                        }
                        _ => self.walk_from(edge.child, run_end, text, visitor),
                    }
                }
                (at, from) = (child, end);
            }
            count = match count.checked_sub(1) {
                Some(count) => count,
                None => return,
            };
            let next = waiting.get(count).copied().unwrap_or((NONE, 0));
            (at, from) = (next.0, next.1 as usize);
        }
    }

    /// Walks an edge and tells what is there. `None` when the text leaves it before its end.
    fn enter(
        &self,
        node: &Node,
        start: usize,
        text: &impl Walked,
        visitor: &mut impl Visitor,
    ) -> Option<usize> {
        let length = node.edge_len();
        // What is beyond the edge in its head is zero, and no byte of an edge is.
        let mut along = same_bytes(text.word(start), node.head).min(length);
        if along == 8 && length > 8 {
            let edge =
                self.texts.get(node.text as usize + 8..node.text as usize + length).unwrap_or_default();
            along += text.common(start + 8, edge);
        }
        let whole = along == length;
        if whole && node.best < visitor.best() {
            visitor.offer(node.best);
        }
        if node.extra != NONE {
            self.extra(node, start, along, text.len(), visitor);
        }
        whole.then_some(start + along)
    }

    fn extra(&self, node: &Node, start: usize, along: usize, length: usize, visitor: &mut impl Visitor) {
        let Some(extra) = self.extras.get(node.extra as usize) else { return };
        if extra.stop_count > 0 {
            self.stop_along(extra, along, visitor);
        }
        if extra.best_end < visitor.best() && along == node.edge_len() && start + along == length {
            visitor.offer(extra.best_end);
        }
        if extra.bucket != NONE {
            visitor.bucket(extra.bucket, start, along);
        }
    }

    fn stop_along(&self, extra: &Extra, along: usize, visitor: &mut impl Visitor) {
        let first = extra.stops as usize;
        let stops = self.stops.get(first..first + extra.stop_count as usize).unwrap_or_default();
        let passed = stops.partition_point(|stop| stop.at as usize <= along);
        if let Some(stop) = passed.checked_sub(1).and_then(|last| stops.get(last))
            && stop.best < visitor.best()
        {
            visitor.offer(stop.best);
        }
    }

    fn runs(&self, node: &Node) -> &[RunEdge] {
        if node.extra == NONE {
            return &[];
        }
        let extra = self.extras.get(node.extra as usize);
        let runs = extra.and_then(|e| self.runs.get(e.runs as usize..(e.runs + e.run_count) as usize));
        runs.unwrap_or_default()
    }

    fn child(&self, node: &Node, byte: Option<u8>) -> u32 {
        let count = node.child_count();
        let Some(byte) = byte else { return NONE };
        let place = if count <= 8 {
            Some(first_zero(node.labels ^ (u64::from(byte) * ONES))).filter(|place| *place < count)
        } else {
            let first = node.children as usize;
            position(self.labels.get(first..first + count).unwrap_or_default(), byte)
        };
        match place.map(u32::try_from) {
            Some(Ok(place)) => node.children + place,
            _ => NONE,
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.nodes.as_slice())
            + size_of_val(self.extras.as_slice())
            + self.labels.len()
            + self.texts.len()
            + size_of_val(self.stops.as_slice())
            + size_of_val(self.runs.as_slice())
            + size_of_val(self.classes.as_slice())
    }
}
