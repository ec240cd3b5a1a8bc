//! `tradepost rebuild`: the tables of a projection, built anew from the archives.

use clap::Args;
use serde_json::json;
use server::app::{self, Rebuilt};
use server::config::Environment;
use server::shop::Shop;

use super::output::note;
use super::overrides::ShopLocation;
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
        let loaded = self.location.load(shop, environment)?;
        let rebuilt = app::rebuild(shop, &loaded.settings, &self.service, |line| note(&line)).await;
        let Rebuilt { events, parked } = rebuilt.map_err(|error| not_run(&error))?;
        if out.is_json() {
            return out.document(&json!({"service": self.service, "events": events, "parked": parked}));
        }
        out.text(format_args!("{} is built anew from {events} events", self.service))?;
        if parked > 0 {
            note(&format!(
                "{parked} of them can't be handled and are parked: `tradepost dlq list --consumer {}`",
                self.service
            ));
        }
        Ok(())
    }
}
