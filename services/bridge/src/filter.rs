//! Filters of jq: from a wire's words to ours, and back.
//!
//! A filter is compiled once and runs with bounds. It may not define functions, for one that calls itself need not end; what
//! can repeat counts its steps.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;

use jaq_core::data::JustLut;
use jaq_core::load::lex::{StrPart, Tok, Token};
use jaq_core::load::{self, Arena, File, Lexer, Loader};
use jaq_core::native::{Fun, run, v};
use jaq_core::{Ctx, Error, Exn, Vars, unwrap_valr};
use jaq_json::{Num, Val};
use kernel::{Clock, Ids, Uuid};

/// The kind of data that filters see.
type Data = JustLut<Val>;

/// The variables of every filter, in the order of [`Variables`].
const NAMES: [&str; 8] = ["$message", "$event", "$product", "$products", "$order", "$foreign", "$outcome", "$answers"];

/// Repetitions of one run at the most, over all that repeats.
const STEPS_MAX: u64 = 100_000;

/// Outputs of one run at the most.
pub(crate) const OUTPUTS_MAX: usize = 10_000;

/// Bytes of one output at the most.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// Lists and objects in one another at the most.
const DEPTH_MAX: usize = 100;

/// Functions written in Rust that would let a filter look around on the machine, or that are written here anew.
const LEFT_OUT: [&str; 4] = ["input", "inputs", "input_filename", "range"];

/// Functions of jq's own text, with the number of their arguments if it is one of several forms, which need what is not
/// there: regular expressions, dates, mathematics and formats take megabytes of a program.
const WITHOUT: [(&str, Option<usize>); 30] = [
    ("debug", None),
    ("stderr", None),
    ("halt", None),
    ("halt_error", None),
    ("capture_of_match", None),
    ("test", None),
    ("scan_", None),
    ("scan", None),
    ("match", None),
    ("capture", None),
    ("split", Some(2)),
    ("splits", None),
    ("sub", None),
    ("gsub", None),
    ("todate", None),
    ("fromdate", None),
    ("@sh", None),
    ("@html", None),
    ("@htmld", None),
    ("@uri", None),
    ("@urid", None),
    ("@base64", None),
    ("@base64d", None),
    ("logb", None),
    ("significand", None),
    ("pow10", None),
    ("drem", None),
    ("nexttoward", None),
    ("scalb", None),
    ("gamma", None),
];

/// Functions in the place of jq's of the same names, with a step in each repetition.
const COUNTED: &str = "
def repeat(f): def rec: step | f, rec; rec;
def recurse(f): def rec: step | ., (f | rec); rec;
def while(cond; update): def rec: step | if cond then ., (update | rec) else empty end; rec;
def until(cond; update): def rec: step | if cond then . else update | rec end; rec;
";

thread_local! {
    /// Steps that are left to the filter that runs.
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// A compiled filter.
pub(crate) struct Filter {
    compiled: jaq_core::Filter<Data>,
}

/// The values that a filter gets beside its input.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables {
    /// Properties and headers of the message that came.
    pub message: Val,
    /// The event that is sent on: its id, type, time and key.
    pub event: Val,
    /// The product that the event names.
    pub product: Val,
    /// All products that it names, by id; all of the shop for a façade that asks for them.
    pub products: Val,
    /// The order that it names.
    pub order: Val,
    /// Foreign ids of what the event names, by our ids.
    pub foreign: Val,
    /// The result of what a façade asked for.
    pub outcome: Val,
    /// Answers to the calls that a façade has made: status and body of each.
    pub answers: Val,
}

/// A mistake in a filter: where, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Bytes of the filter's text.
    pub at: Range<usize>,
    pub detail: String,
}

/// The reason why a filter gave nothing for a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failed {
    /// The filter refused its input, or an operation of it did.
    #[error("the filter said: {0}")]
    Said(String),
    /// The filter repeats for too long.
    #[error("the filter did not end within {STEPS_MAX} steps")]
    TooLong,
    /// The filter gives too much.
    #[error("the filter gave more than {OUTPUTS_MAX} values, or one of more than {OUTPUT_BYTES_MAX} bytes")]
    TooMuch,
}

