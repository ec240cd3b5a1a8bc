//! `tradepost bench`

mod books;
mod disk;
mod histogram;
mod load;
mod orders;
mod plan;
mod probe;
mod report;
mod shop;

use clap::Subcommand;

use super::client::Client;
use super::{Failure, Output};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Place many orders, measure, and check that the books balance
    Orders(orders::Orders),
    /// Measure how often in a second the disk makes a write durable: what every commit waits for
    Disk(disk::Disk),
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Orders(orders) => orders.run(client, out).await,
            Self::Disk(disk) => disk.run(out).await,
        }
    }
}
