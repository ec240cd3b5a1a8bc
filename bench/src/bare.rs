//! What the relay is held against: lapin alone publishes the same bodies to the same queues, persistent, mandatory and
//! confirmed, and as many at a time as the relay has under way. There is no outbox, no order of keys, and no header.

use std::time::Instant;

use anyhow::{Result, bail, ensure};
use events::{Event, OrderPlaced};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use kernel::Shards;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};

use crate::Measured;
use crate::load::{Orders, key};
use crate::place::Servers;
use crate::seen::per_s;

/// The window of the relay.
const UNCONFIRMED: usize = 1_024;

/// To which Tradepost publishes.
const EXCHANGE: &str = "tradepost.events";

/// AMQP's "persistent".
const PERSISTENT: u8 = 2;

pub(crate) async fn measure(servers: &Servers, events: usize) -> Result<Measured> {
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
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT).with_message_id(message_id);
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
