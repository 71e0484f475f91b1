//! Trees of templates against a plain reading of each template.

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
        && parts.iter().zip(segments).all(|(part, s)| part.as_deref().map_or(!s.is_empty(), |part| part == s))
}

/// The ranks of the templates that a text fits.
fn fitting(templates: &[(Vec<Option<String>>, End)], text: &str) -> BTreeSet<u32> {
    let fits = (0..).zip(templates).filter(|(_, (parts, end))| fits(parts, *end, text));
    fits.map(|(rank, _)| rank).collect()
}

/// One of some eighty segments: short ones, ones that are kept near their step, and longer ones.
fn segment() -> impl Strategy<Value = String> {
    (0..80, prop::sample::select(&["", "-with-a-longer-end", "-with-an-end-that-is-longer-than-a-unit"][..]))
        .prop_map(|(number, end)| format!("s{number}{}", if number % 3 == 0 { end } else { "" }))
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
    let best = trees.walk(trees.root(root), text.as_bytes(), slashes(text.as_bytes()), NONE, &mut all);
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
            prop_assert_eq!(found(&trees, root, &text), fitting(&templates, &text), "{:?}", text);
        }
    }

    /// Many segments begin, so that their steps stand in one table, and with them what is behind: segments
    /// that others begin with, too.
    #[test]
    fn what_stands_in_the_table_of_others_is_found_from_its_own_step_only(
        begun in prop::collection::vec(
            (segment(), prop::collection::vec(prop::option::of(segment()), 0..6), prop::bool::ANY),
            17..60,
        ),
        texts in prop::collection::vec(prop::collection::vec(segment(), 1..4), 20),
        seed: u64,
    ) {
        let templates: BTreeSet<_> = begun.into_iter().map(|(first, rest, on)| {
            let parts: Vec<_> = [Some(first)].into_iter().chain(rest).collect();
            (parts, if on { End::Segment } else { End::Text })
        }).collect();
        let templates: Vec<_> = templates.into_iter().collect();
        let (trees, root) = tree(&templates, seed);
        let filled = templates.iter().zip(texts.iter().cycle()).map(|((parts, _), others)| {
            let others = others.iter().cycle();
            path(parts.iter().zip(others).map(|(part, other)| part.as_ref().unwrap_or(other).as_str()))
        });
        let others = texts.iter().map(|parts| path(parts.iter().map(String::as_str)));
        // What comes later in a template, at its beginning.
        let from = |text: &str, slash| text.match_indices('/').nth(slash).map(|(place, _)| text[place..].to_owned());
        let moved = filled.clone().flat_map(|text| (1..5).filter_map(move |slash| from(&text, slash)));
        for text in filled.clone().chain(others).chain(moved) {
            prop_assert_eq!(found(&trees, root, &text), fitting(&templates, &text), "{:?}", text);
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
