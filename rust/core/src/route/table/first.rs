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
use crate::likely::{likely, unlikely};
use crate::route::Request;

/// A look that has not needed a whole search yet, or has. The best rank so far is an argument of
/// what it is asked, and its result: it need not lie in memory.
struct First<'t, 'r> {
    compiled: &'t Compiled,
    request: &'r Request<'r>,
    target: Target<'r>,
    search: Option<Search<'t, 'r>>,
}

/// The best rank that the rules of a list have for a request, or `bound` when none is better.
#[expect(clippy::inline_always, reason = "as for `RouteTable::find_target`")]
#[inline(always)]
pub(super) fn find(
    compiled: &Compiled,
    listed: &Listed,
    request: &Request<'_>,
    target: Target<'_>,
    bound: u32,
) -> u32 {
    let mut first = First { compiled, request, target, search: None };
    let mut best = bound;
    if likely(listed.root.min_rank() != NONE) {
        let trees = &compiled.parts.segments;
        best = trees.walk(&listed.root, target.path, target.slashes, bound, &mut first);
    }
    if unlikely(listed.has_more) {
        return first.search(best, |search| search.path_beside_segments(listed.index));
    }
    best
}

impl<'t, 'r> First<'t, 'r> {
    /// Goes on with the search, which is made when it is needed first.
    #[inline(never)]
    fn search(&mut self, best: u32, go_on: impl FnOnce(&mut Search<'t, 'r>)) -> u32 {
        let Self { compiled, request, target, .. } = *self;
        let new = || Search::new(&compiled.parts, Probe::new(&compiled.needs, request, target), best);
        let search = self.search.get_or_insert_with(new);
        search.improve(best);
        go_on(search);
        search.best()
    }

    /// Tries the rules of a bucket to which the path led; `method` is its bit.
    #[inline(never)]
    fn bucket(&mut self, place: u32, best: u32, method: u16) -> u32 {
        let Compiled { needs, parts } = self.compiled;
        let is_simple = |bucket: &&Bucket| bucket.simple.first().is_some_and(|simple| simple.rank != NONE);
        let Some(bucket) = parts.buckets.get(place as usize).filter(is_simple) else {
            return self.search(best, |search| search.path_bucket(place));
        };
        let best = best.min(bucket.best);
        for simple in &bucket.simple {
            if unlikely(simple.rank >= best) {
                return best;
            }
            if (simple.methods == 0 || simple.methods & method != 0)
                && needs.values_of_simple(simple).is_some_and(|values| self.request.headers.have(values))
            {
                return simple.rank;
            }
        }
        best
    }

    /// The bit of the method.
    #[inline]
    fn method(&self) -> u16 {
        self.request.method.map_or(0, |method| self.compiled.needs.method_bit(method))
    }
}

impl Walker for First<'_, '_> {
    #[inline]
    fn plain(&mut self, _: u32, methods: u16) -> bool {
        methods == 0 || methods & self.method() != 0
    }

    #[expect(clippy::inline_always, reason = "as for `find`")]
    #[inline(always)]
    fn found(&mut self, found: &Found, best: u32) -> u32 {
        let method = self.method();
        let rank =
            |plain: Plain| if plain.methods == 0 || plain.methods & method != 0 { plain.rank } else { NONE };
        let [first, second] = found.plain.map(rank);
        let best = best.min(first).min(second);
        if unlikely(found.bucket_rank < best) { self.bucket(found.bucket, best, method) } else { best }
    }
}
