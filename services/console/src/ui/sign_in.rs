//! Signing in to the pages and out of them.

use std::time::Duration;

use axum::Json;
use axum::body::{Body as Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use service::http::{Body, ClientAddress, Problem};

use super::forward::{check_origin, cookie_name, cookie_of};
use super::sessions::{Credential, Session};
use super::{Features, Pages};

/// The path at which this process says who is asking.
pub(crate) const CALLER_PATH: &str = "/internal/console/caller";

/// The largest answer that is read here.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Tokens of an account are renewed so long before they end.
const RENEW_BEFORE: Duration = Duration::from_secs(30);

/// The words of a sign-in: a token, a link, or an address with its password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    token: Option<String>,
    link: Option<String>,
    email: Option<String>,
    password: Option<String>,
}

/// A session as the pages show it.
#[derive(Serialize)]
struct Shown {
    actor: String,
    expires_at: Timestamp,
    features: Features,
}

/// The tokens of an account.
#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: String,
    expires_in: u64,
}

/// The one who asks, by their name in events and tables.
#[derive(Deserialize)]
struct Asking {
    actor: String,
}

/// Shows the session.
pub(super) async fn show(State(pages): State<Pages>, headers: HeaderMap) -> Result<Response, Problem> {
    let cookie = cookie_of(&headers).ok_or_else(Problem::unauthenticated)?;
    let Session { actor, ends_at, .. } = pages.sessions.of(&cookie).ok_or_else(Problem::unauthenticated)?;
    let shown = Shown { actor, expires_at: ends_at, features: pages.features };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(shown)).into_response())
}

/// Begins a session. Whoever guesses gets no further than ten times a minute.
pub(super) async fn begin(
    State(pages): State<Pages>,
    address: ClientAddress,
    headers: HeaderMap,
    Body(sign_in): Body<SignIn>,
) -> Result<Response, Problem> {
    check_origin(&headers)?;
    pages.attempts.check_address(address.ip)?;
    let credential = match sign_in {
        SignIn { token: Some(token), link: None, email: None, password: None } => Credential::Token(token),
        SignIn { link: Some(link), token: None, email: None, password: None } => {
            let token = pages.link_token.clone().filter(|_| pages.sessions.use_link(&link));
            Credential::Token(token.ok_or_else(link_is_used)?)
        }
        SignIn { email: Some(email), password: Some(password), token: None, link: None } => {
            pages.account("/v1/sessions", &json!({"email": email, "password": password})).await?
        }
        _ => return Err(Problem::malformed_body("give a token, a link, or an e-mail address and its password")),
    };
    let actor = pages.actor(&credential).await?;
    let name = cookie_name(&headers);
    let cookie = pages.sessions.begin(credential, actor);
    set_cookie(&headers, &format!("{name}={cookie}"))
}

/// Ends the session. Without one, nothing changes.
pub(super) async fn end(State(pages): State<Pages>, headers: HeaderMap) -> Result<Response, Problem> {
    check_origin(&headers)?;
    if let Some(cookie) = cookie_of(&headers) {
        if let Some(Session { credential: credential @ Credential::Account { .. }, .. }) = pages.sessions.of(&cookie) {
            // The account's sign-in ends with it; one that has ended already is none.
            pages.api.send_by(&credential, empty(&Method::DELETE, "/v1/sessions/current")).await;
        }
        pages.sessions.end(&cookie);
    }
    set_cookie(&headers, &format!("{}=; Max-Age=0", cookie_name(&headers)))
}

/// The cookie is for no script and for no other site. Behind a proxy that speaks TLS it is for TLS alone.
fn set_cookie(headers: &HeaderMap, cookie: &str) -> Result<Response, Problem> {
    let is_secure = headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes() == b"https");
    let secure = if is_secure { "; Secure" } else { "" };
    let value = format!("{cookie}; Path=/ui; HttpOnly; SameSite=Strict{secure}");
    let value = HeaderValue::from_str(&value).map_err(|_| Problem::internal())?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, value)]).into_response())
}

impl Pages {
    /// The name of whom a credential lets in: an admin, or nobody.
    async fn actor(&self, credential: &Credential) -> Result<String, Problem> {
        let response = self.api.send_by(credential, empty(&Method::GET, CALLER_PATH)).await;
        match (response.status(), credential) {
            (StatusCode::OK, _) => Ok(read::<Asking>(response).await?.actor),
            (StatusCode::FORBIDDEN, _) => {
                let detail = "the account is no admin: `tradepost users roles` makes it one";
                Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail))
            }
            (StatusCode::UNAUTHORIZED, _) => Err(bad_credentials()),
            (_, _) => Err(unavailable()),
        }
    }

    /// The sign-in of an account, by these words at this path of the users service.
    async fn account(&self, path: &str, words: &Value) -> Result<Credential, Problem> {
        let mut request = empty(&Method::POST, path);
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Bytes::from(words.to_string());
        let response = self.api.send(request).await;
        match response.status() {
            status if status.is_success() => {
                let Tokens { access_token, refresh_token, expires_in } = read(response).await?;
                let lasts = Duration::from_secs(expires_in).saturating_sub(RENEW_BEFORE);
                let access_until = self.clock.now() + lasts;
                Ok(Credential::Account { access: access_token, access_until, refresh: refresh_token })
            }
            StatusCode::TOO_MANY_REQUESTS => {
                Err(Problem::too_many_requests("too many attempts: wait a minute", Duration::from_mins(1)))
            }
            status if status.is_server_error() => Err(unavailable()),
            _ => Err(bad_credentials()),
        }
    }

    /// The session of a cookie; its tokens are renewed if they are about to end.
    pub(super) async fn session(&self, cookie: &str) -> Option<Session> {
        let session = self.sessions.of(cookie)?;
        if !self.is_ending(&session) {
            return Some(session);
        }
        // One at a time: what is used twice to renew ends the sign-in.
        let _renewing = self.sessions.renewing.lock().await;
        let session = self.sessions.of(cookie)?;
        let Credential::Account { refresh, .. } = &session.credential else { return Some(session) };
        if !self.is_ending(&session) {
            return Some(session);
        }
        if let Ok(renewed) = self.account("/v1/sessions/refresh", &json!({"refresh_token": refresh})).await {
            self.sessions.renew(cookie, renewed);
            self.sessions.of(cookie)
        } else {
            self.sessions.end(cookie);
            None
        }
    }

    fn is_ending(&self, session: &Session) -> bool {
        matches!(&session.credential, Credential::Account { access_until, .. } if *access_until <= self.clock.now())
    }
}

fn empty(method: &Method, path: &str) -> Request {
    let request = Request::builder().method(method).uri(path);
    request.body(Bytes::empty()).expect("the method and the path are constants")
}

async fn read<T: for<'de> Deserialize<'de>>(response: Response) -> Result<T, Problem> {
    let body = to_bytes(response.into_body(), ANSWER_BYTES_MAX).await.map_err(|_| unavailable())?;
    serde_json::from_slice(&body).map_err(|_| unavailable())
}

fn bad_credentials() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "bad_credentials",
        "this token, or this address with this password, is unknown",
    )
}

fn link_is_used() -> Problem {
    let detail = "the link was used before or is older than half an hour: sign in with the admin token, or start again";
    Problem::new(StatusCode::UNAUTHORIZED, "bad_credentials", detail)
}

fn unavailable() -> Problem {
    let detail = "nobody can say who this is: the service that knows the account does not answer";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "peer_away", detail).retry_after(5)
}
