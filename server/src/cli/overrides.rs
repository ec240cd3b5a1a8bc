//! Settings on the command line, where they win over all others.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use bridge::Contract;
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

/// The contracts by which services that are not Tradepost's own are spoken to.
#[derive(Debug, Args)]
pub struct Contracts {
    /// Speak the wire format of other services; may stand several times
    ///
    /// A name of `tradepost contracts list`, of a file NAME.toml in the folder `contracts` of the data folder or of this
    /// folder, or the path of such a file. Without a broker only its HTTP routes are answered.
    ///
    /// A password is better kept off the command line: set TRADEPOST_CONTRACTS, or TRADEPOST_CONTRACTS_FILE to a file that
    /// holds all of them with commas between.
    #[arg(long = "contract", value_name = "NAME[=BROKER_URL]")]
    contracts: Vec<String>,
}

impl Contracts {
    /// As flags beside others.
    pub fn with(self, flags: Flags) -> Flags {
        if self.contracts.is_empty() {
            return flags;
        }
        let data = flags.data_dir.clone().unwrap_or_else(|| "tradepost-data".to_owned());
        let found = self.contracts.iter().map(|contract| found(contract, Path::new(&data)));
        Flags { contracts: Some(found.collect::<Vec<_>>().join(",")), ..flags }
    }
}

/// The same with the path of the file, where the name is that of a file.
fn found(contract: &str, data: &Path) -> String {
    let (name, broker) = contract.split_once('=').map_or((contract, None), |(name, broker)| (name, Some(broker)));
    let folders = [data.join("contracts"), PathBuf::from("contracts")];
    let files = folders.iter().map(|folder| folder.join(format!("{name}.toml")));
    let own = Contract::own_names().any(|known| known == name);
    let file = files.filter(|_| !own).find(|file| file.is_file());
    let place = file.map_or_else(|| name.to_owned(), |file| file.display().to_string());
    broker.map_or_else(|| place.clone(), |broker| format!("{place}={broker}"))
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
