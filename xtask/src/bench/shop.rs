//! Tradepost under load: a fresh shop for each run.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use test_servers::Postgres;

use super::Bench;
use super::baseline;
use super::case::Case;
use super::machine::{Memory, resident_mib};
use super::process::{Drained, Server, output, shown, without_password};
use super::report::{Flushes, Row};

/// Known to the shop and to the load, and to nobody else, for the shop lives as long as this process.
const TOKEN: &str = "an-admin-token-for-a-shop-that-is-deleted-after";

/// The time until a shop that was just started is idle.
const IDLE_AFTER: Duration = Duration::from_secs(1);

/// The shop's stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Embedded,
    Postgres,
}

/// The pattern of orders.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub seconds: u32,
    pub rate: Option<u32>,
    pub hot: bool,
    /// Each order to its delivery before the next.
    pub life: bool,
}

/// A shop that runs until this goes out of use, and the database server below it.
struct Shop {
    process: Drained,
    url: String,
    started_in: Duration,
    _postgres: Option<Postgres>,
}

pub(crate) fn run(bench: &Bench, case: Case, store: Store, load: Load) -> Result<Row> {
    let shop = Shop::start(bench, case, store)?;
    std::thread::sleep(IDLE_AFTER);
    let idle_mib = resident_mib(shop.process.id, "VmRSS")?;
    let mut command = Command::new(&bench.tradepost);
    command.args(["bench", "orders", "--json", "--probe-dir"]).arg(bench.path());
    command.args(load.arguments(bench)).current_dir(bench.path());
    command.env("TRADEPOST_URL", &shop.url).env("TRADEPOST_ADMIN_TOKEN", TOKEN);
    let report: Value = serde_json::from_str(&output(&mut command)?).context("bench orders prints no JSON")?;
    let peak_mib = resident_mib(shop.process.id, "VmHWM")?;
    let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_f64);
    let flushes = Flushes {
        before: number("/flushes_per_s/before").context("the flush rate is missing")?,
        after: number("/flushes_per_s/after").context("the flush rate is missing")?,
    };
    let (per_s, unit) = if load.hot {
        let orders = number("/accepted").context("the number of orders is missing")?;
        let decided_ms = number("/decided_in_ms").context("nothing was decided")?;
        (orders * 1_000.0 / decided_ms, "decided/s")
    } else if load.life {
        (number("/delivered_per_s").context("the rate is missing")?, "delivered/s")
    } else {
        (number("/accepted_per_s").context("the rate is missing")?, "accepted/s")
    };
    let memory = Memory { idle_mib, peak_mib };
    Ok(Row::new(case, per_s, unit, flushes).of_shop(memory, shop.started_in, report))
}

impl Load {
    fn arguments(&self, bench: &Bench) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut add = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        if self.hot {
            add("--orders", "10000".to_owned());
            add("--stock", "100".to_owned());
            arguments.push("--hot".to_owned());
            return arguments;
        }
        add("--duration", format!("{}s", bench.seconds(self.seconds)));
        if self.life {
            arguments.push("--life".to_owned());
            return arguments;
        }
        if let Some(rate) = self.rate {
            add("--rate", rate.to_string());
        }
        arguments
    }
}

impl Shop {
    fn start(bench: &Bench, case: Case, store: Store) -> Result<Self> {
        let postgres = (store == Store::Postgres).then(baseline::server).transpose()?;
        let store = postgres.as_ref().map(Postgres::create_database);
        let mut command = Command::new(&bench.tradepost);
        command.args(["up", "--port", "0", "--data"]).arg(bench.folder(case.name())?);
        // A developer's own settings are none of the bench's.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRADEPOST_")) {
            command.env_remove(name);
        }
        command.env("TRADEPOST_ADMIN_TOKEN", TOKEN);
        let store_shown = store.as_ref().map(|url| format!(" --store {}", without_password(url)));
        eprintln!("    $ {}{}", shown(&command), store_shown.unwrap_or_default());
        if let Some(url) = store {
            command.env("TRADEPOST_STORE", url);
        }
        let began = Instant::now();
        let mut server = Server::start(&command)?;
        let url = server.line_after("ready ")?;
        Ok(Self { started_in: began.elapsed(), process: server.drain(), url, _postgres: postgres })
    }
}
