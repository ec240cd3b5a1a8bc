//! The failure of a command, as people and scripts see it.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};
use serde_json::{Value, json};
use server::config::Errors;

use super::terminal::{plain, plain_json};

/// Exit codes that scripts may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The reader of the output has enough, as in `| head`.
    Ok = 0,
    Failed = 1,
    /// A misused command line. People get it from the parser of the arguments, with its own text.
    Usage = 2,
    Configuration = 3,
    NotFound = 4,
    Conflict = 5,
    PartlyFailed = 6,
    Unreachable = 7,
    CheckFailed = 8,
    Interrupted = 130,
}

impl Exit {
    /// The stable code and the title of a document about a failure that no server answered.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Ok => ("ok", "Ok"),
            Self::Failed => ("failed", "Failed"),
            Self::Usage => ("usage", "Misused command line"),
            Self::Configuration => ("configuration", "Invalid configuration"),
            Self::NotFound => ("not_found", "Not found"),
            Self::Conflict => ("conflict", "Conflict"),
            Self::PartlyFailed => ("partly_failed", "Partly failed"),
            Self::Unreachable => ("unreachable", "Server unreachable"),
            Self::CheckFailed => ("check_failed", "Check failed"),
            Self::Interrupted => ("interrupted", "Interrupted"),
        }
    }
}

/// The failure, its subject, and the remedy.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: Option<String>,
    details: Vec<String>,
    help: Option<String>,
    /// The document that the server answered.
    problem: Option<Value>,
}

/// The form in which a failure is printed.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// Lines for people, coloured or not.
    Text { is_styled: bool },
    /// One line of JSON for programs: a problem document (RFC 9457).
    Json,
}

impl Failure {
    /// A failure with a code of its own.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::silent(exit) }
    }

    /// One for which there is no better code.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Ctrl-C: the person knows, so nothing is said.
    pub fn interrupted() -> Self {
        Self::silent(Exit::Interrupted)
    }

    fn silent(exit: Exit) -> Self {
        Self { exit, message: None, details: Vec::new(), help: None, problem: None }
    }

    /// Adds the parts of what went wrong, one line each.
    #[must_use]
    pub fn with_details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the problem document that the server answered.
    #[must_use]
    pub fn with_problem(mut self, problem: Value) -> Self {
        self.problem = Some(problem);
        self
    }

    /// The code in the server's document.
    pub fn code(&self) -> Option<&str> {
        self.problem.as_ref()?.get("code")?.as_str()
    }

    /// The parts of what went wrong.
    pub fn details(&self) -> &[String] {
        &self.details
    }

    /// The code that the process would end with.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Prints it on stderr, and gives the code to end with.
    pub fn report(&self, form: Form) -> ExitCode {
        let text = match form {
            Form::Text { is_styled } => self.render(is_styled),
            Form::Json => self.document().map(|document| plain_json(&document.to_string()) + "\n").unwrap_or_default(),
        };
        // A stderr that is closed has no reader.
        let _ = io::stderr().write_all(text.as_bytes());
        ExitCode::from(self.exit as u8)
    }

    /// The server's document as it was answered, or one of the same form that says what happened here.
    fn document(&self) -> Option<Value> {
        let (code, title) = self.exit.words();
        let message = self.message.as_ref()?;
        Some(self.problem.clone().unwrap_or_else(|| {
            let mut document = json!({"type": "about:blank", "title": title, "code": code, "detail": message});
            if !self.details.is_empty() {
                document["details"] = json!(self.details);
            }
            if let Some(help) = &self.help {
                document["help"] = json!(help);
            }
            document
        }))
    }

    /// Messages quote what others wrote, so everything is neutralised here.
    fn render(&self, is_styled: bool) -> String {
        let style = |color: AnsiColor| if is_styled { color.on_default().bold() } else { Style::new() };
        let (error, help) = (style(AnsiColor::Red), style(AnsiColor::Cyan));
        let message = self.message.iter().map(|text| format!("{error}error:{error:#} {}\n", plain(text)));
        let details = self.details.iter().map(|text| format!("  {}\n", plain(text)));
        let advice = self.help.iter().map(|text| format!("{help}help:{help:#} {}\n", plain(text)));
        let lines: Vec<String> = message.chain(details).chain(advice).collect();
        lines.concat()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.as_deref().unwrap_or("interrupted"))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::silent(Exit::Ok);
        }
        Self::failed(format!("the output can't be written: {error}"))
    }
}

impl From<Errors> for Failure {
    fn from(errors: Errors) -> Self {
        Self::new(Exit::Configuration, "the configuration is not valid")
            .with_details(errors.iter().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_where_and_what_to_do() {
        let failure = Failure::new(Exit::Conflict, "the order is \u{1b}[31mpaid")
            .with_details(vec!["status: paid".to_owned()])
            .with_help("look at it");
        assert_eq!(failure.render(false), "error: the order is \\u{1b}[31mpaid\n  status: paid\nhelp: look at it\n");
    }

    #[test]
    fn a_failure_for_programs_is_a_problem_document() {
        let own = Failure::new(Exit::NotFound, "no such sku").with_help("list them").document();
        let expected = json!({"type": "about:blank", "title": "Not found", "code": "not_found", "detail": "no such sku",
            "help": "list them"});
        assert_eq!(own, Some(expected));
        let answered = json!({"type": "about:blank", "title": "Conflict", "status": 409, "code": "too_late"});
        let failure = Failure::new(Exit::Conflict, "it is paid").with_help("wait").with_problem(answered.clone());
        assert_eq!(failure.document(), Some(answered));
        assert_eq!(Failure::interrupted().document(), None);
    }

    #[test]
    fn a_reader_that_has_enough_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.exit(), failure.render(true)), (Exit::Ok, String::new()));
    }
}
