//! Orders: from their placement to their last status.
//!
//! Start with `domain.rs`, which holds every transition, then `place_order.rs`.
//! All reactions go through `decide_each.rs`: read the orders, decide each, commit one batch.

mod access;
mod account_timers;
mod ask_shipping;
mod buyer;
mod cancel_of_banned;
mod cancel_order;
mod decide_each;
mod domain;
mod expire_reservation;
mod follow_account;
mod forget_customer;
mod numbers;
mod on_external_order_placed;
mod on_external_order_settled;
mod on_payment_captured;
mod on_payment_failed;
mod on_payment_refunded;
mod on_payment_voided;
mod on_product_created;
mod on_product_deleted;
mod on_product_updated;
mod on_refund_failed;
mod on_shipment_delivered;
mod on_shipment_dispatched;
mod on_shipment_reduced;
mod on_shipment_stopped;
mod on_stock_rejected;
mod on_stock_reserved;
mod on_user_banned;
mod on_user_deleted;
mod on_user_profile_updated;
mod on_user_registered;
mod place_order;
mod queries;
mod refuse_other_currency;
mod request_payment;
pub mod settings;
mod store;
mod unpaid;

use events::{
    ExternalOrderPlaced, ExternalOrderSettled, PaymentCaptured, PaymentFailed, PaymentRefunded, PaymentVoided,
    ProductCreated, ProductDeleted, ProductUpdated, RefundFailed, ShipmentDelivered, ShipmentDispatched,
    ShipmentReduced, ShipmentStopped, StockRejected, StockReserved, UserBanned, UserDeleted, UserProfileUpdated,
    UserRegistered,
};
use service::Service;
use service::http::Policy;
use service::http::routes;
use service::setting::Values;
use service::storage::{self, Migrations};
use service::telemetry::Counter;

use account_timers::{CANCEL_OF_BANNED, FOLLOW_ACCOUNT, FORGET_CUSTOMER};
use numbers::Numbers;
use settings::Settings;
use unpaid::Pending;

/// State that only this service's handlers see.
#[derive(Clone)]
pub struct Orders {
    settings: Settings,
    numbers: Numbers,
    pending: Pending,
    by_status: Counter<1>,
}

type Ctx = service::Ctx<Orders>;

/// The part of `reservation_ttl` after which work is late: three quarters are left for what follows from it.
const LATE_AFTER: u32 = 4;

const MIGRATIONS: Migrations = Migrations {
    set: "orders",
    steps: &[
        storage::migration!("0001_init"),
        storage::migration!("0002_owners"),
        storage::migration!("0003_numbers"),
        storage::migration!("0004_payments"),
        storage::migration!("0005_fulfilment"),
        storage::migration!("0006_refunds"),
        storage::migration!("0007_withheld"),
        storage::migration!("0008_closed_accounts"),
        storage::migration!("0009_waiting"),
        storage::migration!("0010_stuck"),
        storage::migration!("0011_external"),
    ],
};

/// The orders service's wiring.
pub fn service(values: &Values) -> Service<Orders> {
    let settings = Settings::of(values);
    let late_after = settings.reservation_ttl / LATE_AFTER;
    let by_status = Counter::new("orders", "Orders by the status that they reached", ["status"]);
    let (numbers, pending) = (Numbers::default(), Pending::default());
    let state = Orders { settings, numbers, pending, by_status: by_status.clone() };
    Service::new("orders", MIGRATIONS, store::STATEMENTS, state)
        .settings(settings::ALL)
        .counter(&by_status)
        .late_after(late_after)
        .object_token(&access::ORDER_TOKEN)
        .routes(Policy::Guest, routes!(place_order::handler))
        .routes(Policy::Own, routes!(queries::list))
        .routes(Policy::Own, routes!(queries::get))
        .routes(Policy::Own, routes!(request_payment::handler))
        .routes(Policy::Own, routes!(cancel_order::handler))
        .access(access::may_read)
        .state(access::state_of)
        .sums(|ctx| store::sums(ctx.db.clone()))
        .at_start(refuse_other_currency::run)
        .at_stop(numbers::release)
        .on::<UserRegistered>(on_user_registered::handle)
        .on::<UserProfileUpdated>(on_user_profile_updated::handle)
        .on::<UserDeleted>(on_user_deleted::handle)
        .on::<UserBanned>(on_user_banned::handle)
        .on::<ProductCreated>(on_product_created::handle)
        .on::<ProductUpdated>(on_product_updated::handle)
        .on::<ProductDeleted>(on_product_deleted::handle)
        .on_many::<StockReserved>(on_stock_reserved::handle_many)
        .on_many::<StockRejected>(on_stock_rejected::handle_many)
        .on_many::<PaymentCaptured>(on_payment_captured::handle_many)
        .on_many::<PaymentFailed>(on_payment_failed::handle_many)
        .on_many::<PaymentRefunded>(on_payment_refunded::handle_many)
        .on_many::<PaymentVoided>(on_payment_voided::handle_many)
        .on_many::<RefundFailed>(on_refund_failed::handle_many)
        .on_many::<ShipmentDispatched>(on_shipment_dispatched::handle_many)
        .on_many::<ShipmentDelivered>(on_shipment_delivered::handle_many)
        .on_many::<ShipmentReduced>(on_shipment_reduced::handle_many)
        .on_many::<ShipmentStopped>(on_shipment_stopped::handle_many)
        .on_many::<ExternalOrderPlaced>(on_external_order_placed::handle_many)
        .on_many::<ExternalOrderSettled>(on_external_order_settled::handle_many)
        .timer(store::ASK_SHIPPING, ask_shipping::handle)
        .timer(CANCEL_OF_BANNED.at_once, cancel_of_banned::handle)
        .timer(CANCEL_OF_BANNED.late, cancel_of_banned::handle)
        .timer(FOLLOW_ACCOUNT.at_once, follow_account::handle)
        .timer(FOLLOW_ACCOUNT.late, follow_account::handle)
        .timer(FORGET_CUSTOMER.at_once, forget_customer::handle)
        .timer(FORGET_CUSTOMER.late, forget_customer::handle)
        .timer_many(store::EXPIRE_RESERVATION, expire_reservation::handle_many)
}
