//! `tradepost orders place`

use clap::Args;
use events::OrderId;
use kernel::Money;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Value, json};

use super::watch::Until;
use super::{Line, watch};
use crate::cli::arguments::{WantedLine, idempotency_key, new_idempotency_key};
use crate::cli::client::Client;
use crate::cli::failure::Exit;
use crate::cli::output::note;
use crate::cli::table::fields;
use crate::cli::{Failure, Output};

const AFTER_HELP: &str = "\
Examples:
  tradepost orders place 123=1 456=2 --email ada@example.com --token tok_ok --watch
  tradepost orders place --line 123=1 --email ada@example.com
  tradepost orders place 123=1 --email ada@example.com --token tok_ok --wait

Tokens of the simulated payment provider:
  tok_ok              charged
  tok_declined        declined for good
  tok_soft            declined, but another token may follow
  tok_timeout         charged, but the answer is lost
  tok_slow            charged after a while
  tok_refund_fails    charged; a refund is refused for good
  tok_refund_timeout  charged; a refund is done, but its answer is lost
  tok_refund_slow     charged; a refund is done after a while";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Place {
    /// A product's sku or id, and how many of it
    #[arg(value_name = "PRODUCT=QUANTITY", required_unless_present = "line")]
    lines: Vec<WantedLine>,
    /// The same as an option, which may stand several times
    #[arg(long, value_name = "PRODUCT=QUANTITY")]
    line: Vec<WantedLine>,
    /// E-mail address for mail about the order
    #[arg(long)]
    email: String,
    /// The payment token; without it the order waits for one until its reservation expires
    #[arg(long)]
    token: Option<String>,
    /// If there is too little stock, wait for it; otherwise the order is rejected
    #[arg(long)]
    wait: bool,
    /// A text of your own: repeated with the same one within 24 hours, the command places no second order
    #[arg(long, value_name = "KEY", value_parser = idempotency_key)]
    idempotency_key: Option<HeaderValue>,
    /// Watch what happens to the order
    #[arg(long)]
    watch: bool,
}

#[derive(Debug, Deserialize)]
struct Placed {
    order_id: OrderId,
    number: i64,
    lines: Vec<Line>,
    total: Money,
    access_token: Option<String>,
}

impl Place {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        let lines = WantedLine::resolve_all(self.lines.iter().chain(&self.line), client).await?;
        let mut body = json!({"lines": lines, "email": self.email});
        if let Some(token) = &self.token {
            body["payment"] = json!({"token": token});
        }
        if self.wait {
            body["wait_for_stock"] = json!(true);
        }
        let answer = post(client, &body, self.idempotency_key).await?;
        let placed: Placed = client.view(&answer)?;
        print(out, client, &answer, &placed, self.watch)?;
        if self.token.is_none() {
            let number = placed.number;
            note(&format!(
                "no --token: pay it with `tradepost orders pay {number} --token TOKEN` before its reservation expires"
            ));
        }
        if !self.watch {
            return Ok(());
        }
        let watched = match &placed.access_token {
            Some(token) if !client.is_admin() => {
                watch::watch(&client.with_order_token(token)?, out, placed.order_id, Until::Paid).await
            }
            _ => watch::watch(client, out, placed.order_id, Until::Paid).await,
        };
        watched.map_err(|failure| not_watched(failure, placed.number))
    }
}

async fn post(client: &Client, body: &Value, key: Option<HeaderValue>) -> Result<Value, Failure> {
    let key = key.unwrap_or_else(new_idempotency_key);
    let shown = key.to_str().unwrap_or_default();
    let help = format!(
        "the order may have been placed: repeat the command with `--idempotency-key {shown}`, which places it at most once"
    );
    client.post_once("/v1/orders", body, &key, &help).await
}

/// The order stands, whatever went wrong after it was placed.
fn not_watched(failure: Failure, number: i64) -> Failure {
    if failure.exit() == Exit::Ok {
        return failure;
    }
    Failure::new(
        Exit::PartlyFailed,
        format!("order {number} was placed and stands, but it can't be watched: {failure}"),
    )
    .with_details(failure.details().to_vec())
    .with_help(format!("don't place it again: `tradepost orders watch {number}` shows its story"))
}

/// The order's token is the only key that a guest has to it; an admin needs none.
fn print(out: &mut Output, client: &Client, answer: &Value, placed: &Placed, is_stream: bool) -> Result<(), Failure> {
    if out.is_json() {
        return if is_stream { out.record(answer) } else { out.document(answer) };
    }
    let lines: Vec<String> = placed.lines.iter().map(|line| format!("{} × {}", line.quantity, line.name)).collect();
    out.text(fields([
        ("order", Some(placed.number.to_string())),
        ("id", Some(placed.order_id.to_string())),
        ("lines", Some(lines.join(", "))),
        ("total", Some(placed.total.to_string())),
        ("access token", placed.access_token.clone().filter(|_| !client.is_admin())),
    ]))
}
