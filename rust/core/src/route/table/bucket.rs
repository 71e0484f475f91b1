//! Building buckets: rules that are found by the same text and ask for more.

use super::asked::Asked;
use super::build::Builder;
use super::bytes::NONE;
use super::compiled::{Branch, Bucket, Entry, Place, SIMPLE, Simple, TEXT};
use super::exact::{Found, Plain};
use super::limits::{TooLarge, number};
use super::needs::{AllNeeds, Condition, Subject};
use super::ranges::spread;
use crate::route::{HeaderTest, TextMatch};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A bucket of no more than this many rules is searched one by one.
const SMALL: usize = 8;
/// From so many rules on, one question that settles them all pays even if it tells none apart.
const CROWD: usize = 32;

/// What it costs to try rules one by one for one text, at most: a place is compared for 1.
const MAX_LISTED: usize = 8192;
/// What a condition on a header or on the query costs, and the comparison of a whole text.
const COST_OF_CONDITION: usize = 8;
const COST_OF_TEXT: usize = 16;

/// Of more headers than this it is the request that is gone through, not what is asked.
const MANY_NAMES: usize = 12;

/// A rule on its way into an index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub rank: u32,
    /// Which of its conditions have led here, and so hold.
    pub skip: u32,
    /// What it asks of the text that led here.
    pub here: Place,
    /// What it asks of the path, when another text led here.
    pub path: Place,
    /// Whether it is the path that led here.
    pub by_path: bool,
    /// Whether its method and its port have led here.
    pub asked: [bool; 2],
}

impl Item {
    /// A rule that is to be found by its path.
    pub(super) fn of(rank: u32) -> Self {
        Self { rank, skip: 0, here: Place::ANY, path: Place::ANY, by_path: true, asked: [false; 2] }
    }

    pub(super) fn at(self, here: Place) -> Self {
        Self { here, ..self }
    }

    /// Whether it asks for nothing more than what led here.
    pub(super) fn is_free(&self, needs: &AllNeeds) -> bool {
        self.methods_alone(needs) == Some(0)
    }

    /// The same rule, if it asks for nothing but methods and values of headers where all of the path led
    /// here.
    fn simple(&self, needs: &AllNeeds) -> Option<Simple> {
        let here = self.by_path && self.here.along == 0 && self.here.check < TEXT;
        needs.simple(self.rank).filter(|_| here && self.skip == 0)
    }

    /// The methods, if it asks for nothing else.
    fn methods_alone(&self, needs: &AllNeeds) -> Option<u16> {
        let anywhere = self.here == Place::ANY && self.path == Place::ANY;
        needs.methods_alone(self.rank, self.skip).filter(|_| anywhere)
    }
}

/// The best rank of those that ask nothing more.
fn best_free(needs: &AllNeeds, items: &[Item]) -> u32 {
    items.iter().filter(|item| item.is_free(needs)).map(|item| item.rank).min().unwrap_or(NONE)
}

/// Takes the best of those that ask nothing more, and what could still be better.
fn group_best(needs: &AllNeeds, mut items: Vec<Item>) -> (u32, Vec<Item>) {
    let best = best_free(needs, &items);
    items.retain(|item| item.rank < best);
    (best, items)
}

/// What a condition compares a value with.
enum Value<'r> {
    Text(&'r TextMatch),
    Range(i64, i64),
}

/// What a condition compares the value of its subject with, where its answer can be looked up: not
/// when it is turned round, or when absence may pass.
fn value_of<'r>(needs: &'r AllNeeds, condition: &Condition) -> Option<Value<'r>> {
    let text = match condition.subject {
        Subject::Method | Subject::Port => return None,
        Subject::Query(_) => needs.query(condition)?.text()?,
        Subject::Header(_) => {
            let header =
                needs.header(condition).filter(|header| !header.inverted() && !header.missing_is_empty())?;
            match header.test() {
                HeaderTest::Text(text) => text,
                HeaderTest::Range(start, end) => return Some(Value::Range(*start, *end)),
                HeaderTest::Present(_) => return None,
            }
        }
    };
    Some(Value::Text(text))
}

/// The rules that one subject tells apart, with the place of the condition in each.
type Told = Vec<(Item, u32)>;

