//! Why a command failed, as people and scripts see it.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};
use server::config::Errors;

use super::terminal::plain;

/// Exit codes that scripts may rely on. 2, a misused command line, is said by the parser of the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The reader of the output has enough, as in `| head`.
    Ok = 0,
    Failed = 1,
    Configuration = 3,
    NotFound = 4,
    Conflict = 5,
    PartlyFailed = 6,
    Unreachable = 7,
    CheckFailed = 8,
    Interrupted = 130,
}

/// What went wrong, on what, and what to do.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: Option<String>,
    details: Vec<String>,
    help: Option<String>,
}

impl Failure {
    /// A failure with a code of its own.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: Some(message.into()), details: Vec::new(), help: None }
    }

    /// One for which there is no better code.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Ctrl-C: the person knows, so nothing is said.
    pub fn interrupted() -> Self {
        Self { exit: Exit::Interrupted, message: None, details: Vec::new(), help: None }
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

    /// The code that the process would end with.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Tells it on stderr, and gives the code to end with.
    pub fn report(&self, is_styled: bool) -> ExitCode {
        // A stderr that is closed leaves nobody to tell.
        let _ = io::stderr().write_all(self.render(is_styled).as_bytes());
        ExitCode::from(self.exit as u8)
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
            return Self { exit: Exit::Ok, message: None, details: Vec::new(), help: None };
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
    fn a_reader_that_has_enough_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.exit(), failure.render(true)), (Exit::Ok, String::new()));
    }
}
