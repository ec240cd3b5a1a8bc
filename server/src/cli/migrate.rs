//! `tradepost migrate`: everything that the processes of a shop need before they start.

use clap::Args;
use server::app;
use server::config::{self, Environment};

use super::serve::{Shared, refuse_unshared};
use super::up::{ConfigFile, not_run};
use super::{Failure, Output};

const AFTER_HELP: &str = "\
Makes each service's schema and tables, the exchange, and all queues with their bindings, so that an event waits for
its consumers whenever they first run. It changes nothing that is as it should be, and any number may run at once.
Run it before the first start and before a new version.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Migrate {
    #[command(flatten)]
    shared: Shared,
    #[command(flatten)]
    file: ConfigFile,
}

impl Migrate {
    pub async fn run(self, environment: &Environment, out: &mut Output) -> Result<(), Failure> {
        let loaded = config::load(&self.shared.into_flags(), self.file.path.as_deref(), environment)?;
        refuse_unshared(&loaded.settings)?;
        let done = app::migrate(&loaded.settings).await.map_err(|error| not_run(&error))?;
        if out.is_json() {
            return out.document(&serde_json::json!({"schemas": done.schemas, "consumers": done.consumers}));
        }
        out.text(format_args!("schemas  {}", done.schemas.join(", ")))?;
        out.text(format_args!("queues   of {}", done.consumers.join(", ")))
    }
}
