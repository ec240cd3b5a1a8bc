//! The bridge: speaks the wire formats of services that are not Tradepost's own.
//!
//! Start with `contract.rs`: a [`Contract`] is the file that says how one family of services talks. `take_in.rs` makes events
//! of what others send, `on_any.rs` makes messages of the shop's events, `facade.rs` answers in the place of others.
//! `filter.rs` runs the filters that map one side's words to the other's, and `amqp.rs` and
//! `streams.rs` speak to a broker.
//!
//! **Invariant:** a foreign message is acknowledged after its effect, or its bytes with the reason, is committed; an event of
//! the shop leaves the queue of messages when the other broker has confirmed it.

mod amqp;
mod api;
mod clean_up;
pub mod contract;
mod deliver;
mod facade;
mod filter;
mod incoming;
mod on_any;
mod parked;
mod queries;
mod resolve;
pub mod settings;
mod speak;
mod state;
mod store;
mod streams;
mod take_in;

#[cfg(test)]
mod tables;

use std::collections::BTreeSet;

use service::http::Policy;
use service::http::routes;
use service::setting::Values;
use service::storage::{self, Migrations};
use service::telemetry::Counter;
use service::{Selection, Service, Tasks};

pub use contract::Contract;
pub use state::Bridge;

use settings::Settings;

const MIGRATIONS: Migrations = Migrations { set: "bridge", steps: &[storage::migration!("0001_init")] };

type Ctx = service::Ctx<Bridge>;

/// The types that say which products there are. They are always wanted, so that a contract that comes later finds all
/// products.
const PRODUCTS: [&str; 4] = [
    "catalog.product_created.v1",
    "catalog.product_updated.v1",
    "catalog.product_deleted.v1",
    "inventory.inventory_updated.v1",
];

/// The types that say what filters may ask for of orders, while a contract is in force.
const ORDERS: [&str; 3] = ["inventory.external_order_settled.v1", "orders.order_placed.v1", "orders.order_updated.v1"];

/// The bridge's wiring.
pub fn service(values: &Values) -> Service<Bridge> {
    let messages = Counter::new("contract_messages", "Messages of contracts", ["direction", "outcome"]);
    let state = Bridge::new(Settings::of(values), messages.clone());
    let wanted = wanted(&state);
    Service::new("bridge", MIGRATIONS, store::STATEMENTS, state)
        .settings(settings::ALL)
        .counter(&messages)
        .routes(Policy::Admin, routes!(queries::list))
        .routes(Policy::Admin, routes!(queries::parked))
        .routes(Policy::Admin, routes!(parked::retry))
        .routes(Policy::Admin, routes!(parked::discard))
        .on_any_many(&Selection::matching(is_shown), on_any::handle_many)
        .on_demand(&Selection::matching(is_optional), move |_| std::future::ready(Ok(wanted.clone())))
        .at_start(state::prepare)
        .task(work)
}

/// True for events that a contract may send on. The keys by which services know one another's tokens are none.
fn is_shown(event: &events::Descriptor) -> bool {
    event.event_type != <events::SigningKeyPublished as events::Event>::TYPE
}

/// True for events that are wanted only if a contract names them.
fn is_optional(event: &events::Descriptor) -> bool {
    is_shown(event) && !PRODUCTS.contains(&event.event_type)
}

/// The types that the contracts in force want; none without a contract.
fn wanted(state: &Bridge) -> Selection {
    if state.contracts().is_empty() {
        return Selection::default();
    }
    let sent = state.contracts().iter().flat_map(|contract| {
        let published = contract.publishes.iter().map(|rule| rule.on.event_type);
        published.chain(contract.logs.iter().map(|rule| rule.on.event_type)).collect::<Vec<_>>()
    });
    let types: BTreeSet<&'static str> = sent.chain(ORDERS).collect();
    Selection::matching(|event| is_optional(event) && types.contains(event.event_type))
}

/// Speaks with others and answers on ports, until the tasks stop.
async fn work(ctx: Ctx, tasks: Tasks) {
    tasks.spawn(clean_up::keep(ctx.clone(), tasks.clone()));
    for (port, listener) in ctx.state.take_listeners() {
        tasks.spawn(facade::answer_on(ctx.clone(), port, listener, tasks.clone()));
    }
    for chosen in ctx.state.chosen() {
        if let Some(url) = &chosen.broker {
            tasks.spawn(speak::speak(ctx.clone(), chosen.contract.clone(), url.clone(), tasks.clone()));
        }
    }
}
