//! `POST /v1/contracts/parked/{id}/retry` and `DELETE /v1/contracts/parked/{id}`: a parked message is taken in after all, or
//! forgotten.

use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use service::decide;
use service::http::{PathId, Problem, ProblemBody, RequestInfo};
use service::storage::Batch;

use crate::Ctx;
use crate::incoming::{self, Incoming};
use crate::resolve::Names;
use crate::store::messages::{self as store, Parked, ParkedId};
use crate::take_in::{emit, message_key};

/// Takes in a message that was parked, by the rules of its contract as they are now.
#[utoipa::path(post, path = "/v1/contracts/parked/{id}/retry", operation_id = "retry_parked_message", tag = "bridge",
    params(("id" = ParkedId, Path)),
    responses(
        (status = 204),
        (status = 409, body = ProblemBody, description = "`still_refused`, with the reason; `contract_not_in_force`"),
    ))]
pub(crate) async fn retry(
    State(ctx): State<Ctx>,
    PathId(parked_id): PathId<ParkedId>,
    request: RequestInfo,
) -> Result<StatusCode, Problem> {
    decide(&ctx, || async {
        let parked = found(&ctx, parked_id).await?;
        let contract = ctx.state.contracts().iter().find(|contract| contract.name == parked.contract);
        let Some(contract) = contract else {
            let detail = format!("the contract {} is not in force now", parked.contract);
            return Err(Problem::new(StatusCode::CONFLICT, "contract_not_in_force", detail));
        };
        let message = serde_json::from_value(parked.message.clone()).unwrap_or_default();
        let message = Incoming { queue: parked.queue.clone(), body: Bytes::from(parked.body.clone()), message };
        let said = incoming::read(contract, &message).map_err(|reason| refused(&reason))?;
        let key = said.id.as_ref().map(|id| message_key(contract, &message, id));
        if !store::taken(&ctx.db, key.into_iter().collect()).await?.is_empty() {
            return Err(refused("another delivery of it was taken in already: discard it"));
        }
        let (db, currency) = (&ctx.db, ctx.state.currency);
        let facts: Vec<_> = said.facts.iter().collect();
        let mut names = Names::read(db, contract, events::bridge::MESSAGE, currency, &facts).await?;
        let mut batch: Batch = store::delete_parked(&parked);
        for fact in &said.facts {
            let resolved = names.resolve(fact.clone(), &ctx.ids);
            let (happened, rows) = resolved.map_err(|unresolved| refused(&unresolved.reason()))?;
            batch = emit(batch.and(rows), &happened);
        }
        // Taken by now, whether this is its only delivery or not.
        if let Some(id) = &said.id {
            batch = batch.and(store::insert_taken(&message_key(contract, &message, id), ctx.clock.now()));
        }
        ctx.commit(batch, request.cause()).await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Forgets a message that was parked.
#[utoipa::path(delete, path = "/v1/contracts/parked/{id}", operation_id = "discard_parked_message", tag = "bridge",
    params(("id" = ParkedId, Path)), responses((status = 204)))]
pub(crate) async fn discard(
    State(ctx): State<Ctx>,
    PathId(parked_id): PathId<ParkedId>,
    request: RequestInfo,
) -> Result<StatusCode, Problem> {
    let parked = found(&ctx, parked_id).await?;
    ctx.commit(store::delete_parked(&parked), request.cause()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn found(ctx: &Ctx, parked_id: ParkedId) -> Result<Parked, Problem> {
    let parked = store::parked_message(&ctx.db, parked_id).await?;
    parked.ok_or_else(|| Problem::not_found("parked message"))
}

fn refused(reason: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, "still_refused", reason.to_owned())
}
