//! `tradepost orders why`

use serde::Deserialize;

use crate::cli::arguments::OrderRef;
use crate::cli::client::Client;
use crate::cli::table::fields;
use crate::cli::terminal::plain;
use crate::cli::{Failure, Output};

#[derive(Debug, Deserialize)]
struct Why {
    state: Option<String>,
    healthy: bool,
    cause: String,
    sentence: String,
    evidence: Vec<String>,
    remedy: Option<String>,
}

/// Shows the one reason why an order is where it is, and the command that mends it.
pub async fn why(client: &Client, out: &mut Output, order: OrderRef) -> Result<(), Failure> {
    let order_id = order.resolve(client).await?;
    let answer = client.get(&format!("/v1/orders/{order_id}/why"), &[]).await?;
    if out.is_json() {
        return out.document(&answer);
    }
    let Why { state, healthy, cause, sentence, evidence, remedy } = client.view(&answer)?;
    let verdict = if healthy { "nothing is wrong" } else { "something is wrong" };
    out.text(plain(&sentence))?;
    out.text("")?;
    out.text(fields([
        ("status", state),
        ("cause", Some(format!("{cause}: {verdict}"))),
        ("shown by", (!evidence.is_empty()).then(|| evidence.join("; "))),
        ("mended by", remedy),
    ]))
}
