//! Payments: charges what orders ask for, once, and gives back what came too late.
//!
//! Start with `domain.rs`: [`domain::Payment`] is a payment's life, and `domain/refund.rs` that of its refunds.
//! `charge.rs` and `refund.rs` are where the money moves, and why it moves once. `provider.rs` is the port to whoever
//! moves it.

mod ask_once;
mod charge;
mod domain;
mod on_order_anonymized;
mod on_order_cancelled;
mod on_payment_requested;
mod provider;
mod queries;
mod refund;
mod refund_payment;
mod store;

use std::sync::Arc;

use events::{OrderAnonymized, OrderCancelled, PaymentRequested};
use service::Service;
use service::http::Policy;
use service::http::routes;
use service::storage::{self, Migrations};
use service::telemetry::Counter;

pub use provider::{Charge, Provider, Refund, Simulated, Token, Totals, Unknown};

const MIGRATIONS: Migrations =
    Migrations { set: "payments", steps: &[storage::migration!("0001_init"), storage::migration!("0002_refunds")] };

/// The state of this service's handlers.
#[derive(Clone)]
pub struct Payments {
    provider: Arc<dyn Provider>,
    looked_up: Counter<0>,
    refunds_looked_up: Counter<0>,
    refunds_failed: Counter<0>,
}

type Ctx = service::Ctx<Payments>;

/// The payments' wiring.
pub fn service(provider: Arc<dyn Provider>) -> Service<Payments> {
    let looked_up = Counter::new("charges_looked_up", "Charges whose lost answer was looked up", []);
    let refunds_looked_up = Counter::new("refunds_looked_up", "Refunds whose lost answer was looked up", []);
    let refunds_failed = Counter::new("refunds_failed", "Refunds that failed for good", []);
    let state = Payments {
        provider,
        looked_up: looked_up.clone(),
        refunds_looked_up: refunds_looked_up.clone(),
        refunds_failed: refunds_failed.clone(),
    };
    Service::new("payments", MIGRATIONS, store::STATEMENTS, state)
        .state(|ctx, subject| store::state_of(ctx.db.clone(), subject.into()))
        .sums(|ctx| store::sums(ctx.db.clone()))
        .counter(&looked_up)
        .counter(&refunds_looked_up)
        .counter(&refunds_failed)
        .routes(Policy::Admin, routes!(queries::list))
        .routes(Policy::Admin, routes!(queries::get))
        .routes(Policy::Admin, routes!(refund_payment::handler))
        .on_many::<PaymentRequested>(on_payment_requested::handle_many)
        .on::<OrderAnonymized>(on_order_anonymized::handle)
        .on::<OrderCancelled>(on_order_cancelled::handle)
        .timer_staged(charge::CHARGE, charge::begin, charge::ask)
        .timer(refund::REFUND, refund::handle)
}
