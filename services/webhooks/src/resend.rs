//! The timer that queues deliveries of an endpoint again, some at a time.

use axum::http::StatusCode;
use events::EndpointId;
use service::http::Problem;
use service::storage::{Batch, Error};
use service::{Committed, Failure, Timer};

use crate::Ctx;
use crate::domain::{Delivery, Endpoint};
use crate::store::{self, RESEND, deliveries as queues};

/// Deliveries of one commit: the more there are, the longer it takes, and the likelier a slot is changed meanwhile.
const DELIVERIES_MAX: i64 = 50;

/// 409 for an endpoint to which nothing is sent.
pub(crate) fn disabled() -> Problem {
    let detail = "the endpoint is disabled: enable it first, by `PATCH` with `{\"enabled\": true}`";
    Problem::new(StatusCode::CONFLICT, "webhook_disabled", detail)
}

/// Queues deliveries that ended again, behind what waits.
pub(crate) async fn queue_again(ctx: &Ctx, endpoint_id: EndpointId, deliveries: Vec<Delivery>) -> Result<Batch, Error> {
    let keys = deliveries.iter().map(|delivery| delivery.key).collect();
    let mut queue = queues::queue(&ctx.db, vec![endpoint_id], keys).await?;
    let (mut batch, now) = (Batch::new(), ctx.clock.now());
    for delivery in deliveries {
        if let Some(place) = queue.add(endpoint_id, delivery.key, now) {
            batch = batch.and(queues::update(&delivery.queued_again(place, now)));
        }
    }
    Ok(batch.and(queues::set_queue(queue, now)))
}

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let endpoint_id = EndpointId::from(timer.key);
    let endpoint = store::endpoint(&ctx.db, endpoint_id).await?;
    let Some((endpoint, between)) = endpoint.and_then(|it| it.resend.map(|between| (it, between))) else {
        return Ok(ctx.commit(Batch::new(), timer.cause()).await?);
    };
    let found = queues::ended(&ctx.db, endpoint_id, between, DELIVERIES_MAX).await?;
    let is_all = i64::try_from(found.len()).is_ok_and(|rows| rows < DELIVERIES_MAX);
    let last = found.last().map(|delivery| delivery.delivery_id.into());
    let rest = last.filter(|_| !is_all && endpoint.is_enabled()).map(|last| (last, between.1));
    let mut batch = store::update(&Endpoint { resend: rest, ..endpoint });
    batch = batch.and(queue_again(&ctx, endpoint_id, found).await?);
    if rest.is_some() {
        batch = batch.schedule(RESEND.name, endpoint_id, ctx.clock.now());
    }
    Ok(ctx.commit(batch, timer.cause()).await?)
}
