//! The templates of an index: which keys are some, and by which shapes they are looked up.

use super::bucket::Item;
use super::build::{Builder, TooLarge, number};
use super::bytes::NONE;
use super::compiled::{END, NOTHING, SEPARATED};
use super::segments::{End, MAX_OPEN, MOST, Segments, Shape};
use super::trie_build::{ESCAPE, Key};
use crate::route::re2::Run;
use memchr::memchr;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// No text is looked up by more shapes than this; templates of rarer ones are walked to.
const MAX_SHAPES: usize = 12;
/// So few keys are walked to in no time.
pub(super) const FEW_KEYS: usize = 16;

/// The templates of one shape in one index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Templates {
    pub min_rank: u32,
    /// Their set in the hash table.
    pub set: u32,
    pub shape: Shape,
    /// The places of its open segments.
    pub open: [u8; MAX_OPEN],
}

/// For each index a list of its shapes for every number of segments, best ranks first.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    /// Where the list for no segment, one, two, ..., more than are looked at starts, and where the
    /// last one ends.
    starts: Vec<[u32; MOST + 3]>,
    templates: Vec<Templates>,
}

impl Shapes {
    fn add(&mut self, mut templates: Vec<Templates>) -> Result<u32, TooLarge> {
        templates.sort_by_key(|templates| templates.min_rank);
        let mut starts = [0; MOST + 3];
        for (count, start) in starts.iter_mut().enumerate() {
            *start = number(self.templates.len())?;
            if count < MOST + 2 {
                self.templates.extend(templates.iter().filter(|templates| templates.shape.fits(count)));
            }
        }
        self.starts.push(starts);
        number(self.starts.len() - 1)
    }

    /// What a text of so many segments may be.
    #[inline]
    pub(super) fn fitting(&self, list: u32, count: usize) -> &[Templates] {
        let starts = self.starts.get(list as usize).and_then(|starts| starts.get(count..)?.first_chunk());
        let range = starts.map_or(0..0, |[start, end]: &[u32; 2]| *start as usize..*end as usize);
        self.templates.get(range).unwrap_or_default()
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.starts.as_slice()) + size_of_val(self.templates.as_slice())
    }
}

/// A key as a template: its shape, and its text without the segments that are open. `segment` is the
/// number of the class that is one whole segment.
fn template(text: &[u8], check: u32, segment: Option<u8>) -> Option<(Shape, Vec<u8>)> {
    let (end, text) = match check {
        END => (End::Text, text),
        SEPARATED => (End::Segment, text),
        NOTHING => (End::Slash, text.strip_suffix(b"/")?),
        _ => return None,
    };
    let mut shape = Shape { count: 0, open: 0, end };
    let mut closed = Vec::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        rest = rest.strip_prefix(b"/").filter(|_| usize::from(shape.count) < MOST)?;
        closed.push(b'/');
        if let [ESCAPE, class, after @ ..] = rest {
            segment.filter(|segment| segment == class)?;
            shape.open |= 1 << shape.count;
            rest = after;
        } else {
            let (part, after) = rest.split_at_checked(memchr(b'/', rest).unwrap_or(rest.len()))?;
            memchr(ESCAPE, part).map_or(Some(()), |_| None)?;
            closed.extend_from_slice(part);
            rest = after;
        }
        shape.count += 1;
    }
    (shape.count > 0 && shape.open.count_ones() as usize <= MAX_OPEN).then_some((shape, closed))
}

fn cut(text: &[u8], seed: u64) -> Option<Segments<'_>> {
    let mut segments = Segments::default();
    segments.cut(text, seed).then_some(segments)
}

