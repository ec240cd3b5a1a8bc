//! The shop's public interface, as façades call it.

use std::sync::LazyLock;
use std::time::Duration;

use reqwest::{Client, Method};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longer than the shop takes for any request.
const DEADLINE: Duration = Duration::from_secs(30);

/// A call, as a filter gives it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    /// The identity: that of whoever calls the façade, unless it is `admin`.
    #[serde(default, rename = "as")]
    identity: Identity,
    method: String,
    path: String,
    #[serde(default)]
    body: Option<Value>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Identity {
    #[default]
    Caller,
    Admin,
}

/// The answer to a call.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    pub status: u16,
    /// Null if it is no JSON.
    pub body: Value,
}

impl Answer {
    pub fn is_refusal(&self) -> bool {
        self.status >= 400
    }
}

/// The place of the interface, and the right to do what an admin may.
pub(crate) struct Api {
    url: String,
    token: Option<String>,
    client: LazyLock<Client>,
}

impl Api {
    pub fn new(url: String, token: Option<String>) -> Self {
        let client = || {
            // It never leaves for another host than the one of the URL.
            let client = Client::builder().timeout(DEADLINE).no_proxy().redirect(reqwest::redirect::Policy::none());
            client.build().expect("a client needs no files")
        };
        Self { url, token, client: LazyLock::new(client) }
    }

    /// Calls it. `authorization` is the header that the caller of the façade sent. The error is for the log.
    pub async fn call(&self, call: Call, authorization: Option<&str>) -> Result<Answer, String> {
        let method: Method = call.method.parse().map_err(|_| format!("{} is no method", call.method))?;
        if !is_public(&call.path) {
            return Err(format!("{} is no path of the public interface, as in /v1/orders", call.path));
        }
        let mut request = self.client.request(method, format!("{}{}", self.url, call.path));
        let authorization = match (call.identity, &self.token) {
            (Identity::Caller, _) => authorization.map(str::to_owned),
            (Identity::Admin, Some(token)) => Some(format!("Bearer {token}")),
            (Identity::Admin, None) => {
                return Err("a route needs what an admin may: set TRADEPOST_CONTRACTS_API_TOKEN".to_owned());
            }
        };
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let failed = |error: reqwest::Error| format!("{} can't be called: {}", self.url, error.without_url());
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(failed)?;
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
    }
}

/// True for a path of the public interface. What a client wrote into it leads nowhere else.
fn is_public(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default().to_lowercase();
    path.starts_with("/v1/") && !path.contains("/.") && !path.contains("%2e") && !path.contains('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_the_public_interface_alone() {
        for good in ["/v1/products", "/v1/users/019b7a39-5c77-7b3a-8d2f-5e6c7a8b9c0d", "/v1/orders?sku=a/../b"] {
            assert!(is_public(good), "{good}");
        }
        for bad in ["/metrics", "/v1/users/../../metrics", "/v1/%2E%2e/metrics", "/v1/..\\metrics", "v1/products", ""] {
            assert!(!is_public(bad), "{bad}");
        }
    }
}
