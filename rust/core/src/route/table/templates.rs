//! The templates of an index: which keys are some, and the tree that they make.

use super::bucket::Item;
use super::build::Builder;
use super::bytes::{NONE, position};
use super::compiled::{END, NOTHING, SEPARATED};
use super::fans::Fan;
use super::limits::TooLarge;
use super::segment_trees::{End, Ended, Ways};
use super::segments::Key as SegmentKey;
use super::trie_build::{ESCAPE, Key};
use super::units::Near;
use crate::route::re2::Run;
use memchr::memchr;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// No more steps of a tree than this are taken for any one text; templates with open segments where
/// few others have them are walked to.
const MAX_STEPS: usize = 40;
/// So few keys are walked to in no time.
pub(super) const FEW_KEYS: usize = 16;
/// A template has no more segments than this.
const MOST: usize = 12;

/// What templates have in common: how many segments they have, and which of them are open: a bit for
/// each, the first one lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    count: u8,
    open: u16,
}

impl Shape {
    /// The beginnings of it: one for each step that a text may take to get there.
    fn steps(self) -> impl Iterator<Item = Self> {
        (0..=self.count).map(move |count| Self { count, open: self.open & !(u16::MAX << count) })
    }
}

/// A key as a template.
struct Template<'r> {
    shape: Shape,
    end: End,
    /// In which open segments are two bytes long.
    text: Cow<'r, [u8]>,
    item: Item,
}

/// How long open segments are in the text of a key.
const OPEN: usize = 2;

/// A template on its way into a tree, as far as its segments have led.
struct Leaf<'t> {
    template: &'t Template<'t>,
    /// What comes behind, without the slash; `None` when nothing does.
    rest: Option<&'t [u8]>,
    /// The key of the next segment.
    key: SegmentKey,
}

/// How a template goes on.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Nothing,
    Closed,
    Open,
}

impl<'t> Leaf<'t> {
    fn new(template: &'t Template<'t>) -> Self {
        let text = template.text.as_ref();
        let text = if template.end == End::Slash { text.strip_suffix(b"/").unwrap_or(text) } else { text };
        Self { template, rest: text.strip_prefix(b"/"), key: SegmentKey::NONE }
    }

    fn next(&self, depth: usize) -> Next {
        match self.rest {
            None => Next::Nothing,
            Some(_) if self.template.shape.open >> depth & 1 == 1 => Next::Open,
            Some(_) => Next::Closed,
        }
    }

    fn segment(&self) -> &'t [u8] {
        let rest = self.rest.unwrap_or_default();
        rest.get(..position(rest, b'/').unwrap_or(rest.len())).unwrap_or_default()
    }

    /// The next segment, if its key does not say it.
    fn long(&self) -> Option<&'t [u8]> {
        self.key.is_long().then(|| self.segment())
    }
}

/// Whether two go on with the same segment, which is not open.
fn alike(a: &Leaf<'_>, b: &Leaf<'_>) -> bool {
    a.key == b.key && a.long() == b.long()
}

