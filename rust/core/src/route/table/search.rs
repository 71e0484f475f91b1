//! The search through compiled rules.
//!
//! A text (a path, the value of a header or of a query parameter) is looked up in an [`Index`]; what
//! it is found by there leads to ranks, or to a [`Bucket`] of rules that ask more. A large bucket is
//! itself divided by what its rules ask next, into more indexes. All of them share the best rank so
//! far, and none is entered that has nothing better: so the order of the rules is kept, and no list
//! is searched.

use super::bytes::{NONE, same};
use super::compiled::{Branch, Bucket, END, Entry, Index, NOTHING, Parts, Place, SEPARATED, TEXT, TextTest};
use super::exact::Found;
use super::inside::Leads;
use super::needs::Subject;
use super::probe::Probe;
use super::segment_trees::Walker;
use super::target::slashes;
use super::trie::{Backward, Folded, FoldedBackward, Forward, Visitor};
use crate::route::header::parse_int;
use crate::route::query::first_value;

/// How far the path was walked when it led to a bucket.
#[derive(Debug, Clone, Copy)]
struct Reached {
    start: usize,
    along: usize,
}

/// A search for the best rule.
pub(super) struct Search<'t, 'r> {
    parts: &'t Parts,
    probe: Probe<'t, 'r>,
    best: u32,
}

/// How many buckets are remembered while parts of one text are met.
const REMEMBERED: usize = 64;

/// A search in the midst of one text.
struct Within<'s, 't, 'r, 'x> {
    search: &'s mut Search<'t, 'r>,
    text: &'x [u8],
    /// Where the path led, while the text is another one.
    path: Option<Reached>,
}

impl<'t, 'r> Search<'t, 'r> {
    /// For rules that are better than `best`.
    #[inline]
    pub(super) fn new(parts: &'t Parts, probe: Probe<'t, 'r>, best: u32) -> Self {
        Self { parts, probe, best }
    }

    pub(super) fn best(&self) -> u32 {
        self.best
    }

    /// Goes on for rules that are better than `best`.
    pub(super) fn improve(&mut self, best: u32) {
        self.best = best;
    }

    /// Looks the path up in all of an index but its tree of templates.
    pub(super) fn path_beside_segments(&mut self, index: u32) {
        let better = |index: &&Index| index.min_rank < self.best;
        if let Some(index) = self.parts.indexes.get(index as usize).filter(better) {
            self.within_path().beside_segments(index);
        }
    }

    /// Tries the rules of a bucket to which the whole path led.
    pub(super) fn path_bucket(&mut self, bucket: u32) {
        let end = self.probe.target.path.len();
        self.within_path().bucket(bucket, end, 0);
    }

    fn within_path(&mut self) -> Within<'_, 't, 'r, 'r> {
        let text = self.probe.target.path;
        Within { search: self, text, path: None }
    }
}

impl Within<'_, '_, '_, '_> {
    fn index(&mut self, index: u32) {
        let parts = self.search.parts;
        let Some(index) = parts.indexes.get(index as usize).filter(|index| index.min_rank < self.search.best)
        else {
            return;
        };
        if index.segments != NONE {
            let (root, best) = (parts.segments.root(index.segments), self.search.best);
            self.search.best = parts.segments.walk(root, self.text, slashes(self.text), best, self);
        }
        self.beside_segments(index);
    }

    /// Looks the text up in all of an index but its tree of templates.
    fn beside_segments(&mut self, index: &Index) {
        let (parts, text) = (self.search.parts, self.text);
        if index.exact != NONE
            && let Some(found) = parts.exact.find_text::<false>(index.exact, text)
        {
            self.found(&found, text.len());
        }
        if index.starts != NONE {
            self.starts(index);
        }
        if index.forward != NONE {
            parts.tries.walk(index.forward, &Forward(text), self);
        }
        if index.has_others {
            self.others(index);
        }
    }

