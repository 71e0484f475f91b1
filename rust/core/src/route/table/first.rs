//! The first look at a request: most are led by the tree of templates to a rule that asks for nothing
//! but its methods. What only other rules need is made when one of them is met.

use super::bytes::NONE;
use super::compiled::{Bucket, Compiled};
use super::exact::{Found, Plain};
use super::probe::Probe;
use super::search::Search;
use super::segment_trees::Walker;
use super::shard::Listed;
use super::target::Target;
use crate::route::Request;

/// A look that has not needed a whole search yet, or has.
struct First<'t, 'r> {
    compiled: &'t Compiled,
    request: &'r Request<'r>,
    target: &'r Target<'r>,
    best: u32,
    /// The bit of the method, once it was asked for.
    method: Option<u16>,
    search: Option<Search<'t, 'r>>,
}

/// The best rank that the rules of a list have for a request, or `bound` when none is better.
#[expect(clippy::inline_always, reason = "as for `RouteTable::find_target`")]
#[inline(always)]
pub(super) fn find(
    compiled: &Compiled,
    listed: Listed,
    request: &Request<'_>,
    target: Target<'_>,
    bound: u32,
) -> u32 {
    let mut first = First { compiled, request, target: &target, best: bound, method: None, search: None };
    if listed.segments != NONE {
        compiled.parts.segments.walk(listed.segments, target.path, target.slashes, &mut first);
    }
    if listed.has_more {
        first.search(|search| search.path_beside_segments(listed.index));
    }
    first.best
}

impl<'t, 'r> First<'t, 'r> {
    /// Goes on with the search, which is made when it is needed first.
    #[inline(never)]
    fn search(&mut self, go_on: impl FnOnce(&mut Search<'t, 'r>)) {
        let Self { compiled, request, target, best, .. } = *self;
        let new = || Search::new(&compiled.parts, Probe::new(&compiled.needs, request, *target), best);
        let search = self.search.get_or_insert_with(new);
        search.improve(best);
        go_on(search);
        self.best = search.best();
    }

    /// Tries the rules of a bucket to which the path led.
    #[inline(never)]
    fn bucket(&mut self, place: u32) {
        let Compiled { needs, parts } = self.compiled;
        let is_simple = |bucket: &&Bucket| bucket.simple.first().is_some_and(|simple| simple.rank != NONE);
        let Some(bucket) = parts.buckets.get(place as usize).filter(is_simple) else {
            return self.search(|search| search.path_bucket(place));
        };
        self.best = self.best.min(bucket.best);
        for simple in &bucket.simple {
            if simple.rank >= self.best {
                return;
            }
            if self.has_method(simple.methods)
                && needs.values_of_simple(simple).is_some_and(|values| self.request.headers.have(values))
            {
                self.best = simple.rank;
                return;
            }
        }
    }

    /// Whether the method is one of these, none standing for all.
    #[inline]
    fn has_method(&mut self, methods: u16) -> bool {
        methods == 0 || methods & self.method() != 0
    }

    /// The bit of the method, found when it is asked for first.
    #[inline]
    fn method(&mut self) -> u16 {
        let (request, needs) = (self.request, &self.compiled.needs);
        *self.method.get_or_insert_with(|| request.method.map_or(0, |method| needs.method_bit(method)))
    }
}

impl Walker for First<'_, '_> {
    #[inline]
    fn bound(&self) -> u32 {
        self.best
    }

    #[inline]
    fn plain(&mut self, rank: u32, methods: u16) {
        if self.has_method(methods) {
            self.best = rank;
        }
    }

    #[inline]
    fn found(&mut self, found: &Found) {
        let method = self.method();
        let rank =
            |plain: Plain| if plain.methods == 0 || plain.methods & method != 0 { plain.rank } else { NONE };
        let [first, second] = found.plain.map(rank);
        self.best = self.best.min(first).min(second);
        if found.bucket_rank < self.best {
            self.bucket(found.bucket);
        }
    }
}
