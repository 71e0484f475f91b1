//! Building what finds texts that may be anywhere in another.

use super::bucket::Item;
use super::build::Builder;
use super::bytes::NONE;
use super::inside::{Inside, Leads, Many, Within};
use super::limits::{TooLarge, number};
use super::trie_build::Key;
use memchr::memmem::Finder;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// So many texts are searched for one by one.
const FEW: usize = 4;
/// A text that is shorter than this is in nearly all others.
const SHORT: usize = 4;

/// A text, and a rule that asks for it.
type Part<'r> = (Cow<'r, [u8]>, Item);

impl Builder<'_> {
    /// All texts that may be somewhere in another, by what they are looked for in; `NONE` when there are none.
    pub(super) fn inside(&mut self, parts: [(Within, Vec<Part<'_>>); 3]) -> Result<u32, TooLarge> {
        let mut insides = Vec::new();
        for (within, parts) in parts {
            insides.extend(self.inside_of(within, parts)?);
        }
        if insides.is_empty() {
            return Ok(NONE);
        }
        insides.shrink_to_fit();
        self.out.inside.push(insides);
        number(self.out.inside.len() - 1)
    }

    fn inside_of(&mut self, within: Within, mut parts: Vec<Part<'_>>) -> Result<Option<Inside>, TooLarge> {
        let Some(min_rank) = parts.iter().map(|(_, item)| item.rank).min() else { return Ok(None) };
        parts.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.rank.cmp(&b.1.rank)));
        let few = few_of(&parts);
        let (few, others): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|(text, _)| few.contains(text.as_ref()));
        let mut inside = Inside { within, min_rank, few: Vec::new(), many: Vec::new() };
        if within == Within::Folded {
            inside.many.extend(self.many(&few, true)?);
            inside.many.extend(self.many(&others, true)?);
        } else {
            inside.few = self.finders(&few)?;
            inside.many.extend(self.many(&others, false)?);
        }
        inside.many.shrink_to_fit();
        Ok(Some(inside))
    }

    fn finders(&mut self, parts: &[Part<'_>]) -> Result<Vec<(Finder<'static>, Leads)>, TooLarge> {
        let groups = parts.chunk_by(|a, b| a.0 == b.0);
        let groups = groups.filter_map(|group| group.first().map(|(text, _)| (text, group)));
        groups.map(|(text, group)| Ok((Finder::new(text).into_owned(), self.leads(group)?))).collect()
    }

    /// Texts that are too many to be searched for one by one.
    fn many(&mut self, parts: &[Part<'_>], folds: bool) -> Result<Option<Many>, TooLarge> {
        if parts.is_empty() {
            return Ok(None);
        }
        let mut heads: Vec<(&[u8], Leads)> = Vec::new();
        // Sorted, a text comes before all that begin with it.
        let mut left = parts;
        while let Some((first, _)) = left.first() {
            let (group, rest) = left.split_at(left.partition_point(|(text, _)| text.starts_with(first)));
            heads.push((first, self.leads(group)?));
            left = rest;
        }
        Many::new(&heads, folds, self.seed).map(Some).ok_or(TooLarge::Places)
    }

    /// What the first text of a group leads to; all others begin with it.
    fn leads(&mut self, group: &[Part<'_>]) -> Result<Leads, TooLarge> {
        let (Some((first, best)), Some((last, _))) = (group.first(), group.last()) else {
            return Ok(Leads::Bucket(NONE));
        };
        if last.len() > first.len() {
            let key = |(text, item): &Part<'_>| Key::new(Cow::Owned(text.to_vec()), item.here.check, *item);
            return self.trie(group.iter().map(key).collect()).map(Leads::Trie);
        }
        if best.is_free(self.needs) {
            return Ok(Leads::Rule(best.rank));
        }
        self.bucket(group.iter().map(|(_, item)| *item).collect()).map(Leads::Bucket)
    }
}

/// The shortest texts, which would spoil the search for the others; all of them where they are few.
fn few_of(parts: &[Part<'_>]) -> BTreeSet<Vec<u8>> {
    let mut texts: Vec<&[u8]> = parts.iter().map(|(text, _)| text.as_ref()).collect();
    texts.dedup();
    if texts.len() > FEW {
        texts.retain(|text| text.len() < SHORT);
        texts.sort_by_key(|text| text.len());
        // Where one of a length has to stay, the others spoil nothing.
        let stays = texts.get(FEW).map_or(SHORT, |text| text.len());
        texts.retain(|text| text.len() < stays);
    }
    texts.into_iter().map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn few(texts: &[&'static str]) -> Vec<String> {
        let parts: Vec<Part<'_>> = texts.iter().map(|text| (text.as_bytes().into(), Item::of(0))).collect();
        few_of(&parts).into_iter().map(|text| String::from_utf8(text).unwrap()).collect()
    }

    #[test]
    fn the_shortest_texts_are_searched_for_one_by_one() {
        assert_eq!(few(&["aaaaa", "bbbbb", "bbbbb", "c"]), ["aaaaa", "bbbbb", "c"], "all of few");
        assert_eq!(few(&["-", "aaaa", "bbbb", "cccc", "dddd"]), ["-"]);
        assert_eq!(few(&["-", "aaa", "bbb", "ccc", "ddd", "eeee"]), ["-"], "the others of three bytes stay");
        assert_eq!(few(&["aaa", "bbb", "ccc", "ddd", "eee"]), [""; 0]);
    }
}
