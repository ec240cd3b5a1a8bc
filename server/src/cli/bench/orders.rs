//! `tradepost bench orders`: products of its own are made, ordered, waited for, read back and checked.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use events::ProductId;
use kernel::{Clock, Currency, Ids, Uuid};
use server::config::duration;

use super::books::{Books, Ordered};
use super::disk::{ProbeFolder, cannot_probe};
use super::load::{Load, Tally, Target, Until};
use super::plan::{Plan, Share};
use super::probe::Probe;
use super::report::{Flushes, Report};
use super::shop;
use crate::cli::client::Client;
use crate::cli::failure::Exit;
use crate::cli::output::note;
use crate::cli::progress::{self, Progress};
use crate::cli::{Failure, Output};

/// Units of a product that no run sells out.
const STOCK_PLENTY: i64 = 100_000_000;

/// The hot product that everybody talks about: ten thousand buyers of a hundred units.
const HOT_ORDERS: u64 = 10_000;
const HOT_STOCK: i64 = 100;

const AFTER_HELP: &str = "\
The shop keeps the orders: run it against one that you can delete.
Products, customers and mail addresses are the run's own, and what else is in the shop is not touched.

Times:
  accept   from when an order is sent to its 201; with --rate, from when it was due, whether or not a client was free
  confirm  from an order's creation to its confirmation, as the server stamped both
  life     with --life: from an order's creation to its arrival, as the server stamped both

Examples:
  tradepost bench orders
  tradepost bench orders --rate 2000 --duration 30s --decline 5%
  tradepost bench orders --hot --orders 10000 --stock 100
  tradepost bench orders --life --clients 32";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Orders {
    /// Orders a second, sent whether or not earlier ones were answered [default: as fast as they are answered]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Connections over which they go
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    clients: u32,
    /// Duration of the load, as in 10s or 1m [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = load_duration, conflicts_with = "orders")]
    duration: Option<Duration>,
    /// Number of orders, however long they take [default with --hot: 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    orders: Option<u64>,
    /// Products among which orders are spread [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000), conflicts_with = "hot")]
    products: Option<u64>,
    /// Units of each product to begin with [default: plenty, with --hot 100]
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(i64).range(0..=1_000_000_000))]
    stock: Option<i64>,
    /// Everybody buys one unit of the same product
    #[arg(long)]
    hot: bool,
    /// Send and deliver each order once it is paid; each client places its next order when the last has arrived
    #[arg(long, conflicts_with_all = ["hot", "rate", "stock", "decline"])]
    life: bool,
    /// The share of orders whose card is declined, as in 5%
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = Share::from_str)]
    decline: Share,
    /// Send an Idempotency-Key with each order
    #[arg(long)]
    keyed: bool,
    /// The shop's currency
    #[arg(long, value_name = "CODE", default_value = "EUR")]
    currency: Currency,
    #[command(flatten)]
    probe: ProbeFolder,
}

fn load_duration(text: &str) -> Result<Duration, String> {
    duration(text, Duration::from_secs(1)..=Duration::from_hours(1))
        .map_err(|expected| format!("{expected} is expected"))
}

impl Orders {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        client.require_admin()?;
        let target = Target::of(client)?;
        let probe = self.probe.probe()?;
        let mut progress = Progress::on_stderr();
        let plan = Arc::new(self.plan());
        progress.phase("making products");
        let product_ids = shop::make_products(client, &plan).await?;
        if !shop::settle(client, &mut progress, "waiting for the products to be known").await? {
            return Err(Failure::failed("the shop does not become idle, so it can't be measured")
                .with_help("is someone else using it? `tradepost dlq list` and /metrics show what it is doing"));
        }
        let load = self.load(target, plan.clone(), &product_ids);
        let before = flushes(&probe, &mut progress).await?;
        let tally = place(load, &mut progress).await?;
        let is_settled = shop::settle(client, &mut progress, "waiting for the last confirmation").await?;
        let after = flushes(&probe, &mut progress).await?;
        progress.phase("reading back what was ordered");
        let found = shop::read_back(client, &product_ids, self.hot).await?;
        let (accepted, unknown) = (&tally.accepted, &tally.unknown);
        let books = Books::check(Ordered { plan: &plan, product_ids: &product_ids, accepted, unknown }, &found);
        let flushes = Flushes { before, after, folder: probe.folder };
        let report = Report::of(&plan, &tally, &found, is_settled, flushes, books);
        drop(progress);
        report.print(out)?;
        verdict(&tally, &report)
    }

    fn plan(&self) -> Plan {
        // Random enough that two runs never share a sku, short enough to be read in a list.
        let run: Uuid = Ids::new(Clock::system()).next();
        let run = run.simple().to_string();
        Plan {
            run: run[run.len() - 10..].to_owned(),
            products: if self.hot { 1 } else { self.products.unwrap_or(100) },
            stock: self.stock.unwrap_or(if self.hot { HOT_STOCK } else { STOCK_PLENTY }),
            currency: self.currency,
            decline: self.decline,
            is_hot: self.hot,
            is_life: self.life,
        }
    }

    fn load(&self, target: Target, plan: Arc<Plan>, product_ids: &[ProductId]) -> Load {
        let until = match (self.orders, self.duration) {
            (Some(orders), _) => Until::Orders(orders),
            (None, Some(duration)) => Until::Elapsed(duration),
            (None, None) if self.hot => Until::Orders(HOT_ORDERS),
            (None, None) => Until::Elapsed(Duration::from_secs(10)),
        };
        Load {
            target,
            plan,
            product_ids: product_ids.to_vec(),
            clients: self.clients as usize,
            rate: self.rate,
            until,
            is_keyed: self.keyed,
        }
    }
}

async fn place(load: Load, progress: &mut Progress) -> Result<Tally, Failure> {
    let mut running = load.start();
    let mut draw = tokio::time::interval(progress::EVERY);
    loop {
        tokio::select! {
            tally = running.ended() => return tally,
            _ = draw.tick() => {}
        }
        let (done, accepted) = running.progress();
        let per_s = accepted as f64 / running.elapsed().as_secs_f64().max(0.001);
        progress.bar("placing", done, &format!("{accepted} accepted, {per_s:.0}/s"));
    }
}

async fn flushes(probe: &Probe, progress: &mut Progress) -> Result<f64, Failure> {
    progress.phase("probing the disk");
    probe.flushes_per_s().await.map_err(cannot_probe)
}

/// Checks that the measurement is meaningful, and that the books balance.
fn verdict(tally: &Tally, report: &Report<'_>) -> Result<(), Failure> {
    let refused = || tally.errors.iter().map(|(how, count)| format!("{count} times {how}")).collect();
    if tally.accepted.is_empty() {
        return Err(Failure::failed("no order was accepted").with_details(refused()));
    }
    if !tally.errors.is_empty() {
        note(&format!("not as asked: {}", refused().join(", ")));
    }
    let broken = report.books.checks.iter().filter(|check| !check.ok);
    let broken: Vec<String> = broken
        .flat_map(|check| {
            let head = format!("{}: expected {}, found {}", check.name, check.expected, check.found);
            [head].into_iter().chain(check.findings.iter().map(|finding| format!("  {finding}")))
        })
        .collect();
    if broken.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::CheckFailed, "the books don't balance")
        .with_details(broken)
        .with_help("`tradepost orders show ID` prints an order's story, `tradepost dlq list` the dead letters"))
}
