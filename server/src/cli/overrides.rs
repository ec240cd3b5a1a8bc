//! Settings on the command line, where they win over all others.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use server::config::{self, Environment, Errors, Flags, Loaded};
use server::shop::Shop;

/// The configuration file.
#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The configuration file [default: TRADEPOST_CONFIG, or tradepost.toml if there is one]
    #[arg(long = "config", value_name = "FILE")]
    pub path: Option<PathBuf>,
}

/// The advice about the password in a broker's URL.
pub const BROKER_SECRET: &str = "A password is better kept off the command line: set TRADEPOST_BROKER, or TRADEPOST_BROKER_FILE to a file that holds the URL.";

/// The settings that the services of a shop share.
#[derive(Debug, Args)]
pub struct Engines {
    /// Database URL: postgres://user:password@host/database, or for one process sqlite:DIR [default: the data folder]
    ///
    /// Where each service has a database of its own, `{service}` in the URL stands for its name.
    ///
    /// A password is better kept off the command line: set TRADEPOST_STORE, or TRADEPOST_STORE_FILE to a file that
    /// holds the URL.
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// Message broker URL
    // The brokers come from the shop: see `cli::parse`.
    #[arg(long, value_name = "URL")]
    pub broker: Option<String>,
}

/// The data, the database and the broker of a shop that a command looks at from outside.
#[derive(Debug, Args)]
pub struct ShopLocation {
    /// The folder that holds all data [default: ./tradepost-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    #[command(flatten)]
    engines: Engines,
    #[command(flatten)]
    file: ConfigFile,
}

/// The address of a process.
#[derive(Debug, Args)]
pub struct Listening {
    /// The IP address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<IpAddr>,
    /// The port to listen on, 0 for a free one [default: 8080, for `serve` that of the first service]
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
}

impl Engines {
    /// As flags, with all others unset.
    pub fn into_flags(self) -> Flags {
        Flags { store: self.store, broker: self.broker, ..Flags::default() }
    }
}

impl ShopLocation {
    /// The shop's settings, where these win over all others.
    pub fn load(self, shop: &Shop, environment: &Environment) -> Result<Loaded, Errors> {
        let flags = Flags { data_dir: self.data, ..self.engines.into_flags() };
        config::load(shop, &flags, self.file.path.as_deref(), environment)
    }
}

impl Listening {
    /// As flags beside others.
    pub fn with(self, flags: Flags) -> Flags {
        let listen = self.listen.map(|address| address.to_string());
        let port = self.port.map(|port| port.to_string());
        Flags { listen, port, ..flags }
    }
}