impl Filter {
    /// Compiles a filter.
    pub fn compile(code: &str) -> Result<Self, Mistake> {
        refuse_definitions(code)?;
        let mut counted = load::parse(COUNTED, |parser| parser.defs()).expect("its text is tried by tests");
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let defs = defs.filter(|def| !is_without(def.name, def.args.len()));
        // In their places, for a function sees only those before it.
        let defs = defs.map(|def| {
            let alike = counted.iter().position(|own| (own.name, own.args.len()) == (def.name, def.args.len()));
            alike.map_or(def, |at| counted.swap_remove(at))
        });
        let loader = Loader::new(defs);
        let arena = Arena::default();
        let modules = loader.load(&arena, File { code, path: () }).map_err(|errors| mistake(code, errors))?;
        let funs = jaq_core::funs().chain(jaq_std::base_funs()).chain(jaq_json::funs());
        let funs = funs.filter(|(name, ..)| !LEFT_OUT.contains(name)).chain(own());
        let compiler = jaq_core::Compiler::<_, Data>::default().with_funs(funs).with_global_vars(NAMES);
        let compiled = compiler.compile(modules).map_err(|errors| undefined(code, &errors))?;
        Ok(Self { compiled })
    }

    /// All that it gives for an input.
    pub fn run(&self, input: Val, variables: &Variables) -> Result<Vec<Val>, Failed> {
        let Variables { message, event, product, products, order, foreign, outcome, answers } = variables.clone();
        let variables = Vars::new([message, event, product, products, order, foreign, outcome, answers]);
        STEPS.set(STEPS_MAX);
        let ctx = Ctx::<Data>::new(&self.compiled.lut, variables);
        let mut given = Vec::new();
        for output in self.compiled.id.run((ctx, input)).map(unwrap_valr) {
            let output = output.map_err(|error| match STEPS.get() {
                0 => Failed::TooLong,
                _ => Failed::Said(said(error)),
            })?;
            if given.len() == OUTPUTS_MAX {
                return Err(Failed::TooMuch);
            }
            given.push(output);
        }
        Ok(given)
    }

    /// The one value that it gives.
    pub fn run_once(&self, input: Val, variables: &Variables) -> Result<Val, Failed> {
        let mut given = self.run(input, variables)?;
        match given.len() {
            1 => Ok(given.remove(0)),
            many => Err(Failed::Said(format!("one value was expected, and it gave {many}"))),
        }
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filter")
    }
}

/// A value as the text of JSON.
pub(crate) fn to_json(value: &Val) -> Result<String, Failed> {
    let text = value.to_string();
    if text.len() > OUTPUT_BYTES_MAX {
        return Err(Failed::TooMuch);
    }
    // Not a number, and infinity, are values of jq and none of JSON.
    match serde_json::from_str::<&serde_json::value::RawValue>(&text) {
        Ok(_) => Ok(text),
        Err(_) => Err(Failed::Said(format!("{text} is no JSON"))),
    }
}

/// Text of JSON as a value, with numbers as they are written.
pub(crate) fn from_json(text: &[u8]) -> Result<Val, String> {
    if is_too_deep(text) {
        return Err(format!("it is nested more deeply than {DEPTH_MAX} levels"));
    }
    // Refuses what jq takes and JSON does not know.
    serde_json::from_slice::<serde::de::IgnoredAny>(text).map_err(|error| error.to_string())?;
    jaq_json::read::parse_single(text).map_err(|error| error.to_string())
}

/// True if lists and objects stand in one another too often: what reads them has a stack that ends.
fn is_too_deep(text: &[u8]) -> bool {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => depth += 1,
            b']' | b'}' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}

/// A text as a value.
pub(crate) fn text(text: impl Into<String>) -> Val {
    Val::from(text.into())
}

