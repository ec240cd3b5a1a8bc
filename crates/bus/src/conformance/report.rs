//! The outcome of the suite as a table.

use std::fmt::{self, Write};

use crate::Guarantees;

/// The promises of a broker, and those that it kept. Displays as a table.
#[derive(Debug)]
pub struct Report {
    broker: &'static str,
    guarantees: Guarantees,
    cases: Vec<(&'static str, Status)>,
}

#[derive(Debug)]
pub(super) enum Status {
    Passed,
    NotPromised,
    Failed(String),
}

impl Report {
    pub(super) fn new(broker: &'static str, guarantees: Guarantees) -> Self {
        Self { broker, guarantees, cases: Vec::new() }
    }

    pub(super) fn add(&mut self, case: &'static str, status: Status) {
        self.cases.push((case, status));
    }

    /// The broker's name.
    pub fn broker(&self) -> &'static str {
        self.broker
    }

    /// The cases that were passed.
    pub fn passed(&self) -> Vec<&'static str> {
        self.cases.iter().filter(|(_, status)| matches!(status, Status::Passed)).map(|(name, _)| *name).collect()
    }

    /// The cases that were failed.
    pub fn failed(&self) -> Vec<&'static str> {
        self.cases.iter().filter(|(_, status)| matches!(status, Status::Failed(_))).map(|(name, _)| *name).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "broker: {}", self.broker)?;
        for (name, promised) in promises(self.guarantees) {
            writeln!(f, "  {:<3}  {name}", if promised { "yes" } else { "no" })?;
        }
        writeln!(f, "cases:")?;
        for (name, status) in &self.cases {
            match status {
                Status::Passed => writeln!(f, "  ok    {name}")?,
                Status::NotPromised => writeln!(f, "  -     {name}")?,
                Status::Failed(why) => writeln!(f, "  FAIL  {name}: {why}")?,
            }
        }
        Ok(())
    }
}

/// The promises of several brokers side by side, as a Markdown table.
pub fn compared(brokers: &[(&str, Guarantees)]) -> String {
    let names: Vec<&str> = brokers.iter().map(|(name, _)| *name).collect();
    let mut table = format!("| promise | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    let columns: Vec<_> = brokers.iter().map(|(_, guarantees)| promises(*guarantees)).collect();
    let rows = columns.first().map_or(0, |column| column.len());
    for row in 0..rows {
        let kept: Vec<&str> = columns.iter().map(|column| if column[row].1 { "yes" } else { "no" }).collect();
        let _ = writeln!(table, "| {} | {} |", columns[0][row].0, kept.join(" | "));
    }
    table
}

fn promises(guarantees: Guarantees) -> [(&'static str, bool); 6] {
    // Taken apart so that a new promise can't be left out of the table.
    let Guarantees {
        survives_restart,
        redelivered_flag,
        destination_per_consumer,
        stored_means_settled,
        bounded_queues,
        exclusive_subscriptions,
    } = guarantees;
    [
        ("stored messages survive a restart", survives_restart),
        ("redeliveries are marked", redelivered_flag),
        ("each consumer is a destination", destination_per_consumer),
        ("stored means settled", stored_means_settled),
        ("queues are bounded", bounded_queues),
        ("subscriptions are exclusive", exclusive_subscriptions),
    ]
}
