//! Something happened: a delivery is queued for each endpoint that wants to know.

use bytes::Bytes;
use kernel::{EventId, Timestamp, Uuid, Version};
use service::storage::{Batch, Error};
use service::{Committed, Delivery, Failure, causes};

use crate::domain::{self, DeliveryStatus, Endpoint, Queue};
use crate::store::{self, deliveries as queues};
use crate::{Ctx, message};

pub(crate) async fn handle_many(ctx: Ctx, events: Vec<Delivery<Bytes>>) -> Result<Committed, Failure> {
    let endpoints = store::enabled(&ctx.db).await?;
    let batch = queue_all(&ctx, &endpoints, &events).await?;
    Ok(ctx.commit(batch, causes(events)).await?)
}

async fn queue_all(ctx: &Ctx, endpoints: &[Endpoint], events: &[Delivery<Bytes>]) -> Result<Batch, Error> {
    let wanted = |event: &Delivery<Bytes>| {
        let envelope = &event.envelope;
        endpoints.iter().filter(|it| it.wants(&envelope.event_type, envelope.time)).collect::<Vec<_>>()
    };
    let wanted: Vec<_> = events.iter().map(|event| (event, wanted(event))).filter(|(_, by)| !by.is_empty()).collect();
    if wanted.is_empty() {
        return Ok(Batch::new());
    }
    let ids = endpoints.iter().map(|endpoint| endpoint.endpoint_id).collect();
    let keys = wanted.iter().map(|(event, _)| event.envelope.key).collect();
    let mut queue = queues::queue(&ctx.db, ids, keys).await?;
    let (mut batch, now) = (Batch::new(), ctx.clock.now());
    for (event, endpoints) in wanted {
        let envelope = &event.envelope;
        let body = message::of_event(envelope, &event.event);
        for endpoint in endpoints {
            let new = New { event_id: envelope.id, event_type: &envelope.event_type, key: envelope.key, body: &body };
            batch = batch.and(new.queue(ctx, &mut queue, endpoint, now));
        }
    }
    Ok(batch.and(queues::set_queue(queue, now)))
}

/// A message that is to be queued.
pub(crate) struct New<'a> {
    pub event_id: EventId,
    pub event_type: &'a str,
    pub key: Uuid,
    pub body: &'a str,
}

impl New<'_> {
    /// Queues it for an endpoint; the queue is written by [`queues::set_queue`]. Nothing if the endpoint was deleted.
    pub fn queue(&self, ctx: &Ctx, queue: &mut Queue, endpoint: &Endpoint, now: Timestamp) -> Batch {
        let Some(place) = queue.add(endpoint.endpoint_id, self.key, now) else { return Batch::new() };
        queues::insert(&domain::Delivery {
            delivery_id: ctx.ids.next(),
            endpoint_id: endpoint.endpoint_id,
            slot_id: place.slot_id,
            key: self.key,
            place: place.place,
            event_id: self.event_id,
            event_type: self.event_type.to_owned(),
            body: self.body.to_owned(),
            status: DeliveryStatus::Queued,
            attempts: 0,
            due_at: place.due_at,
            queued_at: now,
            ended_at: None,
            version: Version::FIRST,
        })
    }
}
