//! Users: who has an account.
//!
//! Not here: what a user ordered, and any mail. Others know users by [`UserRegistered`](events::UserRegistered)
//! and [`UserProfileUpdated`](events::UserProfileUpdated).
//!
//! Start with `domain`, then `register`.
//!
//! **Invariants**
//! - No two users share a username or an e-mail address, whatever the case of their letters.
//! - A password leaves the request only as its argon2id hash, and the hash never leaves the store.

mod domain;
mod fields;
mod password;
mod queries;
mod register;
mod store;
mod update_profile;

use service::Service;
use service::http::Policy;
use service::storage::{self, Migrations};
use utoipa_axum::routes;

pub use password::Hasher;

const MIGRATIONS: Migrations =
    Migrations { set: "users", steps: &[storage::migration!("0001_init")] };

/// The users service. Its state hashes passwords.
pub fn service() -> Service<Hasher> {
    Service::new("users", MIGRATIONS, store::STATEMENTS, Hasher::for_this_machine())
        .routes(Policy::Guest, routes!(register::handler))
        .routes(Policy::Customer, routes!(queries::get, update_profile::handler))
}
