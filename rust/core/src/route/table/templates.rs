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
        self.fill_step(root, &mut templates.iter().map(Leaf::new).collect::<Vec<_>>(), 0)?;
        Ok(root)
    }

    /// Fills the step to which the first `depth` segments of all of these lead.
    fn fill_step(&mut self, step: u32, leaves: &mut [Leaf<'_>], depth: usize) -> Result<(), TooLarge> {
        let min_rank = leaves.iter().map(|leaf| leaf.template.item.rank).min().unwrap_or(NONE);
        leaves.sort_unstable_by_key(|leaf| leaf.next(depth));
        let (ended, on) = leaves.split_at_mut(leaves.partition_point(|leaf| leaf.rest.is_none()));
        let (closed, open) = on.split_at_mut(on.partition_point(|leaf| leaf.next(depth) == Next::Closed));
        let mut ways = Ways { open: 0, closed: self.fan(closed)? };
        if !open.is_empty() {
            skip(open, OPEN);
            ways.open = self.out.segments.add_step().ok_or(TooLarge::Places)?;
            self.fill_step(ways.open, open, depth + 1)?;
        }
        for group in closed.chunk_by_mut(alike) {
            self.lead(ways.closed, group, depth)?;
        }
        let ended = match ended {
            [Leaf { template: Template { end, item, .. }, .. }] => {
                &[Ended { found: self.known_alone(*item)?, end: *end, next: 0 }][..]
            }
            several => &self.ended(several)?,
        };
        self.out.segments.set(step, min_rank, ways, ended).ok_or(TooLarge::Places)
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
    fn fan(&mut self, leaves: &mut [Leaf<'_>]) -> Result<Fan, TooLarge> {
        for leaf in leaves.iter_mut() {
            leaf.key = self.out.segments.key(leaf.segment());
        }
        leaves.sort_unstable_by(|a, b| a.key.cmp(&b.key).then_with(|| a.long().cmp(&b.long())));
        let keys = leaves.chunk_by(alike).filter_map(|group| group.first()).map(|leaf| leaf.key);
        self.out.segments.add_fan(keys).ok_or(TooLarge::Places)
    }

    /// Fills the step to which the segment leads with which all of these go on.
    fn lead(&mut self, fan: Fan, group: &mut [Leaf<'_>], depth: usize) -> Result<(), TooLarge> {
        let Some((key, segment)) = group.first().map(|leaf| (leaf.key, leaf.segment())) else {
            return Ok(());
        };
        let step = self.out.segments.lead(fan, key, segment).ok_or(TooLarge::Places)?;
        skip(group, segment.len());
        self.fill_step(step, group, depth + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::exact::Found;
    use super::super::needs::AllNeeds;
    use super::super::segment_trees::{SegmentTrees, Walker};
    use super::super::target::slashes;
    use super::*;
    use crate::route::Rule;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn path<'s>(segments: impl Iterator<Item = &'s str>) -> String {
        segments.flat_map(|segment| ["/", segment]).collect()
    }

    /// A template by its parts: text, or `None` for an open segment.
    fn fits(parts: &[Option<String>], end: End, text: &str) -> bool {
        let Some(rest) = text.strip_prefix('/') else { return false };
        let segments: Vec<&str> = rest.split('/').collect();
        let long_enough = match end {
            End::Text => segments.len() == parts.len(),
            End::Segment => segments.len() >= parts.len(),
            End::Slash => segments.len() > parts.len(),
        };
        long_enough
            && parts
                .iter()
                .zip(segments)
                .all(|(part, s)| part.as_deref().map_or(!s.is_empty(), |part| part == s))
    }

    /// Templates as a tree, each with a rule of its own that asks nothing else.
    fn tree(templates: &[(Vec<Option<String>>, End)], seed: u64) -> (SegmentTrees, u32) {
        let rules = templates.iter().map(|_| Arc::new(Rule::named("r"))).collect();
        let needs = AllNeeds::of(rules, &Arc::default()).unwrap();
        let mut builder = Builder::new(&needs, seed);
        let of = |(rank, (parts, end)): (u32, &(Vec<Option<String>>, End))| {
            // The number of a class may be that of a slash.
            let segments = path(parts.iter().map(|part| part.as_deref().unwrap_or("\0/")));
            let (key, check) = match end {
                End::Text => (segments, END),
                End::Segment => (segments, SEPARATED),
                End::Slash => (segments + "/", NOTHING),
            };
            let (shape, end) = shape(key.as_bytes(), check, Some(b'/')).unwrap();
            Template { shape, end, text: Cow::Owned(key.into_bytes()), item: Item::of(rank) }
        };
        let root = builder.segment_tree(&(0..).zip(templates).map(of).collect::<Vec<_>>()).unwrap();
        (builder.finish().segments, root)
    }

    /// Everything that is found, whatever its rank.
    #[derive(Default)]
    struct All(BTreeSet<u32>);

    impl Walker for All {
        fn plain(&mut self, rank: u32, methods: u16) -> bool {
            assert!(self.0.insert(rank) && methods == 0, "told twice");
            false
        }
        fn found(&mut self, found: &Found, best: u32) -> u32 {
            self.plain(found.plain[0].rank, found.plain[0].methods);
            best
        }
    }

    fn found(trees: &SegmentTrees, root: u32, text: &str) -> BTreeSet<u32> {
        let mut all = All::default();
        let best = trees.walk(root, text.as_bytes(), slashes(text.as_bytes()), NONE, &mut all);
        assert_eq!(best, NONE);
        all.0
    }

    proptest! {
        #[test]
        fn a_text_is_found_by_each_template_it_fits(
            templates in prop::collection::btree_map(
                (
                    prop::collection::vec(prop::option::of("[ab]{0,2}|[ab]{7,9}|[ab]{15,34}"), 1..6),
                    prop::sample::select(&[End::Text, End::Segment, End::Slash][..]),
                ),
                Just(()),
                1..12,
            ),
            texts in prop::collection::vec("(/[ab]{0,2}|/[ab]{15,26}){0,14}|a", 1..4),
            others in prop::collection::vec("[ab]{0,2}|[ab]{15,26}", 0..14),
            seed: u64,
        ) {
            let templates: Vec<_> = templates.into_keys().collect();
            let (trees, root) = tree(&templates, seed);
            let filled = templates.iter().map(|(parts, _)| {
                let with = others.iter().map(String::as_str).chain(std::iter::repeat("a"));
                path(parts.iter().zip(with).map(|(part, other)| part.as_deref().unwrap_or(other)))
            });
            let tail = path(others.iter().map(String::as_str));
            for text in filled.flat_map(|text| [text.clone() + &tail, text]).chain(texts) {
                let expected = (0..).zip(&templates).filter(|(_, (parts, end))| fits(parts, *end, &text));
                let expected: BTreeSet<u32> = expected.map(|(rank, _)| rank).collect();
                prop_assert_eq!(found(&trees, root, &text), expected, "{:?}", text);
            }
        }

        #[test]
        fn no_text_takes_more_steps_than_are_allowed(shapes in prop::collection::btree_set((1_u8..=12, any::<u16>()), 1..200)) {
            let shape = |(count, open)| Shape { count, open: open & !(u16::MAX << count) };
            let shapes: BTreeSet<Shape> = shapes.into_iter().map(shape).collect();
            let common = common_shapes(shapes.iter().map(|shape| (*shape, 1)).collect());
            let steps: BTreeSet<Shape> = common.iter().flat_map(|shape| shape.steps()).collect();
            prop_assert!(steps.len() <= MAX_STEPS);
            // Whatever is left out would make too many.
            for left_out in shapes.difference(&common) {
                let new = left_out.steps().filter(|step| !steps.contains(step));
                prop_assert!(steps.len() + new.count() > MAX_STEPS);
            }
        }
    }

    #[test]
    fn what_is_more_than_segments_is_no_template() {
        let none = |text: &[u8], check| shape(text, check, Some(1)).is_none();
        assert!(none(b"", NOTHING) && none(b"/", NOTHING) && none(b"/a", NOTHING) && none(b"a", END));
        assert!(none(b"/a\0\x01", END) && none(b"/\0\x01a", END) && none(b"/\0\x02", END));
        assert!(none("/a".repeat(MOST + 1).as_bytes(), END) && !none("/a".repeat(MOST).as_bytes(), END));
    }
}
