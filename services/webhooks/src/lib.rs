//! Webhooks: events are sent to others, signed, in order for each key, and again until they are taken.
//!
//! Start with `domain.rs`: [`domain::Endpoint`] is an address with its subscriptions, [`domain::Delivery`] one event for
//! it. `on_any.rs` queues deliveries, `deliver.rs` is the timer that sends them, and `sender.rs` the way outside, with
//! `address.rs` as its border.
//!
//! **Invariant:** of an endpoint and a key one delivery at a time is sent, the next once the one before was taken or has
//! failed for good, and nothing is sent to an address that is not public.

mod address;
mod clean_up;
mod create_endpoint;
mod delete_endpoint;
mod deliver;
mod domain;
mod fields;
mod message;
mod on_any;
mod queries;
mod resend;
mod resend_attempt;
mod resend_since;
mod rotate_secret;
mod sender;
pub mod settings;
mod signature;
mod store;
mod test_endpoint;
mod update_endpoint;

use service::http::Policy;
use service::http::routes;
use service::setting::Values;
use service::storage::{self, Db, Migrations};
use service::telemetry::Counter;
use service::{Selection, Service};

use sender::Sender;
use settings::Settings;

const MIGRATIONS: Migrations = Migrations { set: "webhooks", steps: &[storage::migration!("0001_init")] };

/// State that only this service's handlers see.
#[derive(Clone)]
pub struct Webhooks {
    sender: Sender,
    attempts: Counter<1>,
}

type Ctx = service::Ctx<Webhooks>;

/// The types that some endpoint wants now.
async fn wanted(db: Db) -> Result<Selection, storage::Error> {
    Ok(store::enabled(&db)
        .await?
        .iter()
        .fold(Selection::default(), |wanted, it| wanted.and(selection(&it.event_types))))
}

/// The types that an endpoint subscribes to.
fn selection(subscriptions: &[String]) -> Selection {
    let is_wanted = |event_type| subscriptions.iter().any(|it| domain::matches(it, event_type));
    Selection::matching(|event| domain::is_sent(event) && is_wanted(event.event_type))
}

/// The webhooks' wiring.
pub fn service(values: &Values) -> Service<Webhooks> {
    let attempts = Counter::new("webhook_attempts", "Calls of endpoints", ["outcome"]);
    let state = Webhooks { sender: Sender::new(Settings::of(values)), attempts: attempts.clone() };
    Service::new("webhooks", MIGRATIONS, store::STATEMENTS, state)
        .settings(settings::ALL)
        .counter(&attempts)
        .routes(Policy::Admin, routes!(queries::list, create_endpoint::handler))
        .routes(Policy::Admin, routes!(queries::get, update_endpoint::handler, delete_endpoint::handler))
        .routes(Policy::Admin, routes!(queries::attempts))
        .routes(Policy::Admin, routes!(resend_attempt::handler))
        .routes(Policy::Admin, routes!(resend_since::handler))
        .routes(Policy::Admin, routes!(rotate_secret::handler))
        .routes(Policy::Admin, routes!(test_endpoint::handler))
        .yields_to_others()
        .on_any_many(&Selection::matching(domain::is_sent), on_any::handle_many)
        .on_demand(&Selection::matching(domain::is_sent), wanted)
        .timer_staged(store::DELIVER, deliver::begin, deliver::send_due)
        .timer(store::RESEND, resend::handle)
        .timer(store::CLEAN_UP, clean_up::handle)
}
