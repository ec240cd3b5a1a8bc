//! The baseline of the relay: lapin alone publishes the same bodies to the same queues, persistent, mandatory and
//! confirmed, and as many at a time as the relay has in flight. There is no outbox and no order of keys, and headers
//! only if they are wanted: they are more than half of what the broker has to read and write.

use std::time::Instant;

use anyhow::{Result, bail, ensure};
use events::{Event, OrderPlaced};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use kernel::Shards;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};

use crate::Measured;
use crate::load::{Orders, key};
use crate::servers::Servers;
use crate::timeline::per_s;

/// The window of the relay.
const UNCONFIRMED: usize = 1_024;

/// To which Tradepost publishes.
const EXCHANGE: &str = "tradepost.events";

/// AMQP's "persistent".
const PERSISTENT: u8 = 2;

pub(crate) async fn measure(servers: &Servers, events: usize, with_headers: bool) -> Result<Measured> {
    let orders = Orders::new(&servers.ids);
    let messages: Vec<(ShortString, ShortString, Vec<u8>)> = (0..events)
        .map(|number| {
            let order = orders.placed(number);
            let shard = Shards::DEFAULT.of(OrderPlaced::LANE, key(&order));
            let message_id: kernel::Uuid = servers.ids.next();
            let routing_key = format!("{}.{shard}", OrderPlaced::TYPE);
            Ok((routing_key.into(), message_id.to_string().into(), serde_json::to_vec(&order)?))
        })
        .collect::<Result<_>>()?;
    let connection = Connection::connect(&servers.broker_url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let began = Instant::now();
    let published = messages.into_iter().map(|(routing_key, message_id, body)| {
        let channel = &channel;
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT).with_message_id(message_id.clone());
        let properties = if with_headers { properties.with_headers(headers(&message_id)) } else { properties };
        async move {
            let sent = channel.basic_publish(EXCHANGE.into(), routing_key, options, &body, properties).await?;
            match sent.await? {
                Confirmation::Ack(None) => anyhow::Ok(()),
                other => bail!("a message was not stored: {other:?}"),
            }
        }
    });
    stream::iter(published).buffer_unordered(UNCONFIRMED).try_collect::<()>().await?;
    let took = began.elapsed();
    connection.close(200, "done".into()).await?;
    let arrived = servers.waiting().await?;
    ensure!(arrived == u64::try_from(events)?, "{events} messages were confirmed, and {arrived} arrived");
    let more = format!("{events} messages");
    Ok(Measured { per_s: per_s(events, took), unit: "events/s", more, ratio: None })
}

/// As many headers as an event has, with names and values as long.
fn headers(id: &ShortString) -> FieldTable {
    let mut headers = FieldTable::default();
    let values = [
        ("specversion", "1.0"),
        ("id", id.as_str()),
        ("type", OrderPlaced::TYPE),
        ("source", OrderPlaced::SOURCE),
        ("time", "2026-01-01T00:00:00.000000Z"),
        ("subject", id.as_str()),
        ("lane", "background"),
        ("sequence", "1"),
        ("correlationid", id.as_str()),
        ("causationid", id.as_str()),
    ];
    for (name, value) in values {
        headers.insert(format!("cloudEvents:{name}").into(), AMQPValue::LongString(value.into()));
    }
    headers
}
