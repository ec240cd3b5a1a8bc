//! `tradepost rebuild`: the tables of a projection, built anew from the archives.

use std::time::Instant;

use clap::Args;
use serde_json::json;
use server::app::{self, RebuildProgress, Rebuilt};
use server::config::Environment;
use server::shop::Shop;

use super::output::note;
use super::overrides::ShopLocation;
use super::progress::{EVERY, Progress};
use super::up::not_run;
use super::{Failure, Output};

const AFTER_HELP: &str = "\
For services that are projections: their tables follow from the events to which they react, and from nothing else.
The tables are built beside those that are there and replace them when all events were handled; until then nothing changes.
Stop the shop first, or, where services are separate, all processes that run the service.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Rebuild {
    /// The service
    #[arg(value_name = "SERVICE")]
    service: String,
    #[command(flatten)]
    location: ShopLocation,
}

impl Rebuild {
    pub async fn run(self, shop: &Shop, environment: &Environment, out: &mut Output) -> Result<(), Failure> {
        build(&self.service, self.location, shop, environment, out).await
    }
}

/// Builds the tables of a service anew, with a bar that shows the progress.
pub async fn build(
    service: &str,
    location: ShopLocation,
    shop: &Shop,
    environment: &Environment,
    out: &mut Output,
) -> Result<(), Failure> {
    let loaded = location.load(shop, environment)?;
    let (mut bar, mut drawn) = (Progress::on_stderr(), None::<Instant>);
    let report = |progress| match progress {
        RebuildProgress::Line(line) => {
            bar.clear();
            note(&line);
        }
        RebuildProgress::Handled { done, of } => {
            if drawn.is_none_or(|drawn| drawn.elapsed() >= EVERY) {
                drawn = Some(Instant::now());
                let share = done as f64 / of.max(1) as f64;
                bar.bar(service, share, &format!("{done} of {of} events"));
            }
        }
    };
    let rebuilt = app::rebuild(shop, &loaded.settings, service, report).await;
    bar.clear();
    let Rebuilt { events, parked } = rebuilt.map_err(|error| not_run(&error))?;
    if out.is_json() {
        return out.document(&json!({"service": service, "events": events, "parked": parked}));
    }
    out.text(format_args!("{service} is built anew from {events} events"))?;
    if parked > 0 {
        note(&format!("{parked} of them can't be handled and are parked: `tradepost dlq list --consumer {service}`"));
    }
    Ok(())
}
