//! `tradepost health`: the readiness of a process, for those who watch over it.

use std::time::Duration;

use clap::Args;
use console::innermost;
use reqwest::{StatusCode, Url};
use serde_json::Value;
use server::config::{self, Environment};

use super::failure::Exit;
use super::terminal::plain;
use super::{Failure, Output};

/// A process that needs longer to say that it is ready is not.
const PATIENCE: Duration = Duration::from_secs(3);

/// Far more than the checks of all services.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

const AFTER_HELP: &str = "\
Asks /readyz of --url, TRADEPOST_URL, or of the port of TRADEPOST_PORT on this machine.
It needs no token, no store and no broker. With --json it prints what the process answered.
Exit code 0 if the process is ready or degraded, 1 if not, 7 if it can't be reached.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Health {}

impl Health {
    pub async fn run(self, url: Option<&str>, environment: &Environment, out: &mut Output) -> Result<(), Failure> {
        let url = config::health_url(url, environment)?;
        let (status, readiness) = ask(&url).await.map_err(|error| {
            let reason = if error.is_timeout() { format!("no answer within {PATIENCE:?}") } else { innermost(&error) };
            Failure::new(Exit::Unreachable, format!("can't reach {url}: {reason}"))
        })?;
        if out.is_json() && readiness.is_object() {
            out.document(&readiness)?;
        }
        if status == StatusCode::OK {
            return if out.is_json() { Ok(()) } else { print(out, &readiness) };
        }
        Err(Failure::failed(format!("{url} is not ready: it answered {status}")).with_details(reasons(&readiness)))
    }
}

async fn ask(url: &Url) -> reqwest::Result<(StatusCode, Value)> {
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build()?;
    let mut answer = http.get(format!("{}/readyz", url.as_str().trim_end_matches('/'))).send().await?;
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES_MAX
        && let Some(chunk) = answer.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    // What is no JSON is no answer of Tradepost, and the status says enough.
    Ok((answer.status(), serde_json::from_slice(&body).unwrap_or_default()))
}

fn print(out: &mut Output, readiness: &Value) -> Result<(), Failure> {
    out.text(plain(readiness["status"].as_str().unwrap_or("ready")))?;
    reasons(readiness).iter().try_for_each(|reason| out.text(format_args!("  {}", plain(reason))))
}

/// The checks that failed, as the process names them.
fn reasons(readiness: &Value) -> Vec<String> {
    let checks = readiness["checks"].as_array().into_iter().flatten();
    let failed = checks.filter(|check| check["ok"] == false);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    failed.map(|check| format!("{}: {}", text(&check["name"]), text(&check["reason"]))).collect()
}
