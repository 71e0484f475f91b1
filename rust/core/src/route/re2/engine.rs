//! What runs a pattern that needs an engine, and what does without one once.

use super::translate::translate;
use super::{NEST_LIMIT, Refusal, last_line};
use regex::bytes::{Regex, RegexBuilder};
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::{self, NFA, backtrack};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

/// The most memory that one compiled pattern may take, in bytes.
pub(super) const SIZE_LIMIT: usize = 4 << 20;
/// The most memory that the states of a pattern may take to be all worked out, in bytes.
const DFA_LIMIT: usize = 64 << 10;
/// The most memory that the states of any other pattern may take while texts are matched, in bytes.
const CACHE_LIMIT: usize = 256 << 10;
/// The most memory that a pattern without an engine may take while a text is matched, in bytes: a bit for each
/// state at each place of the text.
const VISITED_LIMIT: usize = 2 << 10;

/// Runs a pattern.
pub(super) enum Engine {
    /// All states worked out before: fast, and it asks for no memory.
    Dfa(Box<dense::DFA<Vec<u32>>>),
    Regex(Regex),
    /// It was compiled before, as a test; so this cannot be.
    Nothing,
}

impl Engine {
    /// The engine of a pattern that was compiled before.
    pub(super) fn of(source: &str) -> Self {
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .dfa_size_limit(Some(DFA_LIMIT))
            .determinize_size_limit(Some(DFA_LIMIT * 2));
        let dfa = nfa_of(source)
            .ok()
            .and_then(|nfa| dense::Builder::new().configure(config).build_from_nfa(&nfa).ok());
        if let Some(dfa) = dfa {
            return Self::Dfa(Box::new(dfa));
        }
        // Many states: they are worked out as texts need them, in memory that is bounded.
        let regex = whole(source).ok().and_then(|whole| {
            RegexBuilder::new(&whole)
                .unicode(false)
                .size_limit(SIZE_LIMIT * 4)
                .dfa_size_limit(CACHE_LIMIT)
                .nest_limit(NEST_LIMIT + 50)
                .build()
                .ok()
        });
        regex.map_or(Self::Nothing, Self::Regex)
    }

    /// Whether the pattern matches all of `text`.
    pub(super) fn is_full_match(&self, text: &[u8]) -> bool {
        match self {
            Self::Dfa(dfa) => {
                let input = Input::new(text).anchored(Anchored::Yes);
                matches!(dfa.try_search_fwd(&input), Ok(Some(_)))
            }
            Self::Regex(regex) => regex.is_match(text),
            Self::Nothing => false,
        }
    }
}

/// Anchors and a group, not a search and a look at the bounds: of `/a|/ab` a search stops at the
/// first alternative and would miss that the second one takes all of `/ab`.
pub(super) fn whole(source: &str) -> Result<String, Refusal> {
    Ok(format!(r"\A(?:{})\z", translate(source)?))
}

/// The program of a pattern.
pub(super) fn nfa_of(source: &str) -> Result<NFA, Refusal> {
    let syntax = syntax::Config::new().unicode(false).utf8(false).nest_limit(NEST_LIMIT + 50);
    let config = thompson::Config::new()
        .utf8(false)
        .which_captures(thompson::WhichCaptures::None)
        .nfa_size_limit(Some(SIZE_LIMIT));
    let mut compiler = thompson::Compiler::new();
    compiler.syntax(syntax).configure(config).build(&whole(source)?).map_err(|error| {
        match error.size_limit() {
            Some(_) => Refusal::TooLarge,
            None => Refusal::Unsupported(last_line(&error.to_string())),
        }
    })
}

/// Whether a pattern matches all of `text`, by its program alone. `None` when that takes long.
pub(super) fn matches_once(source: &str, text: &[u8]) -> Option<bool> {
    let config = backtrack::Config::new().visited_capacity(VISITED_LIMIT);
    let program = nfa_of(source).ok()?;
    let machine = backtrack::Builder::new().configure(config).build_from_nfa(program).ok()?;
    let input = Input::new(text).anchored(Anchored::Yes);
    machine.try_is_match(&mut machine.create_cache(), input).ok()
}
