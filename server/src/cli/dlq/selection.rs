//! The dead letters that a command is about: by their ids, or all that match a filter.

use clap::Args;
use kernel::DeadLetterId;
use serde_json::Value;

use super::{DeadLetter, PATH};
use crate::cli::arguments::id;
use crate::cli::client::{Client, Listing};
use crate::cli::failure::Exit;
use crate::cli::output::note;
use crate::cli::terminal::plain;
use crate::cli::{Failure, Output, problem};

/// Items of a page at most: the server's bound.
const PAGE: usize = 100;

/// Failures that are listed one by one; beyond it only their number is of use.
const LISTED_MAX: usize = 20;

/// Some of the dead letters.
#[derive(Debug, Args)]
pub struct Filter {
    /// Only those of this service
    #[arg(long, value_name = "SERVICE")]
    consumer: Option<String>,
    /// Only those whose reason contains this text, letter case aside
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
With --json there is one object a line: each dead letter that was settled.

Example:
  tradepost dlq replay --all --consumer notifications --reason \"connection refused\"")]
pub struct Letters {
    /// Their ids
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "LETTER", value_parser = id::<DeadLetterId>)]
    letters: Vec<DeadLetterId>,
    /// All dead letters there are now, or those that match --consumer and --reason
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: Filter,
}

/// An action on a dead letter.
#[derive(Clone, Copy, Debug)]
pub struct Verb {
    path: &'static str,
    done: &'static str,
}

impl Verb {
    pub const REPLAY: Self = Self { path: "replay", done: "replayed" };
    pub const DISCARD: Self = Self { path: "discard", done: "discarded" };
}

impl Filter {
    /// True if every dead letter matches.
    pub fn is_any(&self) -> bool {
        self.consumer.is_none() && self.reason.is_none()
    }

    /// The first `limit` dead letters that match.
    pub async fn list(&self, client: &Client, limit: usize) -> Result<Listing, Failure> {
        if self.reason.is_none() {
            return client.list(PATH, &self.query(), limit).await;
        }
        let mut found = Listing { items: Vec::new(), next: None, missing: Vec::new() };
        loop {
            let page = self.page(client, found.next.take().as_deref()).await?;
            found.items.extend(page.items);
            found.missing = page.missing;
            found.next = page.next;
            if found.items.len() > limit {
                // A cursor from the middle of a page is not known; that there is more is.
                found.items.truncate(limit);
                return Ok(found);
            }
            if found.next.is_none() {
                return Ok(found);
            }
        }
    }

    /// The dead letters of one page that match.
    async fn page(&self, client: &Client, cursor: Option<&str>) -> Result<Listing, Failure> {
        let mut page = client.page(PATH, &self.query(), PAGE, cursor).await?;
        page.items.retain(|letter| self.matches(letter));
        Ok(page)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        self.consumer.iter().map(|consumer| ("consumer", consumer.as_str())).collect()
    }

    fn matches(&self, letter: &Value) -> bool {
        let Some(wanted) = &self.reason else { return true };
        letter["reason"].as_str().is_some_and(|reason| reason.to_lowercase().contains(&wanted.to_lowercase()))
    }
}

impl Letters {
    /// Does the same with each, and goes on after one that is refused.
    pub async fn each(&self, client: &Client, out: &mut Output, verb: Verb) -> Result<(), Failure> {
        if !self.all && !self.filter.is_any() {
            return Err(Failure::new(Exit::Usage, "--consumer and --reason select among --all"));
        }
        let mut tally = Tally::default();
        let ran = if self.all {
            self.each_match(client, out, verb, &mut tally).await
        } else {
            self.each_named(client, out, verb, &mut tally).await
        };
        tally.finish(verb, ran)
    }

    async fn each_named(
        &self,
        client: &Client,
        out: &mut Output,
        verb: Verb,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        for letter in &self.letters {
            settle(client, out, &letter.to_string(), verb, tally).await?;
        }
        Ok(())
    }

    /// Page by page, from the newest on: what is parked again meanwhile is not met a second time.
    async fn each_match(
        &self,
        client: &Client,
        out: &mut Output,
        verb: Verb,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let mut cursor = None;
        loop {
            let page = self.filter.page(client, cursor.as_deref()).await?;
            for letter in &page.items {
                let letter: DeadLetter = client.view(letter)?;
                settle(client, out, &letter.dead_letter_id, verb, tally).await?;
            }
            cursor = page.next;
            if cursor.is_none() {
                // Those of services that can't be asked are neither counted nor settled.
                return if page.missing.is_empty() { Ok(()) } else { Err(problem::missing_services(&page.missing)) };
            }
        }
    }
}

async fn settle(client: &Client, out: &mut Output, letter: &str, verb: Verb, tally: &mut Tally) -> Result<(), Failure> {
    match client.post(&format!("{PATH}/{letter}/{}", verb.path), None).await {
        Ok(answer) => {
            tally.done += 1;
            if out.is_json() {
                return out.record(&answer);
            }
            let DeadLetter { consumer, event_type, .. } = client.view(&answer)?;
            out.text(format_args!("{} {}: {} of {}", verb.done, plain(letter), plain(&event_type), plain(&consumer)))
        }
        // No server answers, so none would for the next one either.
        Err(failure) if failure.exit() == Exit::Unreachable => Err(failure),
        Err(failure) => {
            tally.refuse(letter, failure);
            Ok(())
        }
    }
}

/// The number that was settled, and the reasons for the others.
#[derive(Default)]
struct Tally {
    done: usize,
    refused: usize,
    /// The first refusals, one line each.
    details: Vec<String>,
    first: Option<Failure>,
}

impl Tally {
    fn refuse(&mut self, letter: &str, failure: Failure) {
        self.refused += 1;
        if self.details.len() < LISTED_MAX {
            self.details.push(format!("{letter}: {failure}"));
        }
        self.first.get_or_insert(failure);
    }

    /// `ran` is an error if not all of them were tried.
    fn finish(mut self, verb: Verb, ran: Result<(), Failure>) -> Result<(), Failure> {
        match ran {
            Ok(()) if self.refused == 0 => {
                if self.done == 0 {
                    note("no such dead letters");
                }
                return Ok(());
            }
            Err(failure) if self.done + self.refused == 0 || failure.exit() == Exit::Ok => return Err(failure),
            Err(failure) => self.details.push(format!("the others were not tried: {failure}")),
            Ok(()) => {}
        }
        let is_only = self.done == 0 && self.details.len() == 1;
        if let Some(only) = self.first.take_if(|_| is_only) {
            return Err(only);
        }
        let tried = self.done + self.refused;
        let exit = if self.done > 0 { None } else { self.first.map(|failure| failure.exit()) };
        let message = match self.refused {
            0 => format!("{tried} dead letters were {}, and not all were tried", verb.done),
            refused => format!("{refused} of {tried} dead letters could not be {}", verb.done),
        };
        Err(Failure::new(exit.unwrap_or(Exit::PartlyFailed), message).with_details(self.details))
    }
}
