//! `tradepost serve`: some of the services in this process, beside others.

use clap::Args;
use server::app::{self, MissingStores, RunOptions, Scope};
use server::config::{self, Environment};
use server::shop::{CONSOLE, Shop};
use service::storage::Location;

use super::Failure;
use super::failure::Exit;
use super::overrides::{ConfigFile, Engines, Listening};
use super::up::not_run;

const AFTER_HELP: &str = "\
Each service may run in any number of processes; they share the work.
All of them need the same store, broker and admin token (TRADEPOST_ADMIN_TOKEN).
Run `tradepost migrate` before the first start and before a new version.

Options win over variables TRADEPOST_…, those over the configuration file.
The first Ctrl-C drains, the second ends at once.

Examples:
  tradepost serve orders
  tradepost serve users catalog --port 9000";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Serve {
    /// Services to run
    // The names come from the shop: see `cli::parse`.
    #[arg(value_name = "SERVICE", required = true)]
    services: Vec<String>,
    #[command(flatten)]
    engines: Engines,
    #[command(flatten)]
    listening: Listening,
    #[command(flatten)]
    file: ConfigFile,
}

/// Refuses a store or a broker that only one process can use.
pub fn refuse_unshared(shop: &Shop, settings: &config::Settings) -> Result<(), Failure> {
    let refused = |what: &str, setting: &str, example: &str| {
        let text = format!("{setting}: processes beside one another need {what} that they can share");
        Failure::new(Exit::Configuration, text)
            .with_help(format!("set --{setting} or TRADEPOST_{}, as in {example}", setting.to_uppercase()))
    };
    if let Location::Folder(_) = settings.location() {
        return Err(refused("a store", "store", "postgres://user:password@host/database"));
    }
    if !settings.broker.is_shared() {
        let shared = shop.brokers().iter().find(|adapter| adapter.guarantees().is_shared());
        return Err(refused("a broker", "broker", shared.map_or("(none)", |adapter| adapter.example())));
    }
    Ok(())
}

impl Serve {
    pub async fn run(self, shop: &Shop, environment: &Environment) -> Result<(), Failure> {
        let flags = self.listening.with(self.engines.into_flags());
        let mut loaded = config::load(shop, &flags, self.file.path.as_deref(), environment)?;
        // A console alone has no store and no reactions: it asks the others.
        if self.services.iter().any(|name| name != CONSOLE) {
            refuse_unshared(shop, &loaded.settings)?;
        }
        if loaded.settings.admin_token.is_none() {
            let text = "admin_token: the processes of a shop need one that all of them have";
            return Err(Failure::new(Exit::Configuration, text)
                .with_help("set TRADEPOST_ADMIN_TOKEN, or TRADEPOST_ADMIN_TOKEN_FILE to a file that holds it"));
        }
        if loaded.is_default("port") {
            let first = self.services.first().and_then(|name| shop.port_of(name));
            loaded.settings.port = first.unwrap_or(loaded.settings.port);
        }
        let scope = Scope::Part { services: self.services };
        let options = RunOptions { scope, demo: false, missing_stores: MissingStores::Refuse };
        let ended = app::run(shop.clone(), loaded.settings, options).await;
        ended.map_err(|error| not_run(&error))
    }
}