    /// What few indexes have. On its own, so that the others need no room for it.
    #[inline(never)]
    fn others(&mut self, index: &Index) {
        let (parts, text) = (self.search.parts, self.text);
        if index.folded != NONE {
            parts.tries.walk(index.folded, &Folded(text), self);
        }
        if index.backward != NONE {
            parts.tries.walk(index.backward, &Backward(text), self);
        }
        if index.folded_backward != NONE {
            parts.tries.walk(index.folded_backward, &FoldedBackward(text), self);
        }
        for inside in parts.inside.get(index.inside as usize).into_iter().flatten() {
            if inside.min_rank < self.best() {
                let mut once = Once { within: self, met: [(NONE, 0); REMEMBERED] };
                inside.each(text, |leads, start| match leads {
                    Leads::Rule(rank) => once.offer(rank.min(once.best())),
                    Leads::Bucket(bucket) => once.bucket(bucket, 0, 0),
                    Leads::Trie(root) => {
                        let rest = text.get(start..).unwrap_or_default();
                        if inside.folds() {
                            parts.tries.walk(root, &Folded(rest), &mut once);
                        } else {
                            parts.tries.walk(root, &Forward(rest), &mut once);
                        }
                    }
                });
            }
        }
        if index.rest != NONE {
            self.bucket(index.rest, 0, 0);
        }
    }

    /// Looks up the beginnings of the text, one probe for each length that there is.
    fn starts(&mut self, index: &Index) {
        let parts = self.search.parts;
        let first = index.lengths as usize;
        let mut hasher = parts.exact.hasher::<false>(index.starts, self.text);
        for length in parts.lengths.get(first..first + index.length_count as usize).unwrap_or_default() {
            let Some(start) = self.text.get(..length.length as usize) else { return };
            if length.min_rank < self.search.best {
                let hash = hasher.up_to(start.len());
                if let Some(found) = parts.exact.find(index.starts, hash, |known| same(start, known)) {
                    self.found(&found, start.len());
                }
            }
        }
    }

    #[inline]
    fn found(&mut self, found: &Found, end: usize) {
        let search = &mut *self.search;
        for plain in found.plain {
            if plain.rank < search.best && search.probe.has_method(plain.methods) {
                search.best = plain.rank;
            }
        }
        if found.bucket_rank < search.best {
            self.bucket(found.bucket, end, 0);
        }
    }

    /// Whether `text`, walked as far as `reached`, is what an entry asks.
    fn fits(&self, place: Place, text: &[u8], reached: Reached) -> bool {
        if place.along as usize > reached.along {
            return false;
        }
        let at = reached.start + place.along as usize;
        match place.check {
            NOTHING => true,
            END => at == text.len(),
            SEPARATED => text.get(at).is_none_or(|byte| *byte == b'/'),
            check => match self.search.parts.texts.get((check - TEXT) as usize) {
                Some(TextTest::Pattern(pattern)) => pattern.is_full_match(text),
                Some(TextTest::Text(other)) => other.test(text),
                Some(TextTest::Path(path)) => path.matches_path(text),
                None => false,
            },
        }
    }

    fn fits_all(&self, entry: &Entry, here: Reached) -> bool {
        self.fits(entry.here, self.text, here)
            && self.path.is_none_or(|path| self.fits(entry.path, self.search.probe.target.path, path))
    }

    fn entries(&mut self, bucket: &Bucket, here: Reached) {
        let parts = self.search.parts;
        let first = bucket.entries as usize;
        for entry in parts.entries.get(first..first + bucket.entry_count as usize).unwrap_or_default() {
            if entry.rank >= self.search.best {
                return;
            }
            // Comparisons of whole texts come last.
            let costly = entry.here.check >= TEXT || entry.path.check >= TEXT;
            let passes = (costly || self.fits_all(entry, here))
                && self.search.probe.passes(entry.rank, entry.needs, entry.skip)
                && (!costly || self.fits_all(entry, here));
            if passes {
                self.search.best = entry.rank;
                return;
            }
        }
    }

    fn branches(&mut self, branches: &[Branch], path: Reached) {
        for branch in branches {
            if branch.min_rank < self.search.best {
                self.branch(branch, path);
            }
        }
    }

