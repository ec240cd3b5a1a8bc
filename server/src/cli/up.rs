//! `tradepost up`: all services in this process.

use std::net::IpAddr;
use std::path::PathBuf;

use bus_rabbitmq::ReachError;
use clap::Args;
use server::app::{self, RunOptions, Scope};
use server::config::{self, Environment, Flags};
use service::storage;

use super::Failure;
use super::failure::Exit;

const AFTER_HELP: &str = "\
Options win over variables TRADEPOST_…, those over the configuration file.
The first Ctrl-C drains, the second ends at once.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Up {
    /// Begin with a dozen products and a user
    #[arg(long)]
    demo: bool,
    /// The folder that holds all data [default: ./tradepost-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Where the services keep what they know: sqlite:DIR or postgres://user:password@host/database [default: the data folder]
    ///
    /// A password is better kept off the command line: set TRADEPOST_STORE, or TRADEPOST_STORE_FILE to a file that holds the URL.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// How events travel: embedded, or amqp://user:password@host/vhost for RabbitMQ [default: embedded]
    ///
    /// A password is better kept off the command line: set TRADEPOST_BROKER, or TRADEPOST_BROKER_FILE to a file that holds the URL.
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// The IP address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    listen: Option<IpAddr>,
    /// The port to listen on, 0 for a free one [default: 8080]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    #[command(flatten)]
    file: ConfigFile,
}

#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The configuration file [default: TRADEPOST_CONFIG, or tradepost.toml if there is one]
    #[arg(long = "config", value_name = "FILE")]
    pub path: Option<PathBuf>,
}

impl Up {
    pub async fn run(self, environment: &Environment) -> Result<(), Failure> {
        let flags = Flags {
            data_dir: self.data,
            store: self.store,
            broker: self.broker,
            listen: self.listen.map(|address| address.to_string()),
            port: self.port.map(|port| port.to_string()),
        };
        let loaded = config::load(&flags, self.file.path.as_deref(), environment)?;
        let scope = Scope::Whole { data: loaded.settings.data_dir.clone() };
        let ended = app::run(loaded.settings, RunOptions { scope, demo: self.demo }).await;
        ended.map_err(|error| not_run(&error))
    }
}

/// Why a process did not run, or ended.
pub fn not_run(error: &anyhow::Error) -> Failure {
    // What the settings name can't be used: waiting won't mend it.
    let is_store = matches!(error.downcast_ref(), Some(storage::Error::Unusable { .. }));
    let is_broker = match error.downcast_ref() {
        Some(ReachError::Unusable(unusable)) => !unusable.may_pass(),
        Some(ReachError::Config(_)) => true,
        None => false,
    };
    let exit = if is_store || is_broker { Exit::Configuration } else { Exit::Failed };
    Failure::new(exit, format!("{error:#}"))
}
