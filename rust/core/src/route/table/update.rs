//! Tables that are made from another one, and cost what they change.

use super::limits::{REGEX_LIMIT, check_regexes};
use super::served::{Numbers, Served};
use super::shard::{Shard, USUAL_RULES};
use super::{HostIndex, HostMode, Numbered, RouteTable, TooLarge, number};
use crate::route::{HostPattern, Rule, RuleError, Target};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Why a table is not changed.
#[derive(Debug, Clone, PartialEq)]
pub enum UpdateError {
    /// No rule has this number.
    NoRule(u32),
    /// The targets of a rule cannot be picked from.
    Rule(RuleError),
    /// The table would pass a bound.
    TooLarge(TooLarge),
    /// The rules of all hosts are tried in one order, which does not say where new ones belong.
    Together,
}

impl fmt::Display for UpdateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRule(number) => write!(f, "the table has no rule of number {number}"),
            Self::Rule(error) => error.fmt(f),
            Self::TooLarge(error) => error.fmt(f),
            Self::Together => f.write_str(
                "the rules of all hosts are tried in one order, so those of one host cannot be \
                 replaced: build the table anew",
            ),
        }
    }
}

impl std::error::Error for UpdateError {}

impl From<TooLarge> for UpdateError {
    fn from(error: TooLarge) -> Self {
        Self::TooLarge(error)
    }
}

impl RouteTable {
    /// The same table with other targets for the rules of these numbers. What they ask stays, so
    /// nothing is compiled: the cost is that of the changed rules and of one pointer for each 256
    /// others.
    ///
    /// ```
    /// use trimtab_core::route::{PathMatch, Precedence, Request, RouteTable, Rule, Target};
    ///
    /// let rule = Rule::named("cart").with_path(PathMatch::prefix("/cart"));
    /// let rule = rule.with_targets(vec![Target::new("v1", 100), Target::new("v2", 0)]);
    /// let table = RouteTable::from_rules(vec![rule.checked()?.into()], Precedence::Listed, 42)?;
    /// let targets = vec![Target::new("v1", 90), Target::new("v2", 10)];
    /// let changes = table.named("cart").iter().map(|number| (*number, targets.clone()));
    /// let changed = table.with_targets(changes)?;
    /// let rule = changed.find(&Request::to(b"/cart")).and_then(|number| changed.rule(number));
    /// assert_eq!(rule.and_then(|rule| rule.pick(95)).map(Target::name), Some("v2"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A number that no rule has, or weights that cannot be picked from.
    pub fn with_targets(
        &self,
        changes: impl IntoIterator<Item = (u32, Vec<Target>)>,
    ) -> Result<Self, UpdateError> {
        let mut next = self.clone();
        for (number, targets) in changes {
            let Some(Some(known)) = next.rules.get_mut(number as usize) else {
                return Err(UpdateError::NoRule(number));
            };
            let rule = Rule::clone(&known.rule).with_targets(targets);
            known.rule = Arc::new(rule.checked().map_err(UpdateError::Rule)?);
        }
        Ok(next)
    }

    /// The same table with these rules, in this order, for requests of these hosts, whatever rules
    /// they had; hosts that the rules themselves name do not count. No rules at all make a host
    /// whose requests get nothing.
    ///
    /// The cost is that of compiling the rules and some of other hosts, 256 in all unless the new
    /// ones are more; for a pattern that is new also that of the index of all patterns.
    ///
    /// # Errors
    /// When the table would pass a bound, or has the rules of all hosts tried in one order.
    pub fn with_host(&self, patterns: &[HostPattern], rules: Vec<Arc<Rule>>) -> Result<Self, UpdateError> {
        if self.mode == HostMode::Together {
            return Err(UpdateError::Together);
        }
        let mut next = self.clone();
        if rules.iter().any(|rule| rule.patterns().any(|pattern| pattern.program_size() > 0)) {
            let all = self.rules().map(|(_, rule)| rule).chain(&rules);
            check_regexes(all.map(AsRef::as_ref), REGEX_LIMIT)?;
        }
        next.learn(&rules)?;
        next.add(patterns)?;
        let places: BTreeSet<usize> = patterns.iter().filter_map(|pattern| next.place(pattern)).collect();
        next.release(&places);
        let numbers = next.take_numbers(rules, number(places.len())?)?;
        next.serve(&places, &numbers)?;
        next.by_name = Arc::default();
        Ok(next)
    }

