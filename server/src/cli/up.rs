//! `tradepost up`: all services in this process.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use server::app::{self, UpOptions};
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
            listen: self.listen.map(|address| address.to_string()),
            port: self.port.map(|port| port.to_string()),
        };
        let loaded = config::load(&flags, self.file.path.as_deref(), environment)?;
        let ended = app::run(loaded.settings, UpOptions { demo: self.demo }).await;
        ended.map_err(|error| {
            let exit = match error.downcast_ref() {
                // What the settings name can't be used: waiting won't mend it.
                Some(storage::Error::Unusable { .. }) => Exit::Configuration,
                _ => Exit::Failed,
            };
            Failure::new(exit, format!("{error:#}"))
        })
    }
}
