//! Users: who has an account, and who has signed in.
//!
//! Not here: what a user ordered, and any mail. Others know users by [`UserRegistered`](events::UserRegistered)
//! and [`UserProfileUpdated`](events::UserProfileUpdated), their roles by
//! [`UserRolesChanged`](events::UserRolesChanged), until [`UserDeleted`](events::UserDeleted), and their tokens
//! by [`SigningKeyPublished`](events::SigningKeyPublished).
//!
//! Start with `domain`, then `register` and `sign_in`.
//!
//! **Invariants**
//! - No two users share a username or an e-mail address, whatever the case of their letters and the form of the domain.
//! - A password leaves the request only as its argon2id hash, and the hash never leaves the store.
//! - A private key never leaves the store, and a refresh token is kept as digests only.
//! - A refresh token is good once; shown again, it ends its sign-in. A mailed link is good once.
//! - The last admin account that may sign in stays an admin, and stays.
//! - A banned account signs in no more, and none of its sign-ins outlives the ban.
//! - A sign-in that has ended reads and changes nothing here, though its access token has yet to expire.

mod admins;
mod attempts;
mod current_password;
mod delete_user;
mod domain;
mod expire_session;
mod fields;
mod jwks;
mod link_token;
mod links;
mod list_users;
mod on_external_user_changed;
mod on_user_banned;
mod password;
mod queries;
mod refresh_session;
mod refresh_token;
mod register;
mod request_password_reset;
mod request_verification;
mod reset_password;
mod rotate_signing_key;
mod send_reset_link;
mod set_roles;
pub mod settings;
mod sign_in;
mod sign_out;
mod signing_key;
mod store;
mod tokens;
mod update_profile;
mod verify_email;

use events::{ExternalUserChanged, UserBanned};
use service::Service;
use service::http::Policy;
use service::http::routes;
use service::setting::Values;
use service::storage::{self, Migrations};

use attempts::{AttemptLimits, Attempts};
use password::Hasher;

/// The state of this service's handlers.
#[derive(Clone)]
pub struct Users {
    hasher: Hasher,
    attempts: Attempts,
}

type Ctx = service::Ctx<Users>;

const MIGRATIONS: Migrations = Migrations {
    set: "users",
    steps: &[
        storage::migration!("0001_init"),
        storage::migration!("0002_sign_in"),
        storage::migration!("0003_links"),
        storage::migration!("0004_roles"),
        storage::migration!("0005_closed_accounts"),
    ],
};

/// The users' wiring.
pub fn service(values: &Values) -> Service<Users> {
    let state = Users { hasher: Hasher::for_this_machine(), attempts: Attempts::new(AttemptLimits::of(values)) };
    Service::new("users", MIGRATIONS, store::STATEMENTS, state)
        .settings(settings::ALL)
        .at_start(signing_key::ensure)
        .routes(Policy::Public, routes!(register::handler))
        .routes(Policy::Admin, routes!(list_users::handler))
        .routes(Policy::Admin, routes!(set_roles::handler))
        .routes(Policy::Customer, routes!(queries::get, update_profile::handler, delete_user::handler))
        .routes(Policy::Public, routes!(request_password_reset::handler))
        .routes(Policy::Public, routes!(reset_password::handler))
        .routes(Policy::Customer, routes!(request_verification::handler))
        .routes(Policy::Public, routes!(verify_email::handler))
        .routes(Policy::Public, routes!(sign_in::handler))
        .routes(Policy::Public, routes!(refresh_session::handler))
        .routes(Policy::Customer, routes!(sign_out::handler))
        .routes(Policy::Public, routes!(jwks::handler))
        .on::<UserBanned>(on_user_banned::handle)
        .on::<ExternalUserChanged>(on_external_user_changed::handle)
        .timer(store::EXPIRE_SESSION, expire_session::handle)
        .timer(store::SEND_RESET_LINK, send_reset_link::handle)
        .timer(store::ROTATE_SIGNING_KEY, rotate_signing_key::handle)
}