impl Builder<'_> {
    /// What is known of a text that leads to this rule only.
    pub(super) fn known_alone(&mut self, item: Item) -> Result<Found, TooLarge> {
        match item.methods_alone(self.needs) {
            Some(methods) => Ok(Found::one(item.rank, methods)),
            None => self.known(vec![item]),
        }
    }

    /// What is known of a text that leads to these rules, which stand in the order of their ranks.
    pub(super) fn known(&mut self, mut items: Vec<Item>) -> Result<Found, TooLarge> {
        let best = best_free(self.needs, &items);
        let mut found = Found::NOTHING;
        let mut plain = found.plain.iter_mut();
        items.retain(|item| {
            let methods = item.methods_alone(self.needs).filter(|_| item.rank <= best);
            match methods.and_then(|methods| Some((methods, plain.next()?))) {
                Some((methods, slot)) => *slot = Plain { rank: item.rank, methods },
                None => return item.rank <= best,
            }
            false
        });
        found.bucket_rank = items.first().map_or(NONE, |item| item.rank);
        found.bucket = self.bucket(items)?;
        Ok(found)
    }

    /// A bucket of these rules, `NONE` when there are none.
    pub(super) fn bucket(&mut self, items: Vec<Item>) -> Result<u32, TooLarge> {
        let (best, mut items) = group_best(self.needs, items);
        if items.is_empty() && best == NONE {
            return Ok(NONE);
        }
        items.sort_by_key(|item| item.rank);
        if items.len() > SMALL {
            self.drop_repeats(&mut items);
        }
        let min_rank = items.first().map_or(best, |item| item.rank.min(best));
        let mut branches = Vec::new();
        for subject in self.subjects(&items) {
            if items.len() <= SMALL {
                break;
            }
            let (told, rest) = self.told_by(subject, &items);
            if told.len() >= SMALL / 2 {
                items = rest;
                branches.push(self.branch(subject, told)?);
            }
        }
        for subject in [Subject::Method, Subject::Port] {
            branches.extend(self.entry_branch(subject, &mut items)?);
        }
        self.check_listed(&items)?;
        let named = self.sort_branches(&mut branches);
        let bucket = Bucket {
            min_rank,
            best,
            entries: number(self.out.entries.len())?,
            entry_count: number(items.len())?,
            branches: number(self.out.branches.len())?,
            branch_count: number(branches.len() - named)?,
            named_count: number(named)?,
            simple: if branches.is_empty() { self.simple(&items) } else { [Simple::NONE; SIMPLE] },
        };
        self.out.entries.extend(items.iter().map(|item| Entry {
            rank: item.rank,
            needs: self.needs.needs(item.rank),
            skip: item.skip,
            here: item.here,
            path: item.path,
        }));
        self.out.branches.extend(branches);
        self.out.buckets.push(bucket);
        number(self.out.buckets.len() - 1)
    }

    /// These rules, when they are few and each is a simple one.
    fn simple(&self, items: &[Item]) -> [Simple; SIMPLE] {
        let mut all = [Simple::NONE; SIMPLE];
        if items.len() > SIMPLE {
            return all;
        }
        for (slot, item) in all.iter_mut().zip(items) {
            let Some(simple) = item.simple(self.needs) else { return [Simple::NONE; SIMPLE] };
            *slot = simple;
        }
        all
    }

    /// Sorts branches by their best ranks; where they ask about many headers, those after the others
    /// and by the numbers of the headers. Answers how many these are.
    fn sort_branches(&self, branches: &mut [Branch]) -> usize {
        let headers = &self.needs.headers;
        let number = |branch: &Branch| match branch.subject {
            Subject::Header(number) => Some(number).filter(|number| headers.is_plain(*number)),
            _ => None,
        };
        let named = branches.iter().filter(|branch| number(branch).is_some()).count();
        if named <= MANY_NAMES {
            branches.sort_by_key(|branch| branch.min_rank);
            return 0;
        }
        branches.sort_by_key(|branch| (number(branch), branch.min_rank));
        named
    }

    /// Checks that rules which are to be tried one by one do not cost too much together.
    fn check_listed(&self, items: &[Item]) -> Result<(), TooLarge> {
        let mut cost = 0;
        for item in items {
            let whole = item.here.check >= TEXT || item.path.check >= TEXT;
            let open = self.needs.conditions(item.rank).len() - item.skip.count_ones() as usize;
            cost += 1 + open * COST_OF_CONDITION + usize::from(whole) * COST_OF_TEXT;
            if cost > MAX_LISTED {
                return Err(TooLarge::Listed(self.rule_name(item.rank)));
            }
        }
        Ok(())
    }

    pub(super) fn rule_name(&self, rank: u32) -> String {
        self.needs.rules.get(rank as usize).map_or_else(String::new, |rule| rule.name().to_owned())
    }

    /// Takes the rules that ask for a method or for a port, where many are left that do.
    fn entry_branch(&mut self, subject: Subject, items: &mut Vec<Item>) -> Result<Option<Branch>, TooLarge> {
        let needs = self.needs;
        let asks = |item: &Item| item.may_branch() && !needs.entry_values(item.rank, subject).is_empty();
        let (told, rest): (Vec<_>, Vec<_>) =
            items.iter().partition(|item| !item.was_asked(subject) && asks(item));
        if told.len() < CROWD {
            return Ok(None);
        }
        *items = rest;
        let min_rank = told.first().map_or(NONE, |item| item.rank);
        let keys = told.into_iter().flat_map(|item: Item| {
            let values = needs.entry_values(item.rank, subject).into_iter();
            values.map(move |value| (Asked::Whole(value), item.led_by(subject)))
        });
        let index = self.index(keys)?;
        Ok(Some(Branch { min_rank, subject, index, ranges: NONE }))
    }

    /// Leaves out each rule that asks just what a better one asks.
    fn drop_repeats(&self, items: &mut Vec<Item>) {
        let needs = self.needs;
        let mut seen = BTreeSet::new();
        items.retain(|item| seen.insert((item.here, item.path, needs.signature(item.rank, item.skip))));
    }

    /// The subjects that tell rules apart, the one that tells most apart first.
    fn subjects(&self, items: &[Item]) -> Vec<Subject> {
        let needs = self.needs;
        if items.len() <= SMALL {
            return Vec::new();
        }
        let mut subjects: BTreeMap<Subject, BTreeMap<(&str, i64), usize>> = BTreeMap::new();
        for item in items.iter().filter(|item| item.may_branch()) {
            for (_, condition) in open_conditions(needs, item) {
                let value = match value_of(needs, condition) {
                    None => continue,
                    Some(Value::Range(start, end)) => ("", start ^ end.rotate_left(32)),
                    Some(Value::Text(text)) => (text.kind().text(), 0),
                };
                *subjects.entry(condition.subject).or_default().entry(value).or_default() += 1;
            }
        }
        let gains = subjects.into_iter().map(|(subject, values)| {
            let all: usize = values.values().sum();
            // Many rules that ask for one value are worth a single question, too.
            let most = if all >= CROWD { 0 } else { values.values().max().copied().unwrap_or(0) };
            (all - most, subject)
        });
        let mut gains: Vec<_> = gains.filter(|(gain, _)| *gain >= SMALL / 2).collect();
        gains.sort_by_key(|(gain, _)| Reverse(*gain));
        gains.into_iter().map(|(_, subject)| subject).collect()
    }

    /// The rules that a subject tells apart, and the others.
    fn told_by(&self, subject: Subject, items: &[Item]) -> (Told, Vec<Item>) {
        let needs = self.needs;
        let (mut told, mut rest) = (Vec::new(), Vec::new());
        for item in items {
            let condition = open_conditions(needs, item)
                .find(|(_, condition)| condition.subject == subject && value_of(needs, condition).is_some());
            match condition.filter(|_| item.may_branch()) {
                Some((place, _)) => told.push((*item, place)),
                None => rest.push(*item),
            }
        }
        (told, rest)
    }

    fn branch(&mut self, subject: Subject, told: Told) -> Result<Branch, TooLarge> {
        let min_rank = told.iter().map(|(item, _)| item.rank).min().unwrap_or(NONE);
        let needs = self.needs;
        let (mut texts, mut bounds, mut bounded) = (Vec::new(), Vec::new(), Vec::new());
        for (item, place) in told {
            let value = needs
                .conditions(item.rank)
                .get(place as usize)
                .and_then(|condition| value_of(needs, condition));
            match value {
                Some(Value::Text(text)) => texts.push((Asked::Text(text), item.told_by(place))),
                Some(Value::Range(start, end)) => {
                    bounds.push((start, end.max(start)));
                    bounded.push(item.told_by(place));
                }
                None => {}
            }
        }
        let index = if texts.is_empty() { NONE } else { self.index(texts.into_iter())? };
        let ranges = if bounds.is_empty() { NONE } else { self.range_tree(&bounds, &bounded)? };
        Ok(Branch { min_rank, subject, index, ranges })
    }

    fn range_tree(&mut self, ranges: &[(i64, i64)], items: &[Item]) -> Result<u32, TooLarge> {
        let (points, members) = spread(ranges);
        let mut nodes = Vec::with_capacity(members.len());
        for places in members {
            nodes.push(
                self.bucket(places.into_iter().filter_map(|place| items.get(place)).copied().collect())?,
            );
        }
        self.out.ranges.add(points, nodes).ok_or(TooLarge::Places)
    }
}

