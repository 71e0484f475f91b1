//! From RE2's syntax to that of the `regex` crate.

use super::class::{push_byte, take_bracketed, take_perl, take_unicode};
use super::scan::Scanner;
use super::{NEST_LIMIT, Refusal};
use std::fmt::Write;

/// The largest count in a repetition, and the largest product of nested ones.
const MAX_REPEAT: u32 = 1000;

/// Writes `pattern` so that the `regex` crate reads in it what RE2 does.
///
/// # Errors
/// What RE2 refuses, and what cannot be said otherwise.
pub fn translate(pattern: &str) -> Result<String, Refusal> {
    let mut translator = Translator { scanner: Scanner::new(pattern), ..Translator::default() };
    translator.run()?;
    Ok(translator.out)
}

/// A group that is open, or the whole pattern.
#[derive(Default)]
struct Group {
    /// The largest product of counts inside what was repeated last.
    repeats: u32,
    /// The largest such product in the group so far.
    most_repeats: u32,
    /// Whether there is something in this alternative that an operator could repeat.
    has_operand: bool,
}

struct Translator<'p> {
    scanner: Scanner<'p>,
    out: String,
    groups: Vec<Group>,
    /// Whether the last thing read was an operator of repetition: two must not follow each other.
    after_repeat: bool,
}

impl Default for Translator<'_> {
    fn default() -> Self {
        Self {
            scanner: Scanner::new(""),
            out: String::new(),
            groups: vec![Group::default()],
            after_repeat: false,
        }
    }
}

