//! Notifications: mails to customers, one for each occasion.
//!
//! Start with `compose.rs`: every reaction turns its event into a [`compose::Letter`] and leaves the rest to it.
//! `send_mail.rs` is the timer that sends, `mailer.rs` where mail goes.

mod compose;
mod domain;
mod end_back_in_stock;
mod mail_back_in_stock;
mod mailer;
mod on_alerts_raised;
mod on_email_verification_requested;
mod on_inventory_updated;
mod on_order_anonymized;
mod on_order_cancelled;
mod on_order_paid;
mod on_order_updated;
mod on_password_reset_requested;
mod on_payment_declined;
mod on_payment_failed;
mod on_product_created;
mod on_product_deleted;
mod on_product_updated;
mod on_purchase_order_cancelled;
mod on_purchase_order_changed;
mod on_purchase_order_placed;
mod on_user_deleted;
mod on_user_password_changed;
mod on_user_profile_updated;
mod on_user_registered;
mod queries;
mod quota;
mod request_back_in_stock;
mod send_mail;
pub mod settings;
mod smtp;
mod stop_back_in_stock;
mod store;
mod templates;

use events::{
    AlertsRaised, EmailVerificationRequested, InventoryUpdated, OrderAnonymized, OrderCancelled, OrderPaid,
    OrderUpdated, PasswordResetRequested, PaymentDeclined, PaymentFailed, ProductCreated, ProductDeleted,
    ProductUpdated, PurchaseOrderCancelled, PurchaseOrderChanged, PurchaseOrderPlaced, UserDeleted,
    UserPasswordChanged, UserProfileUpdated, UserRegistered,
};
use service::Service;
use service::http::Policy;
use service::http::routes;
use service::setting::Values;
use service::storage::{self, Migrations};
use service::telemetry::Counter;

pub use domain::{MailId, MailKind};

use mailer::Mailer;

const MIGRATIONS: Migrations = Migrations {
    set: "notifications",
    steps: &[
        storage::migration!("0001_init"),
        storage::migration!("0002_holds"),
        storage::migration!("0003_back_in_stock"),
    ],
};

/// State that only this service's handlers see.
#[derive(Clone)]
pub struct Notifications {
    mailer: Mailer,
    over_limit: Counter<2>,
}

type Ctx = service::Ctx<Notifications>;

/// The notifications' wiring.
pub fn service(values: &Values) -> Service<Notifications> {
    let over_limit = Counter::new(
        "mails_over_limit",
        "Mails that were held or dropped because their recipient got too many",
        ["template", "outcome"],
    );
    let state = Notifications { mailer: Mailer::of(values), over_limit: over_limit.clone() };
    Service::new("notifications", MIGRATIONS, store::STATEMENTS, state)
        .settings(settings::ALL)
        .counter(&over_limit)
        .routes(Policy::Admin, routes!(queries::list))
        .routes(Policy::Admin, routes!(queries::get))
        .routes(Policy::Guest, routes!(request_back_in_stock::handler))
        .routes(Policy::Guest, routes!(stop_back_in_stock::handler))
        .on_many::<UserRegistered>(on_user_registered::handle_many)
        .on_many::<PasswordResetRequested>(on_password_reset_requested::handle_many)
        .on_many::<EmailVerificationRequested>(on_email_verification_requested::handle_many)
        .on_many::<UserPasswordChanged>(on_user_password_changed::handle_many)
        .on::<OrderAnonymized>(on_order_anonymized::handle)
        .on::<UserDeleted>(on_user_deleted::handle)
        .on_many::<OrderPaid>(on_order_paid::handle_many)
        .on_many::<OrderUpdated>(on_order_updated::handle_many)
        .on_many::<OrderCancelled>(on_order_cancelled::handle_many)
        .on_many::<PaymentDeclined>(on_payment_declined::handle_many)
        .on_many::<PaymentFailed>(on_payment_failed::handle_many)
        .on::<UserProfileUpdated>(on_user_profile_updated::handle)
        .on::<ProductCreated>(on_product_created::handle)
        .on::<ProductUpdated>(on_product_updated::handle)
        .on::<ProductDeleted>(on_product_deleted::handle)
        .on_many::<InventoryUpdated>(on_inventory_updated::handle_many)
        .on_many::<PurchaseOrderPlaced>(on_purchase_order_placed::handle_many)
        .on_many::<PurchaseOrderChanged>(on_purchase_order_changed::handle_many)
        .on_many::<PurchaseOrderCancelled>(on_purchase_order_cancelled::handle_many)
        .on_many::<AlertsRaised>(on_alerts_raised::handle_many)
        .timer(send_mail::SEND_MAIL, send_mail::handle)
        .timer(mail_back_in_stock::MAIL_BACK_IN_STOCK, mail_back_in_stock::handle)
        .timer(end_back_in_stock::END_BACK_IN_STOCK, end_back_in_stock::handle)
}
