//! `tradepost health`: whether a process is ready, for those who watch over it.

use std::time::Duration;

use clap::Args;
use reqwest::StatusCode;
use server::config::{self, Environment};

use super::Failure;
use super::failure::Exit;

/// A process that needs longer to say that it is ready is not.
const PATIENCE: Duration = Duration::from_secs(3);

const AFTER_HELP: &str = "\
Asks /readyz of --url, TRADEPOST_URL, or of the port of TRADEPOST_PORT on this machine.
It needs no token, no store and no broker. Exit code 0 if the process is ready or degraded, 1 if not.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Health {}

impl Health {
    pub async fn run(self, url: Option<&str>, environment: &Environment) -> Result<(), Failure> {
        let url = config::health_url(url, environment)?;
        let asked = async {
            let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build()?;
            http.get(format!("{}/readyz", url.as_str().trim_end_matches('/'))).send().await
        };
        match asked.await {
            Ok(answer) if answer.status() == StatusCode::OK => Ok(()),
            Ok(answer) => {
                Err(Failure::new(Exit::Failed, format!("{url} is not ready: it answered {}", answer.status())))
            }
            Err(error) => Err(Failure::new(Exit::Failed, format!("{url} is not ready: {error}"))),
        }
    }
}
