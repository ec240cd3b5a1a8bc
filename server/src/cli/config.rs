//! `tradepost config`: the settings of `up`, and where each came from.

use clap::Subcommand;
use serde_json::{Map, Value, json};
use server::config::{self, Environment, Flags, Shown};
use server::shop::Shop;

use super::overrides::ConfigFile;
use super::table::{Column, Table};
use super::{Failure, Output};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show every setting with its value; secrets are hidden
    Show {
        /// Show what set it, too
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        file: ConfigFile,
    },
}

impl Command {
    pub fn run(self, shop: &Shop, environment: &Environment, out: &mut Output) -> Result<(), Failure> {
        let Self::Show { origin, file } = self;
        let loaded = config::load(shop, &Flags::default(), file.path.as_deref(), environment)?;
        if out.is_json() {
            let entry = |shown: &Shown| (shown.key.to_owned(), json!({"value": shown.value, "origin": shown.origin}));
            let settings: Map<String, Value> = loaded.shown.iter().map(entry).collect();
            return out.document(&Value::Object(settings));
        }
        out.table(&table(loaded.shown, origin))
    }
}

fn table(settings: Vec<Shown>, with_origin: bool) -> Table {
    let (name, value) = (Column::Left("SETTING"), Column::Left("VALUE"));
    let mut table =
        if with_origin { Table::new([name, value, Column::Left("FROM")]) } else { Table::new([name, value]) };
    for setting in settings {
        let value = setting.value.unwrap_or_else(|| "(not set)".to_owned());
        if with_origin {
            table.row([setting.key.to_owned(), value, setting.origin]);
        } else {
            table.row([setting.key.to_owned(), value]);
        }
    }
    table
}
