//! A part of a table: the compiled rules of some of its hosts, shared by all versions of the table
//! in which these hosts have the same rules.

use super::bucket::Item;
use super::build::Builder;
use super::bytes::NONE;
use super::compiled::Compiled;
use super::first;
use super::limits::{TooLarge, number};
use super::names::Names;
use super::needs::AllNeeds;
use super::target::Target;
use super::unit::{NOWHERE, Unit};
use crate::likely::likely;
use crate::route::Rule;
use crate::route::request::Request;
use std::sync::Arc;

/// Hosts are put together until they have so many rules: what a change of one of them costs is
/// bounded, and so is what each part takes beside its rules.
pub(super) const USUAL_RULES: usize = 256;

/// Compiled rules of one or more lists.
#[derive(Debug, Default)]
pub(super) struct Shard {
    compiled: Compiled,
}

/// Where the rules of one list are in a shard: from `first` on, in their order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed {
    pub first: u32,
    /// Their index, `NONE` when they are nowhere.
    pub index: u32,
    /// The first step of its tree of templates, and whether it has anything else: most indexes need not be
    /// looked at.
    pub root: Unit,
    pub has_more: bool,
}

impl Listed {
    pub(super) const NOWHERE: Self = Self { first: 0, index: NONE, root: NOWHERE, has_more: false };
}

impl Shard {
    /// Compiles lists of rules, each in its order.
    pub(super) fn new(
        lists: Vec<Vec<Arc<Rule>>>,
        names: &Arc<Names>,
        seed: u64,
    ) -> Result<(Self, Vec<Listed>), TooLarge> {
        let counts: Vec<usize> = lists.iter().map(Vec::len).collect();
        number(counts.iter().sum())?;
        let rules: Vec<_> = lists.into_iter().flatten().collect();
        let mut needs = AllNeeds::of(rules, names).ok_or(TooLarge::Places)?;
        let mut builder = Builder::new(&needs, seed);
        let mut listed = Vec::with_capacity(counts.len());
        let mut first = 0;
        for count in counts {
            let rules = needs.rules.get(first..first + count).unwrap_or_default();
            let start = number(first)?;
            let items = (start..).zip(rules).map(|(place, rule)| (rule.path().into(), Item::of(place)));
            let index = builder.index(items)?;
            let made = builder.out.indexes.get(index as usize);
            let (segments, has_more) = made.map_or((NONE, false), |made| (made.segments, made.has_more()));
            let root = *builder.out.segments.root(segments);
            listed.push(Listed { first: start, index, root, has_more });
            first += count;
        }
        let parts = builder.finish();
        needs.freeze();
        Ok((Self { compiled: Compiled { parts, needs } }, listed))
    }

    /// The place of the first rule of a list that matches, if it is before `bound`.
    #[expect(clippy::inline_always, reason = "as for `RouteTable::find_target`")]
    #[inline(always)]
    pub(super) fn find(
        &self,
        listed: &Listed,
        request: &Request<'_>,
        target: Target<'_>,
        bound: u32,
    ) -> Option<u32> {
        let best = first::find(&self.compiled, listed, request, target, bound);
        Some(best).filter(|best| likely(*best != bound && *best != NONE))
    }

    /// The memory that it takes beside its rules, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.compiled.size_bytes()
    }
}
