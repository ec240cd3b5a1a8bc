//! The settings of the bridge.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use kernel::Currency;
use service::setting::{AnySetting, SecretSetting, Setting, Values};

use crate::contract::Contract;

/// The shop's one currency, which the catalogue declares too.
pub static CURRENCY: Setting<Currency> =
    Setting::new("currency", "EUR", |text| text.parse().map_err(|error| format!("{error}")));

/// The contracts in force, with commas between them: each a name or the path of a file, and `=` with the URL of its broker
/// where there is one. A URL may hold a password.
pub static CONTRACTS: SecretSetting<Vec<Chosen>> = SecretSetting::new("contracts", contracts);

/// The address on which façades listen: that of the process.
pub static LISTEN: Setting<IpAddr> =
    Setting::new("contracts_listen", "127.0.0.1", |text| text.parse().map_err(|_| "an IP address".to_owned()));

/// The URL at which façades call the shop's public interface. `up` calls itself.
pub static API_URL: Setting<String> = Setting::new("contracts_api_url", "http://127.0.0.1:8080", base_url);

/// The token with which façades do what an admin may. It is the admin token where that is set, and `up` makes one.
pub static API_TOKEN: SecretSetting<String> = SecretSetting::new("contracts_api_token", |text| Ok(text.to_owned()));

/// All of them, in the order in which they are shown.
pub(crate) static ALL: &[&dyn AnySetting] = &[&CURRENCY, &CONTRACTS, &LISTEN, &API_URL, &API_TOKEN];

/// A contract in force, and the broker on which its other members are.
#[derive(Clone)]
pub struct Chosen {
    /// The contract.
    pub contract: Arc<Contract>,
    /// The URL of the broker; without one there are only façades.
    pub broker: Option<String>,
}

/// The values.
pub(crate) struct Settings {
    pub currency: Currency,
    pub contracts: Vec<Chosen>,
    pub listen: IpAddr,
    pub api_url: String,
    pub api_token: Option<String>,
}

impl Settings {
    pub fn of(values: &Values) -> Self {
        Self {
            currency: CURRENCY.of(values),
            contracts: CONTRACTS.of(values).unwrap_or_default(),
            listen: LISTEN.of(values),
            api_url: API_URL.of(values),
            api_token: API_TOKEN.of(values),
        }
    }
}

fn base_url(text: &str) -> Result<String, String> {
    let is_good = url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_good {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("a URL as in http://127.0.0.1:8080".to_owned())
    }
}

fn contracts(text: &str) -> Result<Vec<Chosen>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let chosen: Vec<Chosen> = parts.map(chosen).collect::<Result<_, _>>()?;
    refuse_rivals(&chosen)?;
    Ok(chosen)
}

fn chosen(text: &str) -> Result<Chosen, String> {
    let (name, broker) = match text.split_once('=') {
        Some((name, broker)) => (name.trim(), Some(broker.trim().to_owned())),
        None => (text, None),
    };
    let contract = match Contract::own(name) {
        Some(contract) => contract,
        None if Path::new(name).extension().is_some_and(|extension| extension == "toml") => of_file(name)?,
        None => {
            let close = kernel::suggestion(name, Contract::own_names());
            let known = Contract::own_names().collect::<Vec<_>>().join(", ");
            return Err(format!("a contract, which is {known} or the path of a file NAME.toml{close}"));
        }
    };
    if let Some(broker) = &broker {
        let kind = contract.broker;
        let is_good = url::Url::parse(broker).is_ok_and(|url| url.scheme() == kind.scheme() && url.has_host());
        if !is_good {
            return Err(format!("the broker of {name} as in {}", kind.example()));
        }
    }
    Ok(Chosen { contract: Arc::new(contract), broker })
}

fn of_file(path: &str) -> Result<Contract, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("a contract that can be read: {path}: {error}"))?;
    let name = Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    Contract::read(name, path, &text).map_err(|mistake| format!("a contract without mistakes: {mistake}"))
}

/// Refuses two contracts of one name, and two that claim one port or one queue.
fn refuse_rivals(chosen: &[Chosen]) -> Result<(), String> {
    let mut claims: BTreeMap<String, &str> = BTreeMap::new();
    for Chosen { contract, broker } in chosen {
        let name = contract.name.as_str();
        let ports = contract.ports().into_iter().map(|port| format!("the port {port}"));
        let queues = contract.our_queues();
        let place = broker.as_deref();
        let queues = queues.filter_map(|queue| Some(format!("the queue {} of {}", queue.name, host(contract, place?))));
        for claim in ports.chain(queues).chain([format!("the name {name}")]) {
            if let Some(rival) = claims.insert(claim.clone(), name) {
                return Err(format!("contracts that share nothing: {rival} and {name} both claim {claim}"));
            }
        }
    }
    Ok(())
}

/// The place of a broker without its password.
fn host(contract: &Contract, broker: &str) -> String {
    let url = url::Url::parse(broker).ok();
    let place = url.map(|url| {
        let port = url.port().unwrap_or(contract.broker.port());
        // Of Redis, the prefix of keys is part of the place.
        let prefix = url.query().unwrap_or_default();
        format!("{}:{port}{}{prefix}", url.host_str().unwrap_or_default(), url.path())
    });
    place.unwrap_or_default()
}
