//! Settings of the commands that talk to a running server.

use reqwest::Url;

use super::keys::{self, Keys};
use super::sources::Sources;
use super::{Environment, Errors, Secret, parse};
use crate::shop::Shop;

/// The address of `tradepost up` with its defaults.
const URL_DEFAULT: &str = "http://127.0.0.1:8080";

/// The server's URL, and the token to ask it.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Its address; paths are added behind it.
    pub url: Url,
    /// The admin token, if one is set.
    pub admin_token: Option<Secret>,
}

/// The address at which a process on this machine is asked for its readiness: the port is the one that it listens on.
pub fn health_url(url: Option<&str>, environment: &Environment) -> Result<Url, Errors> {
    let own = environment.get(&keys::PORT.variable()).map(|port| format!("http://127.0.0.1:{port}"));
    let text = url.or_else(|| environment.get(keys::URL_VARIABLE)).or(own.as_deref()).unwrap_or(URL_DEFAULT);
    parse::http_url(text).map_err(|expected| {
        let mut errors = Errors::default();
        errors.add(format!("`{}` is not {expected}", text.escape_debug()));
        errors
    })
}

/// Reads what the client commands need. Settings of the server don't concern them, misspelt names do.
pub fn client(shop: &Shop, url: Option<&str>, environment: &Environment) -> Result<ClientSettings, Errors> {
    let keys = Keys::of(shop);
    let (admin_token, mut errors) = Sources::client_secret(&keys, &keys::ADMIN_TOKEN, environment);
    let (place, text) = match (url, environment.get(keys::URL_VARIABLE)) {
        (Some(flag), _) => ("--url", flag),
        (None, Some(variable)) => (keys::URL_VARIABLE, variable),
        (None, None) => ("the default", URL_DEFAULT),
    };
    match parse::http_url(text) {
        Ok(url) => errors.into_result(ClientSettings { url, admin_token }),
        Err(expected) => {
            errors.add(format!("{place}: `{}` is not {expected}", text.escape_debug()));
            Err(errors)
        }
    }
}
