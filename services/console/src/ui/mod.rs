//! The web pages at `/ui/`: their files, who has signed in, and the public interface by the right of that.
//!
//! A page knows no token. Its cookie names a session here, and `/ui/api/…` sends each of its requests to the public
//! interface by the session's right, to whichever process has the route.

mod api;
mod files;
mod forward;
mod mail;
mod sessions;
mod sign_in;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{any, get};
use kernel::{Clock, Ids};
use service::http::overload::{Limiter, Rate};

pub use api::Api;
use sessions::Sessions;
pub(crate) use sign_in::CALLER_PATH;

/// Attempts to sign in from one address.
const ATTEMPTS: Rate = Rate::new(10, Duration::from_mins(1));

/// The web pages. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pages {
    sessions: Arc<Sessions>,
    api: Api,
    attempts: Limiter,
    clock: Clock,
    /// The token by whose right a link signs in. Without one there are no links.
    link_token: Option<String>,
    features: Features,
}

/// Parts of the pages that not every shop has.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Features {
    /// Placing orders to try the shop.
    pub r#try: bool,
}

impl Pages {
    /// The pages of a console. `link_token` is an admin token by whose right the links of [`Pages::link`] sign in.
    pub fn new(api: Api, clock: Clock, ids: Ids, link_token: Option<String>, features: Features) -> Self {
        let sessions = Arc::new(Sessions::new(clock.clone(), ids));
        Self { sessions, api, attempts: Limiter::new(ATTEMPTS, clock.clone()), clock, link_token, features }
    }

    /// Reaches these routes of this process from now on, as long as somebody else holds them.
    pub fn serve(&self, routes: &Arc<Router>) {
        self.api.serve(routes);
    }

    /// The part of an address that signs in once, within half an hour: a fragment, which browsers send to nobody.
    pub fn link(&self) -> Option<String> {
        self.link_token.as_ref()?;
        Some(format!("/ui/#link={}", self.sessions.link()))
    }

    /// The pages' routes. They are in no description, for they are for the pages alone.
    pub fn routes(self) -> Router {
        Router::new()
            .route("/ui", get(async || Redirect::permanent("/ui/")))
            .route("/ui/", get(files::handler))
            .route("/ui/{*path}", get(files::handler))
            .route("/ui/session", get(sign_in::show).post(sign_in::begin).delete(sign_in::end))
            .route("/ui/api/v1/mail/{id}/html", get(mail::html))
            .route("/ui/api/{*path}", any(forward::handler))
            .with_state(self)
    }
}
