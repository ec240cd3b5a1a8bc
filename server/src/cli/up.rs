//! `tradepost up`: all services in this process.

use bus::AdapterError;
use clap::Args;
use server::app::{self, MissingStores, RunOptions, Scope};
use server::config::{self, Environment, Flags};
use server::shop::Shop;
use service::{CannotStart, storage};

use super::Failure;
use super::failure::Exit;
use super::overrides::{ConfigFile, Contracts, Engines, Listening};

const AFTER_HELP: &str = "\
Options win over variables TRADEPOST_…, those over the configuration file.
The first Ctrl-C drains, the second ends at once.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Up {
    /// Begin with a dozen products, two customers, two suppliers, and orders in every state
    #[arg(long)]
    demo: bool,
    /// The folder that holds all data [default: ./tradepost-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Make stores anew whose files are missing, without what they held
    #[arg(long)]
    accept_loss: bool,
    #[command(flatten)]
    engines: Engines,
    #[command(flatten)]
    contracts: Contracts,
    #[command(flatten)]
    listening: Listening,
    #[command(flatten)]
    file: ConfigFile,
}

impl Up {
    pub async fn run(self, shop: &Shop, environment: &Environment) -> Result<(), Failure> {
        refuse_joining(shop)?;
        let flags = Flags { data_dir: self.data, ..self.listening.with(self.engines.into_flags()) };
        let flags = self.contracts.with(flags);
        let loaded = config::load(shop, &flags, self.file.path.as_deref(), environment)?;
        let scope = Scope::Whole { data: loaded.settings.data_dir.clone() };
        let missing_stores = if self.accept_loss { MissingStores::Accept } else { MissingStores::Refuse };
        let options = RunOptions { scope, demo: self.demo, missing_stores };
        let ended = app::run(shop.clone(), loaded.settings, options).await;
        ended.map_err(|error| not_run(&error))
    }
}

/// Refuses to run a shop that other programs run.
fn refuse_joining(shop: &Shop) -> Result<(), Failure> {
    if !shop.is_joining() {
        return Ok(());
    }
    let own: Vec<&str> = shop.own_services().collect();
    let text = format!("up: this program joins a shop, and runs only {} of it", own.join(", "));
    Err(Failure::new(Exit::Usage, text).with_help("run `migrate`, then `serve`, beside the processes of the shop"))
}

/// The reason why a process did not run, or ended.
pub fn not_run(error: &anyhow::Error) -> Failure {
    // What the settings name can't be used: waiting won't help.
    let is_store = matches!(error.downcast_ref(), Some(storage::Error::Unusable { .. }));
    let is_service = error.downcast_ref().is_some_and(CannotStart::is_lasting);
    let is_broker = matches!(error.downcast_ref(), Some(AdapterError::Unusable(_)));
    let exit = if is_store || is_service || is_broker { Exit::Configuration } else { Exit::Failed };
    Failure::new(exit, format!("{error:#}"))
}
