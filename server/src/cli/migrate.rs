//! `tradepost migrate`: everything that the processes of a shop need before they start.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;
use server::app::{self, Migrated};
use server::config::{self, Environment};
use server::shop::Shop;

use super::overrides::{ConfigFile, Engines};
use super::serve::refuse_unshared;
use super::terminal::plain;
use super::up::not_run;
use super::{Failure, Output};

const AFTER_HELP: &str = "\
Makes each service's schema and tables, the exchange, and all queues with their bindings, so that an event waits for
its consumers whenever they first run. A service that reacts to events which the shop emitted before gets those first.
It changes nothing that is as it should be; of several that run at once each waits for its turn.
Waits half a minute for a store or a broker that is unreachable.
Run it before the first start and before a new version.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Migrate {
    #[command(flatten)]
    engines: Engines,
    #[command(flatten)]
    file: ConfigFile,
}

impl Migrate {
    pub async fn run(self, shop: &Shop, environment: &Environment, out: &mut Output) -> Result<(), Failure> {
        let loaded = config::load(shop, &self.engines.into_flags(), self.file.path.as_deref(), environment)?;
        refuse_unshared(shop, &loaded.settings)?;
        let done = app::migrate(shop, &loaded.settings, report).await.map_err(|error| not_run(&error))?;
        if out.is_json() {
            let Migrated { schemas, consumers, copied } = done;
            return out.document(&json!({"schemas": schemas, "consumers": consumers, "copied": copied}));
        }
        out.text(format_args!("schemas  {}", done.schemas.join(", ")))?;
        out.text(format_args!("queues   of {}", done.consumers.join(", ")))?;
        if done.copied > 0 {
            out.text(format_args!(
                "backlog  {} events of the archives, which their consumers handle first",
                done.copied
            ))?;
        }
        Ok(())
    }
}

/// Prints progress to stderr, for stdout is for results.
fn report(text: String) {
    // Nobody reads a stderr that is closed.
    let _ = writeln!(io::stderr(), "{}", plain(&text));
}