/// A text that is a value.
pub(crate) fn as_text(value: &Val) -> Option<String> {
    match value {
        Val::TStr(text) => String::from_utf8(text.to_vec()).ok(),
        _ => None,
    }
}

/// Anything that serialises, as a value.
pub(crate) fn of(value: &impl serde::Serialize) -> Val {
    let text = serde_json::to_vec(value).expect("our own values are JSON");
    from_json(&text).expect("it was just written")
}

/// The functions that contracts have beside those of jq.
fn own() -> impl Iterator<Item = Fun<Data>> {
    let all: [jaq_core::native::Filter<jaq_core::RunPtr<Data>>; 6] = [
        ("step", v(0), |cv| Box::new(std::iter::once(step().map(|()| cv.1).map_err(Exn::from)))),
        ("range", v(3), |mut cv| {
            let (by, to, from) = (cv.0.pop_var(), cv.0.pop_var(), cv.0.pop_var());
            Box::new(range(from, to, by))
        }),
        ("minor", v(1), |mut cv| {
            let digits = cv.0.pop_var();
            Box::new(std::iter::once(minor(&cv.1, &digits).map_err(Exn::from)))
        }),
        ("decimal", v(1), |mut cv| {
            let digits = cv.0.pop_var();
            Box::new(std::iter::once(decimal(&cv.1, &digits).map_err(Exn::from)))
        }),
        ("uuid", v(0), |_| Box::new(std::iter::once(Ok(text(new_id().to_string()))))),
        ("now_ms", v(0), |_| {
            let now = Clock::system().now().as_millisecond();
            Box::new(std::iter::once(Ok(Val::Num(Num::from_integral(now)))))
        }),
    ];
    all.into_iter().map(run::<Data>)
}

fn new_id() -> Uuid {
    let made: kernel::RequestId = Ids::new(Clock::system()).next();
    made.into()
}

/// The words of an error: a text without its quotes.
fn said(error: Error<Val>) -> String {
    let text = error.to_string();
    as_text(&error.into_val()).unwrap_or(text)
}

/// Counts one repetition.
fn step() -> Result<(), Error<Val>> {
    let left = STEPS.get();
    if left <= 1 {
        STEPS.set(0);
        return Err(Error::str("too many steps"));
    }
    STEPS.set(left - 1);
    Ok(())
}

fn range<'a>(from: Val, to: Val, by: Val) -> impl Iterator<Item = Result<Val, Exn<'a, Val>>> {
    let zero = Val::Num(Num::Int(0));
    let mut next = Some(from);
    std::iter::from_fn(move || {
        let here = next.take()?;
        let is_inside = match by.cmp(&zero) {
            std::cmp::Ordering::Greater => here < to,
            std::cmp::Ordering::Less => here > to,
            std::cmp::Ordering::Equal => here != to,
        };
        if !is_inside {
            return None;
        }
        if let Err(error) = step() {
            return Some(Err(error.into()));
        }
        match here.clone() + by.clone() {
            Ok(following) => {
                next = Some(following);
                Some(Ok(here))
            }
            Err(error) => Some(Err(error.into())),
        }
    })
}

/// Digits behind the point, 0 to 6.
fn digits(value: &Val) -> Result<u32, Error<Val>> {
    let digits = match value {
        Val::Num(Num::Int(digits)) => u32::try_from(*digits).ok().filter(|digits| *digits <= 6),
        _ => None,
    };
    digits.ok_or_else(|| Error::str("the number of digits behind the point is from 0 to 6"))
}

/// A decimal, which is a number or a text, as a whole number of minor units: 29.9 with 2 digits is 2990.
fn minor(value: &Val, places: &Val) -> Result<Val, Error<Val>> {
    let places = digits(places)?;
    let written = match value {
        Val::Num(number) => number.to_string(),
        Val::TStr(_) => as_text(value).unwrap_or_default().trim().to_owned(),
        other => return Err(Error::str(format!("{other} is no amount"))),
    };
    let amount = minor_units(&written, places)
        .ok_or_else(|| Error::str(format!("{value} is no amount with at most {places} digits behind the point")))?;
    Ok(Val::Num(Num::from_integral(amount)))
}

