//! Reads of contracts and parked messages, as clients see them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use kernel::Timestamp;
use serde::Serialize;
use service::http::{Listing, Page, Problem};
use utoipa::ToSchema;

use crate::Ctx;
use crate::contract::Contract;
use crate::store::messages::{self as store, ParkedId};

/// A contract in force.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ContractStatus {
    #[schema(example = "fanout")]
    name: String,
    about: String,
    /// The roles that Tradepost has.
    #[schema(example = json!(["order", "product"]))]
    ours: Vec<String>,
    /// The roles that others have.
    theirs: Vec<String>,
    /// The ports on which its façades answer.
    ports: Vec<u16>,
    /// True if it has a broker, and that can be used. Absent if it has none.
    connected: Option<bool>,
    /// The reason why its broker can't be used.
    error: Option<String>,
    /// Messages of this process since its start, as in `in.taken`, `in.known`, `in.parked`, `out.sent`, `out.unrouted`.
    #[schema(example = json!({"in.taken": 12, "out.sent": 3}))]
    messages: BTreeMap<String, u64>,
    /// The last time at which a message came.
    last_seen: Option<Timestamp>,
    /// Messages that could not be taken in.
    parked: i64,
    /// Messages that are still to be sent.
    waiting: i64,
}

/// The contracts in force.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Contracts {
    items: Vec<ContractStatus>,
}

/// A message that could not be taken in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ParkedMessage {
    parked_id: ParkedId,
    #[schema(example = "fanout")]
    contract: String,
    #[schema(example = "tradepost.fanout.product")]
    queue: String,
    #[schema(example = "there is no product with the id 999")]
    reason: String,
    /// As text; what is none shows as replacement characters.
    body: String,
    /// Properties and headers.
    message: serde_json::Value,
    parked_at: Timestamp,
}

impl From<store::Parked> for ParkedMessage {
    fn from(parked: store::Parked) -> Self {
        Self {
            parked_id: parked.parked_id,
            contract: parked.contract,
            queue: parked.queue,
            reason: parked.reason,
            body: String::from_utf8_lossy(&parked.body).into_owned(),
            message: parked.message,
            parked_at: parked.parked_at,
        }
    }
}

/// Lists the contracts in force, and how they fare.
#[utoipa::path(get, path = "/v1/contracts", operation_id = "list_contracts", tag = "bridge",
    responses((status = 200, body = Contracts)))]
pub(crate) async fn list(State(ctx): State<Ctx>) -> Result<Json<Contracts>, Problem> {
    let mut items = Vec::new();
    for chosen in ctx.state.chosen() {
        items.push(status(&ctx, &chosen.contract, chosen.broker.is_some()).await?);
    }
    Ok(Json(Contracts { items }))
}

async fn status(ctx: &Ctx, contract: &Contract, has_broker: bool) -> Result<ContractStatus, Problem> {
    let fare = ctx.state.fare(contract);
    let counts = fare.counts.iter().map(|((direction, outcome), count)| (format!("{direction}.{outcome}"), *count));
    Ok(ContractStatus {
        name: contract.name.clone(),
        about: contract.about.clone(),
        ours: contract.ours.iter().cloned().collect(),
        theirs: contract.roles.iter().filter(|role| !contract.is_ours(role)).cloned().collect(),
        ports: contract.ports().into_iter().collect(),
        connected: has_broker.then_some(fare.is_connected),
        error: fare.broken,
        messages: counts.collect(),
        last_seen: fare.last_seen,
        parked: store::count_parked(&ctx.db, &contract.name).await?,
        waiting: store::count_outgoing(&ctx.db, &contract.name).await?,
    })
}

/// Lists messages of others that could not be taken in, newest first.
#[utoipa::path(get, path = "/v1/contracts/parked", operation_id = "list_parked_messages", tag = "bridge",
    params(Page), responses((status = 200, body = Listing<ParkedMessage>)))]
pub(crate) async fn parked(State(ctx): State<Ctx>, page: Page) -> Result<Json<Listing<ParkedMessage>>, Problem> {
    let found = store::parked_page(&ctx.db, page.before(), page.rows()).await?;
    let listing = page.listing(found, |parked| parked.parked_id.into());
    Ok(Json(listing.map(ParkedMessage::from)))
}
