//! A look at a process while it is loaded, for as long as it lives.

use std::ops::AddAssign;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::books::{Stock, of_level};
use crate::client::{Client, Unanswered};

/// Often enough to catch what happens before a kill, rarely enough to be no load of its own.
const EVERY: Duration = Duration::from_millis(100);

/// The events that a run must have gone through to mean anything. Each process counts from zero.
#[derive(Clone, Copy, Default)]
pub struct Counters {
    pub redelivered: u64,
    pub duplicates: u64,
    pub looked_up: u64,
}

/// The observations of one process.
#[derive(Default)]
pub struct Seen {
    pub counters: Counters,
    /// Violations, which must never occur, not even for a moment.
    pub findings: Vec<String>,
}

pub struct Watch(JoinSet<Seen>);

impl Counters {
    pub async fn read(client: &Client) -> Result<Self, Unanswered> {
        let text = client.text("/metrics").await?;
        let sum = |name: &str, label: &str| {
            let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
            lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
        };
        Ok(Self {
            redelivered: sum("tradepost_events_redelivered_total", ""),
            duplicates: sum("tradepost_events_handled_total", "outcome=\"duplicate\""),
            looked_up: sum("tradepost_charges_looked_up_total", ""),
        })
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, life: Self) {
        self.redelivered += life.redelivered;
        self.duplicates += life.duplicates;
        self.looked_up += life.looked_up;
    }
}

impl Watch {
    pub fn start(client: &Client) -> Self {
        let client = client.clone();
        let mut watch = JoinSet::new();
        watch.spawn(async move {
            let mut seen = Seen::default();
            while look(&client, &mut seen).await.is_ok() {
                tokio::time::sleep(EVERY).await;
            }
            seen
        });
        Self(watch)
    }

    /// The observations until the process died.
    pub async fn ended(mut self) -> Seen {
        let seen = self.0.join_next().await.expect("one task watches");
        seen.expect("the watch doesn't panic")
    }
}

async fn look(client: &Client, seen: &mut Seen) -> Result<(), Unanswered> {
    seen.counters = Counters::read(client).await?;
    let stock: Vec<Stock> = client.first("/v1/stock").await?;
    seen.findings.extend(stock.iter().filter_map(of_level));
    Ok(())
}