/// The conditions of a rule that are not known to hold yet, with their places.
fn open_conditions<'n>(needs: &'n AllNeeds, item: &Item) -> impl Iterator<Item = (u32, &'n Condition)> {
    let skip = item.skip;
    (0_u32..32).zip(needs.conditions(item.rank)).filter(move |(place, _)| skip >> place & 1 == 0)
}

impl Item {
    /// Whether the text that led here may be left for another: what is asked of the path is taken
    /// along, what is asked of a value is not.
    fn may_branch(&self) -> bool {
        self.by_path || self.here == Place::ANY
    }

    fn was_asked(&self, subject: Subject) -> bool {
        match (subject, self.asked) {
            (Subject::Method, [asked, _]) | (Subject::Port, [_, asked]) => asked,
            _ => false,
        }
    }

    /// The same rule, found by its method or its port, which are compared again: that costs little.
    fn led_by(self, subject: Subject) -> Self {
        let path = if self.by_path { self.here } else { self.path };
        let [method, port] = self.asked;
        let asked = [method || subject == Subject::Method, port || subject == Subject::Port];
        Self { here: Place::ANY, path, by_path: false, asked, ..self }
    }

    /// The same rule, found by the value that its condition at `place` asks for.
    fn told_by(self, place: u32) -> Self {
        let path = if self.by_path { self.here } else { self.path };
        Self { skip: self.skip | 1 << place, here: Place::ANY, path, by_path: false, ..self }
    }
}
