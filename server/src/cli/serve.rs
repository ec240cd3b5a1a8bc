//! `tradepost serve`: some of the services in this process, beside others.

use clap::Args;
use server::app::{self, RunOptions, Scope};
use server::config::{self, Broker, Environment};
use server::services;
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
    /// Which services: users, catalog, orders, inventory, payments, notifications, console
    #[arg(value_name = "SERVICE", required = true, value_parser = service)]
    services: Vec<String>,
    #[command(flatten)]
    engines: Engines,
    #[command(flatten)]
    listening: Listening,
    #[command(flatten)]
    file: ConfigFile,
}

fn service(text: &str) -> Result<String, String> {
    let known = services::names().any(|name| name == text);
    if known {
        Ok(text.to_owned())
    } else {
        Err(format!("one of {}", services::names().collect::<Vec<_>>().join(", ")))
    }
}

/// Refuses a store or a broker that only one process can use.
pub fn refuse_unshared(settings: &config::Settings) -> Result<(), Failure> {
    let refused = |what: &str, setting: &str, example: &str| {
        let text = format!("{setting}: processes beside one another need {what} that they can share");
        Failure::new(Exit::Configuration, text)
            .with_help(format!("set --{setting} or TRADEPOST_{}, as in {example}", setting.to_uppercase()))
    };
    match (settings.location(), settings.carrier()) {
        (Location::Folder(_), _) => Err(refused("a store", "store", "postgres://user:password@host/database")),
        (_, Broker::Embedded) => Err(refused("a broker", "broker", "amqp://user:password@host/vhost")),
        _ => Ok(()),
    }
}

impl Serve {
    pub async fn run(self, environment: &Environment) -> Result<(), Failure> {
        let flags = self.listening.with(self.engines.into_flags());
        let mut loaded = config::load(&flags, self.file.path.as_deref(), environment)?;
        // A console alone keeps nothing and hears nothing: it asks the others.
        if self.services.iter().any(|name| name != services::CONSOLE) {
            refuse_unshared(&loaded.settings)?;
        }
        if loaded.settings.admin_token.is_none() {
            let text = "admin_token: the processes of a shop need one that all of them have";
            return Err(Failure::new(Exit::Configuration, text)
                .with_help("set TRADEPOST_ADMIN_TOKEN, or TRADEPOST_ADMIN_TOKEN_FILE to a file that holds it"));
        }
        if loaded.is_default("port") {
            let first = self.services.first().and_then(|name| services::port_of(name));
            loaded.settings.port = first.unwrap_or(loaded.settings.port);
        }
        let scope = Scope::Part { services: self.services };
        let ended = app::run(loaded.settings, RunOptions { scope, demo: false }).await;
        ended.map_err(|error| not_run(&error))
    }
}
