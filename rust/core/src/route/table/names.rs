//! The names of the headers that a table asks about.

use super::exact::{ExactMap, Found};
use crate::route::Rule;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names of headers with their numbers, which all parts of a table share.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    list: Vec<Arc<str>>,
    numbers: BTreeMap<Arc<str>, u32>,
    /// The numbers by names in any case.
    index: Arc<ExactMap>,
}

impl Names {
    /// To be called when all names have been learnt.
    pub(super) fn finish(&mut self, seed: u64) -> Option<()> {
        let mut index = ExactMap::new(seed);
        for (name, number) in &self.numbers {
            index.add_text(0, name.as_bytes(), &Found::one(*number, 0))?;
        }
        index.freeze();
        self.index = Arc::new(index);
        Some(())
    }

    /// The number of a name in any case.
    pub(super) fn find(&self, name: &[u8]) -> Option<u32> {
        self.index.find_text::<true>(0, name)?.plain.first().map(|plain| plain.rank)
    }

    /// All names, by their number.
    pub(super) fn list(&self) -> &[Arc<str>] {
        &self.list
    }

    /// Whether every header that `rule` asks about has a number.
    pub(super) fn know(&self, rule: &Rule) -> bool {
        rule.headers().iter().all(|header| self.numbers.contains_key(header.name()))
    }

    /// Gives numbers to the headers that `rule` asks about. `None` when there are too many.
    pub(super) fn learn(&mut self, rule: &Rule) -> Option<()> {
        for header in rule.headers() {
            if !self.numbers.contains_key(header.name()) {
                let name: Arc<str> = header.name().into();
                self.numbers.insert(name.clone(), u32::try_from(self.list.len()).ok()?);
                self.list.push(name);
            }
        }
        Some(())
    }

    /// The number of a name.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// Whether a name is that of a header and of nothing else.
    pub(super) fn is_plain(&self, number: u32) -> bool {
        let name = self.name(number);
        !name.starts_with(':') && name != "host"
    }

    #[inline]
    pub(super) fn name(&self, number: u32) -> &str {
        self.list.get(number as usize).map_or("", AsRef::as_ref)
    }
}
