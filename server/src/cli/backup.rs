//! `tradepost backup`: a copy of a shop that may be running.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use server::app;
use server::config::{self, Environment, Flags};
use server::shop::Shop;

use super::output::note;
use super::overrides::ConfigFile;
use super::{Failure, Output};

const AFTER_HELP: &str = "\
Works on the files of an embedded store, on the machine and as the user of the shop, which goes on meanwhile.
A copy of PostgreSQL is made by pg_dump: docs/how-to/backup.md says how, and how to restore both.

Example:
  tradepost backup /backups/monday
  tradepost up --data /backups/monday";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Backup {
    /// The folder to make; it must be new
    #[arg(value_name = "DIR")]
    to: PathBuf,
    /// The folder that holds all data [default: ./tradepost-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Database URL, if it is not the data folder: sqlite:DIR
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    #[command(flatten)]
    file: ConfigFile,
}

impl Backup {
    /// Blocks: nothing else is to be done meanwhile, and Ctrl-C ends the process.
    pub fn run(self, shop: &Shop, environment: &Environment, out: &mut Output) -> Result<(), Failure> {
        let flags = Flags { data_dir: self.data, store: self.store, ..Flags::default() };
        let settings = config::load(shop, &flags, self.file.path.as_deref(), environment)?.settings;
        let copied = app::backup(shop, &settings.data_dir, &settings.location(), &self.to);
        let copied = copied.map_err(|error| Failure::failed(format!("no backup was made: {error:#}")))?;
        let paused_ms = copied.paused.as_secs_f64() * 1_000.0;
        if out.is_json() {
            return out.document(&json!({
                "folder": self.to, "stores": copied.stores, "bytes": copied.bytes, "paused_ms": paused_ms,
            }));
        }
        out.text(self.to.display())?;
        note(&format!(
            "{} stores, {} bytes, as they were at one instant; commits were held up for {paused_ms:.1} ms",
            copied.stores, copied.bytes
        ));
        Ok(())
    }
}