/// Goes on to what is behind the next segments, which are so long.
fn skip(leaves: &mut [Leaf<'_>], length: usize) {
    for leaf in leaves {
        leaf.rest = leaf.rest.and_then(|rest| rest.get(length + 1..));
    }
}

/// The shape of a key, and its end. `segment` is the number of the class that is one whole segment.
fn shape(text: &[u8], check: u32, segment: Option<u8>) -> Option<(Shape, End)> {
    let (end, mut rest) = match check {
        END => (End::Text, text),
        SEPARATED => (End::Segment, text),
        NOTHING => (End::Slash, text.strip_suffix(b"/")?),
        _ => return None,
    };
    let mut shape = Shape { count: 0, open: 0 };
    while !rest.is_empty() {
        rest = rest.strip_prefix(b"/").filter(|_| usize::from(shape.count) < MOST)?;
        if let [ESCAPE, class, after @ ..] = rest {
            segment.filter(|segment| segment == class)?;
            shape.open |= 1 << shape.count;
            rest = after;
        } else {
            let (part, after) = rest.split_at_checked(position(rest, b'/').unwrap_or(rest.len()))?;
            memchr(ESCAPE, part).map_or(Some(()), |_| None)?;
            rest = after;
        }
        shape.count += 1;
    }
    (shape.count > 0).then_some((shape, end))
}

/// The shapes that most templates have, no more than make `MAX_STEPS` for any one text.
fn common_shapes(counts: BTreeMap<Shape, usize>) -> BTreeSet<Shape> {
    let mut shapes: Vec<_> = counts.into_iter().collect();
    shapes.sort_by_key(|(_, count)| Reverse(*count));
    let (mut steps, mut common) = (BTreeSet::new(), BTreeSet::new());
    for (shape, _) in shapes {
        let new: Vec<_> = shape.steps().filter(|step| !steps.contains(step)).collect();
        if steps.len() + new.len() <= MAX_STEPS {
            steps.extend(new);
            common.insert(shape);
        }
    }
    common
}

impl<'r> Builder<'r> {
    /// Takes the keys that are templates, and with them the whole texts, so that one way leads to
    /// both. `NONE` when there are too few to be worth it.
    pub(super) fn templates(
        &mut self,
        keys: &mut Vec<Key<'r>>,
        exact: &mut Vec<(Cow<'r, [u8]>, Item)>,
    ) -> Result<u32, TooLarge> {
        let segment = self.known_class(&Run::segment());
        let found: Vec<_> = keys.iter().map(|key| shape(&key.text, key.check, segment)).collect();
        let mut counts = BTreeMap::new();
        for (shape, ..) in found.iter().flatten() {
            *counts.entry(*shape).or_default() += 1;
        }
        if counts.values().sum::<usize>() < FEW_KEYS {
            return Ok(NONE);
        }
        let common = common_shapes(counts);
        let mut taken = Vec::with_capacity(keys.len() + exact.len());
        for (key, found) in std::mem::take(keys).into_iter().zip(found) {
            match found.filter(|(shape, _)| common.contains(shape)) {
                Some((shape, end)) => taken.push(Template { shape, end, text: key.text, item: key.item }),
                None => keys.push(key),
            }
        }
        for (text, item) in std::mem::take(exact) {
            match shape(&text, END, None) {
                Some((shape, end)) => taken.push(Template { shape, end, text, item }),
                None => exact.push((text, item)),
            }
        }
        self.segment_tree(&taken)
    }

    /// The first step of a tree of these.
    fn segment_tree(&mut self, templates: &[Template<'_>]) -> Result<u32, TooLarge> {
        self.out.segments.reserve(templates.len());
        let root = self.out.segments.add_step().ok_or(TooLarge::Places)?;
        self.fill_step(Near::alone(root), &mut templates.iter().map(Leaf::new).collect::<Vec<_>>(), 0)?;
        Ok(root)
    }

    /// Fills the step to which the first `depth` segments of all of these lead.
    fn fill_step(&mut self, near: Near, leaves: &mut [Leaf<'_>], depth: usize) -> Result<(), TooLarge> {
        let min_rank = leaves.iter().map(|leaf| leaf.template.item.rank).min().unwrap_or(NONE);
        leaves.sort_unstable_by_key(|leaf| leaf.next(depth));
        let (ended, on) = leaves.split_at_mut(leaves.partition_point(|leaf| leaf.rest.is_none()));
        let (closed, open) = on.split_at_mut(on.partition_point(|leaf| leaf.next(depth) == Next::Closed));
        let fan = self.fan(near, closed)?;
        // All steps of a table stand there before what is behind them, which takes what is free then.
        let steps = self.lead(fan, closed)?;
        let open = if open.is_empty() { 0 } else { self.open(near, open, depth)? };
        for (step, group) in steps.iter().zip(closed.chunk_by_mut(alike)) {
            let near = if steps.len() == 1 { near.to(*step) } else { Near { step: *step, table: fan } };
            self.closed(near, group, depth)?;
        }
        let ended = match ended {
            [Leaf { template: Template { end, item, .. }, .. }] => {
                &[Ended { found: self.known_alone(*item)?, end: *end, next: 0 }][..]
            }
            several => &self.ended(several)?,
        };
        let ways = Ways { open, closed: fan };
        self.out.segments.set(near.step, min_rank, ways, ended).ok_or(TooLarge::Places)
    }

    /// What is known of texts that get to where these end.
    fn ended(&mut self, leaves: &[Leaf<'_>]) -> Result<Vec<Ended>, TooLarge> {
        let mut ended = Vec::new();
        for end in [End::Slash, End::Segment, End::Text] {
            let of_end = leaves.iter().map(|leaf| leaf.template).filter(|template| template.end == end);
            let mut items: Vec<_> = of_end.map(|template| template.item).collect();
            if !items.is_empty() {
                items.sort_unstable_by_key(|item| item.rank);
                ended.push(Ended { found: self.known(items)?, end, next: 0 });
            }
        }
        Ok(ended)
    }

    /// Puts these, none of which goes on with an open segment, in the order of how they go on, and makes
    /// room for as many ways.
    fn fan(&mut self, near: Near, leaves: &mut [Leaf<'_>]) -> Result<Fan, TooLarge> {
        for leaf in leaves.iter_mut() {
            leaf.key = self.out.segments.key(leaf.segment());
        }
        leaves.sort_unstable_by(|a, b| a.key.cmp(&b.key).then_with(|| a.long().cmp(&b.long())));
        let keys = leaves.chunk_by(alike).filter_map(|group| group.first()).map(|leaf| leaf.key);
        self.out.segments.add_fan(near, keys).ok_or(TooLarge::Places)
    }

    /// The steps to which the segments lead with which these go on, one for each of them.
    fn lead(&mut self, fan: Fan, leaves: &[Leaf<'_>]) -> Result<Vec<u32>, TooLarge> {
        let keys = leaves.chunk_by(alike).filter_map(|group| group.first()).map(|leaf| leaf.key);
        keys.map(|key| self.out.segments.lead(fan, key).ok_or(TooLarge::Places)).collect()
    }

    /// Fills that step.
    fn closed(&mut self, near: Near, group: &mut [Leaf<'_>], depth: usize) -> Result<(), TooLarge> {
        let Some((key, segment)) = group.first().map(|leaf| (leaf.key, leaf.segment())) else {
            return Ok(());
        };
        if key.is_long() {
            self.out.segments.keep(near, key, segment).ok_or(TooLarge::Places)?;
        }
        skip(group, segment.len());
        self.fill_step(near, group, depth + 1)
    }

    /// The step to which an open segment leads, with which all of these go on, filled. Where one of a large
    /// table comes before it, and one known segment has to come behind, that leads there too.
    fn open(&mut self, near: Near, leaves: &mut [Leaf<'_>], depth: usize) -> Result<u32, TooLarge> {
        skip(leaves, OPEN);
        let segment = only_segment(leaves, depth + 1).filter(|_| near.table.is_shared());
        let then = segment.map(|segment| self.out.segments.key(segment)).filter(|key| !key.is_long());
        let step = self.out.segments.add_open(near, then).ok_or(TooLarge::Places)?;
        if let Some(segment) = segment.filter(|_| then.is_some()) {
            skip(leaves, segment.len());
        }
        self.fill_step(near.to(step), leaves, depth + 1 + usize::from(then.is_some()))?;
        Ok(step)
    }
}

/// The segment with which all of these go on, if it is known and the same for all.
fn only_segment<'t>(leaves: &[Leaf<'t>], depth: usize) -> Option<&'t [u8]> {
    let segment = leaves.first()?.segment();
    let is = |leaf: &Leaf<'_>| leaf.next(depth) == Next::Closed && leaf.segment() == segment;
    leaves.iter().all(is).then_some(segment)
}

#[cfg(test)]
mod tests;