    /// The same table without this host: its requests get the rules of the next best pattern.
    ///
    /// # Errors
    /// When the table has the rules of all hosts tried in one order.
    pub fn without_host(&self, pattern: &HostPattern) -> Result<Self, UpdateError> {
        if self.mode == HostMode::Together {
            return Err(UpdateError::Together);
        }
        let Some(place) = self.place(pattern) else { return Ok(self.clone()) };
        let mut next = self.clone();
        next.release(&BTreeSet::from([place]));
        let kept = |at: &usize| *at != place;
        let left = (0..self.patterns.len()).filter(kept);
        next.patterns = left.clone().filter_map(|at| self.patterns.get(at)).cloned().collect();
        next.served = left.filter_map(|at| self.served.get(at)).cloned().collect();
        next.hosts = Arc::new(HostIndex::new(&next.patterns, next.mode, next.seed)?);
        next.by_name = Arc::default();
        Ok(next)
    }

    fn place(&self, pattern: &HostPattern) -> Option<usize> {
        self.patterns.binary_search(pattern).ok()
    }

    /// Gives numbers to headers that nobody asked about before.
    fn learn(&mut self, rules: &[Arc<Rule>]) -> Result<(), TooLarge> {
        let unknown: Vec<_> = rules.iter().filter(|rule| !self.names.know(rule)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let names = Arc::make_mut(&mut self.names);
        for rule in unknown {
            names.learn(rule).ok_or(TooLarge::Places)?;
        }
        names.finish(self.seed).ok_or(TooLarge::Places)
    }

    /// Adds the patterns that are new, which lead nowhere yet.
    fn add(&mut self, patterns: &[HostPattern]) -> Result<(), TooLarge> {
        if patterns.iter().all(|pattern| self.place(pattern).is_some()) {
            return Ok(());
        }
        let known = self.patterns.iter().cloned().zip(self.served.iter().cloned());
        let mut all: BTreeMap<HostPattern, Served> = known.collect();
        for pattern in patterns {
            all.entry(pattern.clone()).or_insert_with(Served::nothing);
        }
        self.patterns = all.keys().cloned().collect();
        self.served = all.into_values().collect();
        self.hosts = Arc::new(HostIndex::new(&self.patterns, self.mode, self.seed)?);
        Ok(())
    }

    /// Takes the rules of these hosts out of the list, unless other hosts have them too.
    fn release(&mut self, places: &BTreeSet<usize>) {
        for served in places.iter().filter_map(|place| self.served.get(*place)) {
            for number in served.numbers.iter() {
                let Some(slot) = self.rules.get_mut(number as usize) else { continue };
                if let Some(known) = slot {
                    known.patterns -= 1;
                    if known.patterns == 0 {
                        *slot = None;
                        self.free.push(number);
                    }
                }
            }
        }
        self.free.sort_unstable();
    }

    /// Adds rules for so many patterns; their numbers ascend.
    fn take_numbers(&mut self, rules: Vec<Arc<Rule>>, patterns: u32) -> Result<Vec<u32>, TooLarge> {
        let reused = self.free.len().min(rules.len());
        let mut numbers: Vec<u32> = self.free.drain(..reused).collect();
        let mut rules = rules.into_iter().map(|rule| Some(Numbered { rule, patterns }));
        for (number, rule) in numbers.iter().zip(rules.by_ref()) {
            if let Some(slot) = self.rules.get_mut(*number as usize) {
                *slot = rule;
            }
        }
        let first = number(self.rules.len())?;
        self.rules.extend(rules);
        numbers.extend(first..number(self.rules.len())?);
        Ok(numbers)
    }

    /// Has these hosts lead to these rules, in the shard of the first of them if they fit there.
    fn serve(&mut self, places: &BTreeSet<usize>, numbers: &[u32]) -> Result<(), TooLarge> {
        let known = places.first().and_then(|place| self.served.get(*place));
        let home = known.filter(|served| !served.is_nowhere()).map_or(&self.newest, |served| &served.shard);
        // What else the shard holds, by where it is there: hosts may share their rules.
        let mut lists: BTreeMap<u32, (Numbers, Vec<usize>)> = BTreeMap::new();
        for (place, served) in self.served.iter().enumerate() {
            if Arc::ptr_eq(&served.shard, home) && !places.contains(&place) {
                let list =
                    lists.entry(served.listed.index).or_insert_with(|| (served.numbers.clone(), Vec::new()));
                list.1.push(place);
            }
        }
        let mut lists: Vec<_> = lists.into_values().collect();
        if lists.iter().map(|(list, _)| list.len()).sum::<usize>() + numbers.len() > USUAL_RULES {
            lists.clear();
        }
        lists.push((Numbers::of(numbers), places.iter().copied().collect()));
        let rules_of =
            |(list, _): &(Numbers, _)| list.iter().filter_map(|number| self.rule(number)).cloned().collect();
        let (shard, listed) = Shard::new(lists.iter().map(rules_of).collect(), &self.names, self.seed)?;
        self.newest = Arc::new(shard);
        for ((numbers, places), listed) in lists.into_iter().zip(listed) {
            for place in places {
                if let Some(served) = self.served.get_mut(place) {
                    *served = Served::new(self.newest.clone(), listed, numbers.clone());
                }
            }
        }
        Ok(())
    }
}
