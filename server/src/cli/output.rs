//! Output: data on stdout, hints on stderr.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use clap::builder::styling::{AnsiColor, Style};
use serde_json::Value;
use server::config::Environment;

use super::Failure;
use super::client::Listing;
use super::table::Table;
use super::terminal::{plain, plain_json};

/// Stdout: tables and lines for people, or JSON for programs.
pub struct Output {
    stdout: BufWriter<Stdout>,
    json: bool,
    is_terminal: bool,
    is_styled: bool,
}

/// The styles of the parts of a line; the default is plain.
#[derive(Clone, Copy, Debug, Default)]
pub struct Styles {
    /// For secondary text.
    pub dimmed: Style,
    /// For text that asks for attention.
    pub alarming: Style,
}

/// True if stderr may be coloured.
pub fn styled_stderr(environment: &Environment) -> bool {
    io::stderr().is_terminal() && !environment.no_color()
}

impl Output {
    pub fn new(json: bool, environment: &Environment) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let is_styled = is_terminal && !environment.no_color();
        Self { stdout: BufWriter::new(io::stdout()), json, is_terminal, is_styled }
    }

    /// True if programs read this.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// The styles of the parts of a line.
    pub fn styles(&self) -> Styles {
        if !self.is_styled {
            return Styles::default();
        }
        Styles { dimmed: Style::new().dimmed(), alarming: AnsiColor::Red.on_default() }
    }

    /// Text for people that has been neutralised, with its last line break added.
    pub fn text(&mut self, text: impl Display) -> Result<(), Failure> {
        writeln!(self.stdout, "{text}")?;
        Ok(self.stdout.flush()?)
    }

    /// A table for people.
    pub fn table(&mut self, table: &Table) -> Result<(), Failure> {
        let text = table.render(self.is_terminal);
        self.stdout.write_all(text.as_bytes())?;
        Ok(self.stdout.flush()?)
    }

    /// The one document of a command, for programs.
    pub fn document(&mut self, value: &Value) -> Result<(), Failure> {
        self.text(plain_json(&format!("{value:#}")))
    }

    /// One object of a stream, for programs.
    pub fn record(&mut self, value: &Value) -> Result<(), Failure> {
        self.text(plain_json(&value.to_string()))
    }

    /// A page of things: the server's JSON, or a table. An empty one says what to do next.
    pub fn listing(
        &mut self,
        listing: &Listing,
        empty: &str,
        table: impl FnOnce(&[Value]) -> Result<Table, Failure>,
    ) -> Result<(), Failure> {
        if self.json {
            return self.document(&listing.to_json());
        }
        if !listing.missing.is_empty() {
            note(&missing_services(&listing.missing));
        }
        if listing.items.is_empty() {
            if listing.missing.is_empty() {
                note(empty);
            }
            return Ok(());
        }
        self.table(&table(&listing.items)?)?;
        if listing.next.is_some() {
            note(&format!("there are more than these {}: --limit shows more", listing.items.len()));
        }
        Ok(())
    }
}

/// That an answer is not whole.
pub fn missing_services(services: &[String]) -> String {
    format!("unreachable, so their entries are missing here: {}", services.join(", "))
}

/// A hint on stderr. Nobody reads a stderr that is closed.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{}", plain(text));
}
