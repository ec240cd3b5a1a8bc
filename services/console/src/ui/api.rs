//! The public interface of the shop, wherever its services run: what the pages read and change.

use std::sync::{Arc, OnceLock, Weak};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use service::http::Problem;
use tower::ServiceExt;

use super::sessions::Credential;
use crate::Peer;

/// The routes of this process and of the others. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Api {
    here: Arc<Here>,
    routes: Router,
}

/// The routes of this process. Weak, for they hold the pages, which hold this.
type Here = OnceLock<Weak<Router>>;

impl Api {
    /// Asks other processes at these paths, which are written as axum writes them, and this one at all others.
    pub fn new(elsewhere: impl IntoIterator<Item = (String, Peer)>) -> Self {
        let here: Arc<Here> = Arc::default();
        let routes = elsewhere.into_iter().fold(Router::new(), |routes, (path, peer)| {
            let forward = move |request: Request| async move {
                match peer.forward(request).await {
                    Ok(response) => response,
                    Err(error) => Problem::from(error).into_response(),
                }
            };
            routes.route(&path, any(forward))
        });
        let answer_here = {
            let here = here.clone();
            move |request: Request| async move {
                match here.get().and_then(Weak::upgrade) {
                    Some(routes) => Router::clone(&routes).oneshot(request).await.into_response(),
                    None => Problem::overloaded("the process is starting or draining", 1).into_response(),
                }
            }
        };
        Self { here, routes: routes.fallback(answer_here) }
    }

    /// Answers with these routes from now on, as long as somebody else holds them.
    pub fn serve(&self, routes: &Arc<Router>) {
        self.here.get_or_init(|| Arc::downgrade(routes));
    }

    /// Sends a request by the right of a credential.
    pub(super) async fn send_by(&self, credential: &Credential, mut request: Request) -> Response {
        let token = match credential {
            Credential::Token(token) => token,
            Credential::Account { access, .. } => access,
        };
        let Ok(mut authorization) = HeaderValue::from_str(&format!("Bearer {token}")) else {
            return Problem::unauthenticated().into_response();
        };
        authorization.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, authorization);
        self.send(request).await
    }

    /// Sends a request that needs no right.
    pub(super) async fn send(&self, request: Request) -> Response {
        self.routes.clone().oneshot(request).await.into_response()
    }
}
