//! Small services on PostgreSQL and a broker, measured from the outbox to the effect: what `cargo xtask bench` runs.
//!
//! Each case starts private servers that keep what they answered, measures, checks that every event took effect once,
//! and prints one JSON object. The servers are where TMPDIR says: that disk is measured.
//!
//! Start with `services.rs` (the services) and `servers.rs` (a process that runs them); then there is one file for each
//! case. `bans.rs` and `webhooks.rs` measure a whole shop, for they ask each of its services or wait
//! for what all of them emit.

mod backlog;
mod bans;
mod events_to_effect;
mod instances;
mod lanes;
mod lapin_baseline;
mod load;
mod rebuild;
mod redis_baseline;
mod relay;
mod servers;
mod services;
mod timeline;
mod webhooks;
mod whole_shop;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use servers::{BrokerServer, On, Servers};
use whole_shop::Running;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures one thing and prints one JSON object.
#[derive(Parser)]
#[command(name = "tradepost-bench")]
struct Cli {
    #[command(subcommand)]
    case: Case,
    /// One part of the work of so many, for a first look
    #[arg(long, global = true, value_name = "PARTS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    part_of: u32,
    /// On the servers that tests share, which sync nothing: to see that a case works, not to measure it
    #[arg(long, global = true)]
    on_shared_servers: bool,
    /// The broker of a case that needs one
    #[arg(long, global = true, value_enum, default_value_t = BrokerServer::Rabbitmq)]
    broker: BrokerServer,
}

#[derive(clap::Subcommand)]
enum Case {
    /// A client alone, lapin or redis: publishes the bodies that the relay publishes
    Bare {
        /// With as many headers or fields as an event has
        #[arg(long)]
        with_headers: bool,
    },
    /// From a full outbox to the broker
    Relay,
    /// From the commit to the effect, as fast as it goes
    Events,
    /// From the commit to the effect, at a rate that leaves room
    Paced,
    /// Events that wait in the broker
    Backlog,
    /// Immediate events beside a backlog
    Lanes {
        /// The backlog waits in the outbox of the service that emits both, and not in the broker
        #[arg(long)]
        in_outbox: bool,
    },
    /// From the ban of an account to its refusal by every service of a shop, beside a backlog
    Bans {
        /// On PostgreSQL and a broker, and not on files and the embedded broker
        #[arg(long)]
        on_servers: bool,
    },
    /// The numbers of analytics, counted anew from the archives of a shop
    Rebuild,
    /// Webhooks of a whole shop, to a receiver on this machine
    Webhooks {
        /// On PostgreSQL and a broker, and not on files and the embedded broker
        #[arg(long)]
        on_servers: bool,
    },
    /// Orders beside ten endpoints of webhooks, and without them
    BesideWebhooks,
    /// A slow reaction in so many instances
    Instances {
        /// Number of instances
        count: usize,
    },
}

/// The result of a case.
struct Measured {
    per_s: f64,
    unit: &'static str,
    /// Further figures, in words.
    more: String,
    /// Its rate as a multiple of a baseline that the case measured itself, and the name of the baseline.
    ratio: Option<(f64, &'static str)>,
}

fn main() -> ExitCode {
    // Only failures are logged. lapin is silenced: it complains of each queue that is not declared yet.
    let filter = Targets::new().with_default(LevelFilter::WARN).with_target("lapin", LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer().log_internal_errors(false).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(filter).with(lines).init();
    let cli = Cli::parse();
    let measured = tokio::runtime::Runtime::new().map_err(anyhow::Error::from).and_then(|it| it.block_on(run(&cli)));
    let printed = measured.and_then(|measured| {
        let Measured { per_s, unit, more, ratio } = measured;
        let ratio = ratio.map(|(is, to)| serde_json::json!({"to": to, "is": is}));
        let result = serde_json::json!({"per_s": per_s, "unit": unit, "more": more, "ratio": ratio});
        Ok(writeln!(std::io::stdout(), "{result}")?)
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> anyhow::Result<Measured> {
    // So much of the full work.
    let parts = usize::try_from(cli.part_of)?;
    let part = |full: usize| (full / parts).max(1);
    let on = On { broker: cli.broker, are_shared: cli.on_shared_servers };
    let servers = || Servers::start(on);
    let shop = async |on_servers| if on_servers { Running::on_servers(on).await } else { Running::embedded().await };
    match cli.case {
        Case::Bare { with_headers } if cli.broker == BrokerServer::Rabbitmq => {
            lapin_baseline::measure(&servers().await?, part(load::RELAYED), with_headers).await
        }
        Case::Bare { .. } => redis_baseline::measure(&servers().await?, part(load::RELAYED)).await,
        Case::Relay => relay::measure(&servers().await?, part(load::RELAYED)).await,
        Case::Events => events_to_effect::as_fast_as_it_goes(&servers().await?, part(events_to_effect::SECONDS)).await,
        Case::Paced => events_to_effect::paced(&servers().await?, part(events_to_effect::SECONDS)).await,
        Case::Backlog => backlog::measure(&servers().await?, part(load::BACKLOG)).await,
        Case::Lanes { in_outbox: false } => {
            lanes::beside_the_broker(&servers().await?, part(load::BACKLOG), part(lanes::SECONDS)).await
        }
        Case::Lanes { in_outbox: true } => lanes::behind_an_outbox(&servers().await?, part(load::BACKLOG)).await,
        Case::Bans { on_servers } => {
            bans::measure(shop(on_servers).await?, part(bans::ACCOUNTS), part(bans::ORDERS)).await
        }
        Case::Rebuild => rebuild::measure(part(rebuild::EVENTS)).await,
        Case::Webhooks { on_servers } => webhooks::measure(shop(on_servers).await?, part(webhooks::ORDERS)).await,
        Case::BesideWebhooks => webhooks::beside_orders(shop(false).await?, part(webhooks::PLACED)).await,
        Case::Instances { count } => instances::measure(&servers().await?, count, part(instances::SECONDS)).await,
    }
}
