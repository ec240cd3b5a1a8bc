//! Refusals of the server and failures to reach it, in words and as an exit code.

use console::innermost;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;

use super::Failure;
use super::failure::Exit;

/// The parts of an RFC 9457 document that people need.
#[derive(Debug, Deserialize)]
struct Problem {
    code: String,
    detail: String,
    #[serde(default)]
    request_id: String,
    #[serde(default)]
    errors: Vec<FieldError>,
}

#[derive(Debug, Deserialize)]
struct FieldError {
    field: String,
    detail: String,
}

/// An answer that is no success.
pub fn refusal(status: StatusCode, body: &[u8], retry_after: Option<String>) -> Failure {
    let exit = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Configuration,
        StatusCode::NOT_FOUND => Exit::NotFound,
        StatusCode::CONFLICT => Exit::Conflict,
        _ => Exit::Failed,
    };
    let document = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let Ok(problem) = Problem::deserialize(&document) else {
        return Failure::new(exit, format!("the server answered {status} without saying why"))
            .with_help("is it Tradepost that listens there? --url names another");
    };
    let details = problem.errors.iter().map(|error| format!("{}: {}", error.field, error.detail)).collect();
    let message = format!("{} ({}, {})", problem.detail, status.as_u16(), problem.code);
    let failure = Failure::new(exit, message).with_details(details).with_problem(document);
    match (status, retry_after) {
        (StatusCode::UNAUTHORIZED, _) => failure.with_help(
            "the token is not one that this server accepts: check TRADEPOST_ADMIN_TOKEN or TRADEPOST_ADMIN_TOKEN_FILE",
        ),
        (_, Some(seconds)) => failure.with_help(format!("try again in {seconds} s")),
        (status, None) if status.is_server_error() && !problem.request_id.is_empty() => {
            failure.with_help(format!("the server's log has more under the request id {}", problem.request_id))
        }
        _ => failure,
    }
}

/// The seconds after which to try again, as the server says.
pub fn retry_after(headers: &HeaderMap) -> Option<String> {
    headers.get(RETRY_AFTER)?.to_str().ok().map(str::to_owned)
}

/// No connection, or one that broke before the answer was complete.
pub fn unreachable(base: &Url, error: &reqwest::Error) -> Failure {
    let reason = if error.is_timeout() { "it does not answer in time".to_owned() } else { innermost(error) };
    Failure::new(Exit::Unreachable, format!("can't reach {}: {reason}", shown(base)))
        .with_help("is it running? start it with `tradepost up --demo`, or name another with --url")
}

/// The failure where an answer lacks some services and all of them are needed.
pub fn missing_services(services: &[String]) -> Failure {
    Failure::failed(format!("unreachable, so their data is not known: {}", services.join(", ")))
        .with_help("`/readyz` of each says what it lacks; start it, then do this again")
}

/// A success in a form that this version doesn't know.
pub fn not_ours(base: &Url) -> Failure {
    Failure::failed(format!("the answer of {} is not one of Tradepost's", shown(base)))
        .with_help("is something else listening there, or another version? --url names another")
}

/// The address without credentials that somebody may have put there.
fn shown(base: &Url) -> String {
    let mut url = base.clone();
    // A URL that can't carry credentials has none to hide.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_has_an_exit_code() {
        for (status, exit) in [
            (400, Exit::Failed),
            (401, Exit::Configuration),
            (404, Exit::NotFound),
            (409, Exit::Conflict),
            (422, Exit::Failed),
            (503, Exit::Failed),
        ] {
            let body = json!({"code": "some_code", "detail": "no"}).to_string();
            let refused = refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes(), None);
            assert_eq!(refused.exit(), exit, "{status}");
        }
    }

    #[test]
    fn credentials_in_an_address_are_not_shown() {
        assert_eq!(shown(&"http://user:pass@shop:1/".parse().unwrap()), "http://shop:1");
    }
}
