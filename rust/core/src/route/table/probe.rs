//! What is found out about one request, each thing once.

use super::needs::{
    AllNeeds, Condition, GRPC, HTTP, HTTPS, NOT_REMEMBERED, Needs, REMEMBERED, Subject, UNUSUAL,
};
use super::target::Target;
use crate::route::{Request, Rule};

/// A request with what has been found out about it.
pub(super) struct Probe<'t, 'r> {
    pub all: &'t AllNeeds,
    pub request: &'r Request<'r>,
    pub target: Target<'r>,
    /// The bit of its method, once it was asked for.
    method: Option<u16>,
    grpc: Option<bool>,
    /// Whether the conditions of a rule were asked.
    tried: bool,
    known: [u64; REMEMBERED as usize / 64],
    held: [u64; REMEMBERED as usize / 64],
}

impl<'t, 'r> Probe<'t, 'r> {
    #[inline]
    pub(super) fn new(all: &'t AllNeeds, request: &'r Request<'r>, target: Target<'r>) -> Self {
        Self { all, request, target, method: None, grpc: None, tried: false, known: [0; 4], held: [0; 4] }
    }

    /// What follows the path, without its `?`.
    pub(super) fn query(&self) -> &'r [u8] {
        self.request.target.get(self.target.path.len() + 1..).unwrap_or_default()
    }

    /// Whether the request passes the conditions of `rule`, which are `needs`, but for those in `skip`.
    #[inline]
    pub(super) fn passes(&mut self, rule: u32, needs: Needs, skip: u32) -> bool {
        if !self.has_method(needs.methods) {
            return false;
        }
        // Mostly the first rule that is tried passes: nobody will ask for the same again.
        let first = !std::mem::replace(&mut self.tried, true);
        match self.all.values_of(needs) {
            Some(values) if first && skip == 0 => self.request.headers.have(values),
            _ => self.passes_others(rule, needs, skip),
        }
    }

    #[inline(never)]
    fn passes_others(&mut self, rule: u32, needs: Needs, skip: u32) -> bool {
        if needs.port != 0 && self.request.port != Some(needs.port) {
            return false;
        }
        if needs.flags != 0 && !self.passes_flags(rule, needs.flags) {
            return false;
        }
        (0_u32..)
            .zip(self.all.conditions_of(needs))
            .all(|(place, condition)| (place < 32 && skip >> place & 1 == 1) || self.holds(condition))
    }

    /// Whether the method of the request is one of these, none standing for all.
    #[inline]
    pub(super) fn has_method(&mut self, methods: u16) -> bool {
        methods == 0 || methods & self.method() != 0
    }

    fn method(&mut self) -> u16 {
        let (all, request) = (self.all, self.request);
        *self.method.get_or_insert_with(|| request.method.map_or(0, |method| all.method_bit(method)))
    }

    fn passes_flags(&mut self, rule: u32, flags: u8) -> bool {
        let scheme = self.request.scheme;
        if flags & HTTP != 0 && scheme != Some(b"http") || flags & HTTPS != 0 && scheme != Some(b"https") {
            return false;
        }
        if flags & GRPC != 0 {
            let request = self.request;
            if !*self.grpc.get_or_insert_with(|| Rule::asks_grpc(request)) {
                return false;
            }
        }
        if flags & UNUSUAL != 0 {
            return self
                .all
                .rules
                .get(rule as usize)
                .is_some_and(|rule| rule.check_entry(self.request).is_ok());
        }
        true
    }

    fn holds(&mut self, condition: &Condition) -> bool {
        if condition.memo == NOT_REMEMBERED {
            return self.ask(condition);
        }
        let (word, bit) = (usize::from(condition.memo / 64), 1_u64 << (condition.memo % 64));
        if self.known.get(word).is_some_and(|known| known & bit != 0) {
            return self.held.get(word).is_some_and(|held| held & bit != 0);
        }
        let holds = self.ask(condition);
        if let (Some(known), Some(held)) = (self.known.get_mut(word), self.held.get_mut(word)) {
            *known |= bit;
            *held |= if holds { bit } else { 0 };
        }
        holds
    }

    fn ask(&self, condition: &Condition) -> bool {
        if let Some(value) = self.all.value_of(condition) {
            return self.request.headers.have(value);
        }
        match condition.subject {
            Subject::Method | Subject::Port => true,
            Subject::Header(number) => {
                self.all.header(condition).is_some_and(|header| header.matches_numbered(self.request, number))
            }
            Subject::Query(_) => {
                self.all.query(condition).is_some_and(|query| query.matches_query(self.query()))
            }
        }
    }
}
