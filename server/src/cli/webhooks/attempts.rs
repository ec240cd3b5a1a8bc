//! `tradepost webhooks attempts`

use events::EndpointId;
use serde::Deserialize;
use serde_json::Value;

use super::PATH;
use crate::cli::arguments::seconds;
use crate::cli::client::Client;
use crate::cli::table::{Column, Table};
use crate::cli::{Failure, Output};

/// A call of an endpoint.
#[derive(Debug, Deserialize)]
pub struct Attempt {
    pub attempt_id: String,
    pub event_id: String,
    event_type: String,
    number: i64,
    attempted_at: Value,
    pub duration_ms: i64,
    pub delivered: bool,
    pub error: Option<String>,
    pub response: Option<Response>,
    delivery_status: String,
    next_attempt_at: Value,
}

/// The answer of the endpoint.
#[derive(Debug, Deserialize)]
pub struct Response {
    pub status: i64,
    pub body: String,
}

/// Lists the calls of an endpoint.
pub async fn list(client: &Client, out: &mut Output, webhook: EndpointId, limit: usize) -> Result<(), Failure> {
    let listing = client.list(&format!("{PATH}/{webhook}/attempts"), &[], limit).await?;
    let empty = "nothing was sent yet: `tradepost webhooks test` sends an event to try it";
    out.listing(&listing, empty, |attempts| table(client, attempts))
}

fn table(client: &Client, attempts: &[Value]) -> Result<Table, Failure> {
    let mut table = Table::new([
        Column::Left("ID"),
        Column::Left("TIME"),
        Column::Left("EVENT"),
        Column::Right("ATTEMPT"),
        Column::Right("STATUS"),
        Column::Right("MS"),
        Column::Left("DELIVERY"),
    ]);
    for attempt in attempts {
        let attempt: Attempt = client.view(attempt)?;
        table.row([
            attempt.attempt_id,
            seconds(&attempt.attempted_at),
            attempt.event_type,
            attempt.number.to_string(),
            attempt.response.map_or_else(|| "-".to_owned(), |response| response.status.to_string()),
            attempt.duration_ms.to_string(),
            attempt.delivery_status,
        ]);
        if let Some(error) = attempt.error {
            let next = seconds(&attempt.next_attempt_at);
            table.remark(&if next.is_empty() { error } else { format!("{error}; next attempt at {next}") });
        }
    }
    Ok(table)
}