    /// Looks for the branch of every header of the request: there are fewer of them. Answers
    /// whether the headers could be gone through.
    fn named(&mut self, branches: &[Branch], path: Reached) -> bool {
        let (all, request) = (self.search.probe.all, self.search.probe.request);
        request.headers.each(&mut |name, value| {
            let subject = all.headers.find(name).map(Subject::Header);
            let place =
                subject.and_then(|subject| branches.binary_search_by_key(&subject, |b| b.subject).ok());
            let branch = place.and_then(|place| branches.get(place));
            if let Some(branch) = branch.filter(|branch| branch.min_rank < self.search.best) {
                self.value(branch, value, path);
            }
        })
    }

    fn branch(&mut self, branch: &Branch, path: Reached) {
        let probe = &self.search.probe;
        let (all, request, query) = (probe.all, probe.request, probe.query());
        match branch.subject {
            Subject::Header(number) => {
                request.any_numbered(all.headers.name(number), number, &mut |value| {
                    self.value(branch, value, path);
                    false
                });
            }
            Subject::Query(number) => {
                let name = all.queries.get(number as usize).map_or("", AsRef::as_ref);
                if let Some(value) = first_value(query, name.as_bytes()) {
                    self.value(branch, value, path);
                }
            }
            Subject::Method => {
                if let Some(method) = request.method {
                    self.value(branch, method, path);
                }
            }
            Subject::Port => {
                if let Some(port) = request.port {
                    self.value(branch, &port.to_be_bytes(), path);
                }
            }
        }
    }

    fn value(&mut self, branch: &Branch, value: &[u8], path: Reached) {
        let mut within = Within { search: self.search, text: value, path: Some(path) };
        if branch.index != NONE {
            within.index(branch.index);
        }
        if branch.ranges != NONE
            && let Some(number) = parse_int(value)
        {
            for bucket in within.search.parts.ranges.over(branch.ranges, number) {
                within.bucket(bucket, 0, 0);
            }
        }
    }
}

/// Enters a bucket once, however often a part of the text leads there: to try its rules may take as
/// long as to read the text. Of many buckets some that were met are forgotten.
struct Once<'w, 's, 't, 'r, 'x> {
    within: &'w mut Within<'s, 't, 'r, 'x>,
    /// The buckets that were met, and how far along an edge, by the lowest bits of their places.
    met: [(u32, usize); REMEMBERED],
}

impl Visitor for Once<'_, '_, '_, '_, '_> {
    fn best(&self) -> u32 {
        self.within.best()
    }

    fn offer(&mut self, rank: u32) {
        self.within.offer(rank);
    }

    fn bucket(&mut self, bucket: u32, _: usize, along: usize) {
        if let Some(met) = self.met.get_mut(bucket as usize % REMEMBERED) {
            if *met == (bucket, along) {
                return;
            }
            *met = (bucket, along);
        }
        self.within.bucket(bucket, 0, along);
    }
}

impl Walker for Within<'_, '_, '_, '_> {
    fn plain(&mut self, _: u32, methods: u16) -> bool {
        self.search.probe.has_method(methods)
    }

    // A call, so that the walk has all registers.
    #[inline(never)]
    fn found(&mut self, found: &Found, best: u32) -> u32 {
        self.search.best = best;
        self.found(found, self.text.len());
        self.search.best
    }
}

impl Visitor for Within<'_, '_, '_, '_> {
    fn best(&self) -> u32 {
        self.search.best
    }

    fn offer(&mut self, rank: u32) {
        self.search.best = rank;
    }

    fn bucket(&mut self, bucket: u32, start: usize, along: usize) {
        let parts = self.search.parts;
        let Some(bucket) =
            parts.buckets.get(bucket as usize).filter(|bucket| bucket.min_rank < self.search.best)
        else {
            return;
        };
        if bucket.best < self.search.best {
            self.search.best = bucket.best;
        }
        let here = Reached { start, along };
        self.entries(bucket, here);
        if bucket.branch_count + bucket.named_count == 0 {
            return;
        }
        let path = self.path.unwrap_or(here);
        let first = bucket.branches as usize;
        let end = first + bucket.branch_count as usize;
        self.branches(parts.branches.get(first..end).unwrap_or_default(), path);
        if bucket.named_count > 0 {
            let named = parts.branches.get(end..end + bucket.named_count as usize).unwrap_or_default();
            if !self.named(named, path) {
                self.branches(named, path);
            }
        }
    }
}
