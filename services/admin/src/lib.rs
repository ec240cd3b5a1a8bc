//! Admin: shuts accounts out, and lets them in again.
//!
//! Not here: roles, which the users service has, and the refusal of a banned account's tokens, which is every service's
//! own: each keeps what [`UserBanned`](events::UserBanned) and [`UserUnbanned`](events::UserUnbanned) say.
//!
//! Start with `domain`, then `ban_user`.
//!
//! **Invariants**
//! - An account has at most one ban at a time, and each has its place in the history with who, when and why.
//! - Bans and their ends count up one version of the account, so that of two events the newer is known.
//! - The last admin account that is not banned is not banned either.

mod ban_user;
mod domain;
mod on_user_deleted;
mod on_user_registered;
mod on_user_roles_changed;
mod queries;
mod store;
mod unban_user;

use events::{UserDeleted, UserRegistered, UserRolesChanged};
use service::Service;
use service::http::Policy;
use service::storage::{self, Migrations};
use utoipa_axum::routes;

const MIGRATIONS: Migrations = Migrations { set: "admin", steps: &[storage::migration!("0001_init")] };

/// The service's wiring.
pub fn service() -> Service {
    Service::new("admin", MIGRATIONS, store::STATEMENTS, ())
        .routes(Policy::Admin, routes!(queries::get, ban_user::handler, unban_user::handler))
        .on_many::<UserRegistered>(on_user_registered::handle_many)
        .on::<UserRolesChanged>(on_user_roles_changed::handle)
        .on::<UserDeleted>(on_user_deleted::handle)
}
