//! Analytics: sales, orders, products, refunds and events, counted exactly from what all services emit.
//!
//! Start with `domain`: what an event adds to the sums. `on_any.rs` takes in the events, many at a time; there is one file
//! for each route.
//!
//! **Invariant:** every number is what the archives of all services say, however often and in whatever order their
//! events arrive. So the tables follow from events alone, and `tradepost analytics rebuild` builds them anew.

mod answer;
mod csv;
mod domain;
mod event_counts;
mod interpret;
mod on_any;
mod order_counts;
mod period;
mod refuse_other_zone;
mod sales;
pub mod settings;
mod store;
mod top_products;

use service::http::Policy;
use service::http::routes;
use service::setting::Values;
use service::storage::{self, Migrations};
use service::{Selection, Service};

use domain::Calendar;

const MIGRATIONS: Migrations = Migrations { set: "analytics", steps: &[storage::migration!("0001_init")] };

/// State that only this service's handlers see.
#[derive(Clone)]
pub struct Analytics {
    calendar: Calendar,
}

type Ctx = service::Ctx<Analytics>;

/// The service's wiring.
pub fn service(values: &Values) -> Service<Analytics> {
    let state = Analytics { calendar: Calendar::new(settings::TIME_ZONE.of(values)) };
    Service::new("analytics", MIGRATIONS, store::STATEMENTS, state)
        .projection()
        .yields_to_others()
        .settings(settings::ALL)
        .routes(Policy::Admin, routes!(sales::handler))
        .routes(Policy::Admin, routes!(order_counts::handler))
        .routes(Policy::Admin, routes!(top_products::handler))
        .routes(Policy::Admin, routes!(event_counts::handler))
        .at_start(refuse_other_zone::run)
        .on_any_many(&Selection::every(), on_any::handle_many)
}