impl Translator<'_> {
    fn run(&mut self) -> Result<(), Refusal> {
        while let Some(byte) = self.scanner.peek() {
            let repeats = match byte {
                b'*' | b'+' | b'?' => {
                    self.scanner.next();
                    self.repeat(&char::from(byte).to_string(), 1)?;
                    true
                }
                b'{' => self.brace()?,
                _ => {
                    self.other(byte)?;
                    false
                }
            };
            self.after_repeat = repeats;
        }
        if self.groups.len() > 1 { Err(Refusal::Syntax("a '(' is not closed".into())) } else { Ok(()) }
    }

    fn other(&mut self, byte: u8) -> Result<(), Refusal> {
        match byte {
            b'(' => self.open(),
            b')' => self.close(),
            b'|' => {
                self.scanner.next();
                self.out.push('|');
                self.group(|group| group.has_operand = false);
                Ok(())
            }
            b'[' => {
                take_bracketed(&mut self.scanner, &mut self.out)?;
                self.operand(1);
                Ok(())
            }
            b'\\' => self.backslash(),
            b'.' | b'^' | b'$' => {
                self.scanner.next();
                self.out.push(char::from(byte));
                self.operand(1);
                Ok(())
            }
            _ => {
                self.scanner.next();
                self.literal(byte);
                Ok(())
            }
        }
    }

    fn group(&mut self, change: impl FnOnce(&mut Group)) {
        if let Some(group) = self.groups.last_mut() {
            change(group);
        }
    }

    /// Something was written that an operator may repeat.
    fn operand(&mut self, repeats: u32) {
        self.group(|group| {
            group.has_operand = true;
            group.repeats = repeats;
            group.most_repeats = group.most_repeats.max(repeats);
        });
    }

    /// One byte. A character of several is several literals, and an operator after it repeats
    /// the last byte alone.
    fn literal(&mut self, byte: u8) {
        push_byte(&mut self.out, byte);
        self.operand(1);
    }

    /// An operator of repetition was read: checks that RE2 would take it here.
    fn repeat(&mut self, operator: &str, count: u32) -> Result<(), Refusal> {
        let lazy = self.scanner.take("?");
        if self.after_repeat {
            return Err(Refusal::Syntax(format!("{operator:?} repeats a repetition")));
        }
        let group = self.groups.last().filter(|group| group.has_operand);
        let Some(group) = group else {
            return Err(Refusal::Syntax(format!("nothing to repeat before {operator:?}")));
        };
        let product = group.repeats.saturating_mul(count);
        if count > 1 && product > MAX_REPEAT {
            return Err(Refusal::Syntax(format!("more than {MAX_REPEAT} repetitions")));
        }
        self.out.push_str(operator);
        if lazy {
            self.out.push('?');
        }
        self.operand(product);
        Ok(())
    }

    /// A brace: a repetition, or plain text. Answers which.
    fn brace(&mut self) -> Result<bool, Refusal> {
        let Some((least, most)) = self.scanner.take_repetition() else {
            self.scanner.next();
            self.literal(b'{');
            return Ok(false);
        };
        if most.is_some_and(|most| most < least) || least.max(most.unwrap_or(0)) > MAX_REPEAT {
            return Err(Refusal::Syntax(format!("repetition of {least} to {most:?}")));
        }
        let operator = match most {
            Some(most) => format!("{{{least},{most}}}"),
            None => format!("{{{least},}}"),
        };
        self.repeat(&operator, least.max(most.unwrap_or(0)).max(1))?;
        Ok(true)
    }

    fn open(&mut self) -> Result<(), Refusal> {
        self.scanner.next();
        if self.groups.len() > NEST_LIMIT as usize {
            return Err(Refusal::Unsupported(format!("groups nested more than {NEST_LIMIT} deep")));
        }
        if !self.scanner.take("?") {
            self.out.push_str("(?:");
            self.groups.push(Group::default());
            return Ok(());
        }
        if self.scanner.take("P<") || self.scanner.take("<") {
            return self.named();
        }
        self.flags()
    }

    /// The rest of `(?P<name>` or `(?<name>`. Nobody asks for the captures, so names go,
    /// and the same one may come twice.
    fn named(&mut self) -> Result<(), Refusal> {
        let name = self.scanner.take_until(">").unwrap_or_default();
        let spelled =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !spelled {
            return Err(Refusal::Syntax(format!("group name {name:?}")));
        }
        self.out.push_str("(?:");
        self.groups.push(Group::default());
        Ok(())
    }

    /// The rest of `(?flags)` or `(?flags:`. RE2 lets flags repeat and be none at all.
    fn flags(&mut self) -> Result<(), Refusal> {
        let (mut on, mut off) = (String::new(), String::new());
        let (mut negated, mut any) = (false, true);
        loop {
            match self.scanner.next() {
                Some(flag @ (b'i' | b'm' | b's' | b'U')) => {
                    let flag = char::from(flag);
                    any = true;
                    // The last word on a flag counts.
                    on.retain(|other| other != flag);
                    off.retain(|other| other != flag);
                    if negated { &mut off } else { &mut on }.push(flag);
                }
                Some(b'-') if !negated => (negated, any) = (true, false),
                Some(end @ (b':' | b')')) if any => {
                    self.write_flags(&on, &off, end == b':');
                    return Ok(());
                }
                _ => return Err(Refusal::Syntax("what follows '(?'".into())),
            }
        }
    }

    fn write_flags(&mut self, on: &str, off: &str, opens: bool) {
        let minus = if off.is_empty() { "" } else { "-" };
        if opens {
            let _ = write!(self.out, "(?{on}{minus}{off}:");
            self.groups.push(Group::default());
        } else if !(on.is_empty() && off.is_empty()) {
            let _ = write!(self.out, "(?{on}{minus}{off})");
        }
    }

    fn close(&mut self) -> Result<(), Refusal> {
        self.scanner.next();
        let Some(group) = self.groups.pop().filter(|_| !self.groups.is_empty()) else {
            return Err(Refusal::Syntax("a ')' closes nothing".into()));
        };
        self.out.push(')');
        self.operand(group.most_repeats.max(1));
        Ok(())
    }

    fn backslash(&mut self) -> Result<(), Refusal> {
        for (escape, written) in
            [(r"\b", r"\b"), (r"\B", r"\B"), (r"\A", r"\A"), (r"\z", r"\z"), (r"\C", "(?s:.)")]
        {
            if self.scanner.take(escape) {
                self.out.push_str(written);
                self.operand(1);
                return Ok(());
            }
        }
        if self.scanner.take(r"\Q") {
            while !self.scanner.is_empty() && !self.scanner.take(r"\E") {
                if let Some(byte) = self.scanner.next() {
                    self.literal(byte);
                }
            }
            return Ok(());
        }
        if let Some(class) = take_unicode(&mut self.scanner)? {
            self.out.push_str(&class);
            self.operand(1);
            return Ok(());
        }
        if let Some(class) = take_perl(&mut self.scanner) {
            self.out.push_str(class);
            self.operand(1);
            return Ok(());
        }
        let byte = self.scanner.take_escape()?;
        self.literal(byte);
        Ok(())
    }
}