fn minor_units(written: &str, places: u32) -> Option<i64> {
    let (is_negative, unsigned) = match written.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, written),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let places = usize::try_from(places).ok()?;
    // Zeros behind the last digit say nothing.
    let fraction = fraction.trim_end_matches('0');
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || fraction.len() > places {
        return None;
    }
    let amount: i64 = format!("{whole}{fraction:0<places$}").parse().ok()?;
    Some(if is_negative { -amount } else { amount })
}

/// A whole number of minor units as an exact decimal: 2990 with 2 digits is 29.90.
fn decimal(value: &Val, places: &Val) -> Result<Val, Error<Val>> {
    let places = usize::try_from(digits(places)?).expect("it is small");
    let Val::Num(Num::Int(amount)) = value else {
        return Err(Error::str(format!("{value} is no whole number of minor units")));
    };
    if places == 0 {
        return Ok(value.clone());
    }
    let sign = if *amount < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", amount.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    Ok(Val::Num(Num::Dec(format!("{sign}{whole}.{fraction}").into())))
}

/// The place of a part in the filter's text. What is not of it is at its beginning.
fn place(code: &str, part: &str) -> Range<usize> {
    let (whole, part_at) = (code.as_bytes().as_ptr_range(), part.as_ptr());
    if whole.contains(&part_at) { load::span(code, part) } else { 0..0 }
}

/// True for a function of jq's own text that needs what is not there.
fn is_without(name: &str, arity: usize) -> bool {
    WITHOUT.iter().any(|(left_out, of)| *left_out == name && of.is_none_or(|of| of == arity))
}

/// Refuses `def`: a function that calls itself may have no end.
fn refuse_definitions(code: &str) -> Result<(), Mistake> {
    fn defines<'s>(tokens: &[Token<&'s str>]) -> Option<&'s str> {
        tokens.iter().find_map(|Token(text, kind)| match kind {
            Tok::Word if *text == "def" => Some(*text),
            Tok::Block(inner) => defines(inner),
            Tok::Str(parts) => parts.iter().find_map(|part| match part {
                StrPart::Term(token) => defines(std::slice::from_ref(token)),
                _ => None,
            }),
            _ => None,
        })
    }
    // What is no token at all is reported by the parser.
    let Ok(tokens) = Lexer::new(code).lex() else { return Ok(()) };
    match defines(&tokens) {
        None => Ok(()),
        Some(word) => {
            let detail = "a filter of a contract defines no functions: write the steps one behind the other";
            Err(Mistake { at: place(code, word), detail: detail.to_owned() })
        }
    }
}

fn mistake(code: &str, errors: load::Errors<&str, ()>) -> Mistake {
    let first = errors.into_iter().map(|(_, error)| error).next();
    let (at, detail) = match first {
        Some(load::Error::Lex(errors)) => match errors.into_iter().next() {
            Some((expected, found)) => (place(code, found), format!("{} was expected", expected.as_str())),
            None => (0..0, "it can't be read".to_owned()),
        },
        Some(load::Error::Parse(errors)) => match errors.into_iter().next() {
            Some((expected, found)) => (place(code, found), format!("{} was expected", expected.as_str())),
            None => (0..0, "it can't be read".to_owned()),
        },
        Some(load::Error::Io(_)) => (0..0, "a filter of a contract includes no other files".to_owned()),
        None => (0..0, "it can't be read".to_owned()),
    };
    Mistake { at, detail }
}

fn undefined(code: &str, errors: &jaq_core::compile::Errors<&str, ()>) -> Mistake {
    let first = errors.iter().flat_map(|(_, errors)| errors).next();
    match first {
        Some((name, kind)) => {
            Mistake { at: place(code, name), detail: format!("there is no {} {name}", kind.as_str()) }
        }
        None => Mistake { at: 0..0, detail: "it can't be compiled".to_owned() },
    }
}

#[cfg(test)]
mod tests;
