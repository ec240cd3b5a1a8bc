//! Admin: shuts accounts out and lets them in again, and raises alerts about what a person should look at.
//!
//! Not here: roles, which the users service has, and the refusal of a banned account's tokens, which is every service's
//! own: each keeps what [`UserBanned`](events::UserBanned) and [`UserUnbanned`](events::UserUnbanned) say.
//!
//! Of bans, start with `domain`, then `ban_user`. Of alerts, start with `domain/alert.rs`, then `follow_conditions.rs`:
//! every reaction turns its event into a [`domain::Fact`] and leaves the rest to it.
//!
//! **Invariants**
//! - An account has at most one ban at a time, and each has its place in the history with who, when and why.
//! - Bans and their ends count up one version of the account, so that of two events the newer is known.
//! - The last admin account that is not banned is not banned either.
//! - A subject has at most one alert of a kind that is not resolved, and an older fact neither reopens nor resolves what
//!   a newer one said.

mod acknowledge_alert;
mod alerts;
mod ban_user;
mod dead_letters;
mod domain;
mod follow_conditions;
mod forget_alerts;
mod look_for_dead_letters;
mod mail_alerts;
mod on_inventory_updated;
mod on_order_cancelled;
mod on_order_stuck;
mod on_order_updated;
mod on_payment_refunded;
mod on_product_deleted;
mod on_product_updated;
mod on_purchase_order_cancelled;
mod on_purchase_order_changed;
mod on_purchase_order_overdue;
mod on_purchase_order_placed;
mod on_purchase_order_received;
mod on_refund_failed;
mod on_stock_low;
mod on_user_deleted;
mod on_user_registered;
mod on_user_roles_changed;
mod on_webhook_deleted;
mod on_webhook_disabled;
mod on_webhook_enabled;
mod queries;
mod set_timers;
pub mod settings;
mod store;
mod unban_user;

use std::sync::Arc;

use events::{
    InventoryUpdated, OrderCancelled, OrderStuck, OrderUpdated, PaymentRefunded, ProductDeleted, ProductUpdated,
    PurchaseOrderCancelled, PurchaseOrderChanged, PurchaseOrderOverdue, PurchaseOrderPlaced, PurchaseOrderReceived,
    RefundFailed, StockLow, UserDeleted, UserRegistered, UserRolesChanged, WebhookDeleted, WebhookDisabled,
    WebhookEnabled,
};
use service::Service;
use service::http::Policy;
use service::http::routes;
use service::setting::Values;
use service::storage::{self, Migrations};

pub use dead_letters::{DeadLetters, ServiceDeadLetters};

use settings::Settings;

/// The name of the service.
pub const NAME: &str = "admin";

const MIGRATIONS: Migrations =
    Migrations { set: NAME, steps: &[storage::migration!("0001_init"), storage::migration!("0002_alerts")] };

/// State that only this service's handlers see.
#[derive(Clone)]
pub struct Admin {
    settings: Settings,
    dead_letters: Arc<dyn DeadLetters>,
}

type Ctx = service::Ctx<Admin>;

/// The service's wiring. `dead_letters` asks the services of the shop for theirs.
pub fn service(values: &Values, dead_letters: Arc<dyn DeadLetters>) -> Service<Admin> {
    let state = Admin { settings: Settings::of(values), dead_letters };
    Service::new(NAME, MIGRATIONS, store::STATEMENTS, state)
        .settings(settings::ALL)
        .routes(Policy::Admin, routes!(queries::get, ban_user::handler, unban_user::handler))
        .routes(Policy::Admin, routes!(alerts::list))
        .routes(Policy::Admin, routes!(alerts::get))
        .routes(Policy::Admin, routes!(acknowledge_alert::handler))
        .at_start(set_timers::run)
        .on_many::<UserRegistered>(on_user_registered::handle_many)
        .on::<UserRolesChanged>(on_user_roles_changed::handle)
        .on::<UserDeleted>(on_user_deleted::handle)
        .on_many::<StockLow>(on_stock_low::handle_many)
        .on_many::<InventoryUpdated>(on_inventory_updated::handle_many)
        .on_many::<ProductUpdated>(on_product_updated::handle_many)
        .on_many::<ProductDeleted>(on_product_deleted::handle_many)
        .on_many::<PurchaseOrderPlaced>(on_purchase_order_placed::handle_many)
        .on_many::<PurchaseOrderChanged>(on_purchase_order_changed::handle_many)
        .on_many::<PurchaseOrderCancelled>(on_purchase_order_cancelled::handle_many)
        .on_many::<PurchaseOrderReceived>(on_purchase_order_received::handle_many)
        .on_many::<PurchaseOrderOverdue>(on_purchase_order_overdue::handle_many)
        .on_many::<RefundFailed>(on_refund_failed::handle_many)
        .on_many::<PaymentRefunded>(on_payment_refunded::handle_many)
        .on_many::<OrderStuck>(on_order_stuck::handle_many)
        .on_many::<OrderUpdated>(on_order_updated::handle_many)
        .on_many::<OrderCancelled>(on_order_cancelled::handle_many)
        .on_many::<WebhookDisabled>(on_webhook_disabled::handle_many)
        .on_many::<WebhookEnabled>(on_webhook_enabled::handle_many)
        .on_many::<WebhookDeleted>(on_webhook_deleted::handle_many)
        .timer_many(store::alerts::MAIL_ALERTS, mail_alerts::handle_many)
        .timer(look_for_dead_letters::LOOK_FOR_DEAD_LETTERS, look_for_dead_letters::handle)
        .timer(forget_alerts::FORGET_ALERTS, forget_alerts::handle)
}
