//! Compiled rules: the arrays that a search goes through.

use super::bytes::NONE;
use super::exact::ExactMap;
use super::inside::Inside;
use super::needs::{AllNeeds, Needs, Subject};
use super::ranges::RangeTrees;
use super::segment_trees::SegmentTrees;
use super::trie::Tries;
use crate::route::{PathMatch, Pattern, TextMatch};

/// What an entry still asks of the text that it was found by. From `TEXT` on: one of `texts`.
pub(super) const NOTHING: u32 = 0;
pub(super) const END: u32 = 1;
pub(super) const SEPARATED: u32 = 2;
pub(super) const TEXT: u32 = 3;

/// Where texts of one subject are looked up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Index {
    pub min_rank: u32,
    /// Its own set of whole texts, `NONE` when it has none.
    pub exact: u32,
    /// The first step of the tree of its templates, `NONE` when it has none.
    pub segments: u32,
    /// The set of beginnings of a few lengths, and those lengths.
    pub starts: u32,
    pub lengths: u32,
    pub length_count: u32,
    /// Roots of tries: as it is, in small letters, from the back, in small letters from the back.
    pub forward: u32,
    pub folded: u32,
    pub backward: u32,
    pub folded_backward: u32,
    /// The texts that may be anywhere in one.
    pub inside: u32,
    /// What no part of a text leads to.
    pub rest: u32,
    /// Whether there is any of the `others`.
    pub has_others: bool,
}

impl Index {
    /// Whether there is anything but a tree of templates.
    pub(super) fn has_more(&self) -> bool {
        self.has_others || [self.exact, self.starts, self.forward].iter().any(|other| *other != NONE)
    }

    /// What few indexes have.
    pub(super) fn others(&self) -> [u32; 5] {
        [self.folded, self.backward, self.folded_backward, self.inside, self.rest]
    }
}

/// A length that beginnings have, and their best rank.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    pub length: u32,
    pub min_rank: u32,
}

/// Rules that ask more than what they were found by.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Bucket {
    pub min_rank: u32,
    /// The rank of what asks nothing more.
    pub best: u32,
    pub entries: u32,
    pub entry_count: u32,
    pub branches: u32,
    pub branch_count: u32,
    /// How many branches follow that are by headers, in the order of their numbers.
    pub named_count: u32,
    /// All there is, when it is few entries that ask for methods and values of headers, and of the path
    /// no more than that all of it led here; else nothing.
    pub simple: [Simple; SIMPLE],
}

/// How many such entries a bucket has, at most: it is as large as a line of memory.
pub(super) const SIMPLE: usize = 3;

/// An entry that asks for one of these methods, if any are named, and for so many values of headers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Simple {
    pub rank: u32,
    pub first_value: u32,
    pub values: u16,
    pub methods: u16,
}

impl Simple {
    pub(super) const NONE: Self = Self { rank: NONE, first_value: NONE, values: 0, methods: 0 };
}

/// One of these rules. Entries stand in the order of their ranks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub rank: u32,
    /// Its conditions, which are asked right away.
    pub needs: Needs,
    /// Which of them are known to hold.
    pub skip: u32,
    /// Of the text that led to the bucket: how much of the edge it must have walked, and what else.
    pub here: Place,
    /// The same of the path, where it was not the path that led here.
    pub path: Place,
}

/// A place along an edge, and what must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub along: u32,
    pub check: u32,
}

impl Place {
    pub(super) const ANY: Self = Self { along: 0, check: NOTHING };
}

/// Rules of a bucket by what they ask of one more subject.
#[derive(Debug, Clone, Copy)]
pub(super) struct Branch {
    pub min_rank: u32,
    pub subject: Subject,
    /// Where its values are looked up as texts, and as numbers.
    pub index: u32,
    pub ranges: u32,
}

/// A comparison that takes the whole text.
#[derive(Debug)]
pub(super) enum TextTest {
    Pattern(Pattern),
    Text(TextMatch),
    Path(PathMatch),
}

/// The arrays; first those that most requests need and no others, so that they are fetched together.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Parts {
    pub(super) segments: SegmentTrees,
    pub(super) exact: ExactMap,
    pub(super) tries: Tries,
    pub(super) ranges: RangeTrees,
    pub(super) indexes: Vec<Index>,
    pub(super) lengths: Vec<Length>,
    /// For each index that has any: its texts by what they are looked for in.
    pub(super) inside: Vec<Vec<Inside>>,
    pub(super) buckets: Vec<Bucket>,
    pub(super) entries: Vec<Entry>,
    pub(super) branches: Vec<Branch>,
    pub(super) texts: Vec<TextTest>,
}

/// Rules in their order, compiled.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Compiled {
    pub parts: Parts,
    pub needs: AllNeeds,
}

impl Parts {
    /// The memory that the arrays take, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        self.exact.size_bytes()
            + self.segments.size_bytes()
            + self.tries.size_bytes()
            + self.ranges.size_bytes()
            + size_of_val(self.indexes.as_slice())
            + size_of_val(self.inside.as_slice())
            + self.inside.iter().flatten().map(Inside::size_bytes).sum::<usize>()
            + size_of_val(self.lengths.as_slice())
            + size_of_val(self.buckets.as_slice())
            + size_of_val(self.entries.as_slice())
            + size_of_val(self.branches.as_slice())
            + size_of_val(self.texts.as_slice())
    }
}

impl Compiled {
    /// The memory that the arrays take, in bytes; not that of the rules themselves.
    pub(super) fn size_bytes(&self) -> usize {
        self.needs.size_bytes() + self.parts.size_bytes()
    }
}