/// The shapes that most templates have, no more than are to be looked up for any one text.
fn common_shapes(counts: BTreeMap<Shape, usize>) -> BTreeSet<Shape> {
    let mut shapes: Vec<_> = counts.into_iter().collect();
    shapes.sort_by_key(|(_, count)| Reverse(*count));
    let mut taken = [0; MOST + 2];
    let mut common = BTreeSet::new();
    for (shape, _) in shapes {
        let fitting = || (0..MOST + 2).filter(|count| shape.fits(*count));
        if fitting().all(|count| taken.get(count).is_some_and(|taken| *taken < MAX_SHAPES)) {
            common.insert(shape);
            for count in fitting() {
                if let Some(taken) = taken.get_mut(count) {
                    *taken += 1;
                }
            }
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
        let mut found: Vec<_> = keys.iter().map(|key| template(&key.text, key.check, segment)).collect();
        let mut counts = BTreeMap::new();
        for (shape, _) in found.iter().flatten() {
            *counts.entry(*shape).or_default() += 1;
        }
        if counts.values().sum::<usize>() < FEW_KEYS {
            return Ok(NONE);
        }
        let common = common_shapes(counts);
        let mut taken = Vec::new();
        let mut left = Vec::new();
        for (key, found) in std::mem::take(keys).into_iter().zip(found.drain(..)) {
            match found.filter(|(shape, _)| common.contains(shape)) {
                Some((shape, text)) => taken.push((shape, Cow::Owned(text), key.item)),
                None => left.push(key),
            }
        }
        *keys = left;
        let (whole, other) =
            std::mem::take(exact).into_iter().partition(|(text, _)| text.first() == Some(&b'/'));
        *exact = other;
        let whole: Vec<(Cow<'r, [u8]>, Item)> = whole;
        for (text, item) in whole {
            match template(&text, END, None) {
                Some((shape, _)) => taken.push((shape, text, item)),
                None => exact.push((text, item)),
            }
        }
        self.add_templates(taken)
    }

    fn add_templates(&mut self, taken: Vec<(Shape, Cow<'r, [u8]>, Item)>) -> Result<u32, TooLarge> {
        let mut templates: BTreeMap<Shape, Templates> = BTreeMap::new();
        let mut hashed = Vec::with_capacity(taken.len());
        for (shape, text, item) in taken {
            let set = self.sets;
            let of_shape = templates.entry(shape).or_insert_with(|| {
                self.sets += 1;
                Templates { min_rank: NONE, set, shape, open: shape.open_places() }
            });
            of_shape.min_rank = of_shape.min_rank.min(item.rank);
            let hash = cut(&text, self.out.exact.seed()).ok_or(TooLarge::Places)?.hash(
                shape.count,
                of_shape.open,
                of_shape.set,
            );
            hashed.push((hash, of_shape.set, text, item));
        }
        hashed.sort_unstable_by(|a, b| {
            (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| a.2.cmp(&b.2)).then(a.3.rank.cmp(&b.3.rank))
        });
        for group in hashed.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1) && a.2 == b.2) {
            let Some((hash, set, text, _)) = group.first() else { continue };
            let found = self.known(group.iter().map(|(.., item)| *item).collect())?;
            self.out.exact.add(*set, *hash, text, &found).ok_or(TooLarge::Places)?;
        }
        self.out.shapes.add(templates.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path<'s>(segments: impl Iterator<Item = &'s str>) -> String {
        segments.flat_map(|segment| ["/", segment]).collect()
    }

    /// A template by its parts: text, or `None` for an open segment.
    fn fits(parts: &[Option<&str>], end: End, text: &str) -> bool {
        let Some(rest) = text.strip_prefix('/') else { return false };
        let segments: Vec<&str> = rest.split('/').collect();
        let long_enough = match end {
            End::Text => segments.len() == parts.len(),
            End::Segment => segments.len() >= parts.len(),
            End::Slash => segments.len() > parts.len(),
        };
        long_enough
            && parts.iter().zip(segments).all(|(part, s)| part.map_or(!s.is_empty(), |part| part == s))
    }

    proptest! {
        #[test]
        fn a_text_is_found_by_each_template_it_fits(
            parts in prop::collection::vec(prop::option::of("[ab]{0,2}|[ab]{7,9}|[ab]{15,34}"), 1..6),
            others in prop::collection::vec("[ab]{0,2}|[ab]{15,26}", 0..14),
            (end, check) in prop::sample::select(&[(End::Text, END), (End::Segment, SEPARATED), (End::Slash, NOTHING)][..]),
            seed: u64,
        ) {
            let parts: Vec<Option<&str>> = parts.iter().map(Option::as_deref).collect();
            prop_assume!(parts.iter().filter(|part| part.is_none()).count() <= MAX_OPEN);
            // The number of a class may be that of a slash.
            let key = path(parts.iter().map(|part| part.unwrap_or("\0/"))) + if end == End::Slash { "/" } else { "" };
            let (shape, closed) = template(key.as_bytes(), check, Some(b'/')).unwrap();
            let hash = cut(&closed, seed).unwrap().hash(shape.count, shape.open_places(), 3);
            let filled = parts.iter().zip(others.iter().map(String::as_str).chain(std::iter::repeat("a")));
            let like = path(filled.map(|(part, other)| part.unwrap_or(other)));
            let tail = path(others.iter().skip(parts.len()).map(String::as_str));
            let other = path(others.iter().map(String::as_str));
            for text in [like.clone(), like + &tail, tail, other, String::new(), "a".to_owned()] {
                let found = cut(text.as_bytes(), seed).is_some_and(|segments| {
                    shape.fits(segments.count())
                        && segments.fills(shape)
                        && segments.hash(shape.count, shape.open_places(), 3) == hash
                        && segments.are(shape, &closed)
                });
                prop_assert_eq!(found, fits(&parts, end, &text), "{:?} {:?}", text, parts);
            }
        }

        #[test]
        fn what_is_closed_is_compared_byte_by_byte(
            parts in prop::collection::vec(prop::option::of("[ab]{0,2}"), 1..4), text in "(/[ab]{0,2}){0,4}",
        ) {
            let parts: Vec<Option<&str>> = parts.iter().map(Option::as_deref).collect();
            let key = path(parts.iter().map(|part| part.unwrap_or("\0\x01")));
            let (shape, closed) = template(key.as_bytes(), END, Some(1)).unwrap();
            let found = cut(text.as_bytes(), 1).is_some_and(|segments| {
                shape.fits(segments.count()) && segments.fills(shape) && segments.are(shape, &closed)
            });
            prop_assert_eq!(found, fits(&parts, End::Text, &text));
        }
    }

    #[test]
    fn what_is_more_than_segments_is_no_template() {
        let none = |text: &[u8], check| template(text, check, Some(1)).is_none();
        assert!(none(b"", NOTHING) && none(b"/", NOTHING) && none(b"/a", NOTHING) && none(b"a", END));
        assert!(none(b"/a\0\x01", END) && none(b"/\0\x01a", END) && none(b"/\0\x02", END));
        assert!(none("/a".repeat(MOST + 1).as_bytes(), END) && !none("/a".repeat(MOST).as_bytes(), END));
    }
}
