//! Checks of the broker before its use. A defect is one line that states the remedy.

use std::time::Duration;

use kernel::{Ids, Uuid};
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ExchangeKind};
use tokio::time::Instant;

use crate::address::Address;
use crate::declare::{NOT_FOUND, code, declare_alone, has_exchange, open, waiting};
use crate::error::{CallError, Unusable};
use crate::greeting;
use crate::layout::{EXCHANGE, Layout};
use crate::reconnecting::{connect, within};

/// The broker's name and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// `RabbitMQ`, as a rule.
    pub product: String,
    /// Such as `3.10.8`.
    pub version: String,
}

/// The time between two tries.
const REACH_AGAIN: Duration = Duration::from_millis(500);

/// Connects, at most as long as the patience; `report` gets each failure that is tried again.
pub(crate) async fn reach(
    address: &Address,
    patience: Duration,
    mut report: impl FnMut(&Unusable),
) -> Result<(), Unusable> {
    let began = Instant::now();
    loop {
        // A broker that says nothing is greeted first: no connection of lapin's must wait for it.
        match connect(address, "start", true).await {
            Ok(_) => return Ok(()),
            Err(error) if error.may_pass() && began.elapsed() < patience => {
                report(&error);
                tokio::time::sleep(REACH_AGAIN).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Connects, and looks at everything that is needed but for bindings, which can't be read over AMQP. Changes nothing
/// but for a queue of its own, which goes with it.
pub(crate) async fn check(address: &Address, layout: &Layout, ids: &Ids) -> Result<ServerInfo, Unusable> {
    let server = greeting::greet(address).await?;
    let connection = connect(address, "check", false).await?;
    let calling = |error: CallError| Unusable::calling(address, &error);
    rights(&connection, ids).await.map_err(calling)?;
    let missing = |name: &ShortString| Unusable::Missing { name: name.to_string() };
    let exchanges = layout.consumers().filter_map(|consumer| layout.dead(consumer)?.own_exchange.clone());
    let exchanges = exchanges.map(|name| (name, ExchangeKind::Fanout));
    for (name, kind) in [(ShortString::from(EXCHANGE), ExchangeKind::Topic)].into_iter().chain(exchanges) {
        if !has_exchange(&connection, &name, kind).await.map_err(calling)? {
            return Err(missing(&name));
        }
    }
    for queue in layout.consumers().flat_map(|consumer| layout.queues_of(consumer)) {
        // A queue that is not there closes the channel.
        let channel = open(&connection).await.map_err(calling)?;
        if waiting(&channel, queue).await.map_err(calling)?.is_none() {
            return Err(missing(&queue.name));
        }
        within("comparing a queue", declare_alone(&channel, queue)).await.map_err(calling)?;
    }
    Ok(server.unwrap_or_else(|| ServerInfo { product: "unknown".to_owned(), version: String::new() }))
}

/// Does what needs the right to configure, to write and to read, with a queue that only this connection sees.
async fn rights(connection: &Connection, ids: &Ids) -> Result<(), CallError> {
    let channel = open(connection).await?;
    let name = own_queue(&channel, ids).await?;
    let key = ShortString::from("check");
    let bind = channel.queue_bind(
        name.clone(),
        EXCHANGE.into(),
        key.clone(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    match within("binding a queue", bind).await {
        // There is nothing to write to or read from yet, which is said of the exchange.
        Err(CallError::Failed(error)) if code(&error) == Some(NOT_FOUND) => return Ok(()),
        bound => bound?,
    }
    let consumed =
        channel.basic_consume(name, ShortString::default(), BasicConsumeOptions::default(), FieldTable::default());
    let consumer = within("reading from a queue", consumed).await?;
    let options = BasicPublishOptions::default();
    let written = channel.basic_publish(EXCHANGE.into(), key, options, &[], BasicProperties::default());
    within("writing to the exchange", written).await?;
    // A refused write fails the call that follows it.
    let ended = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
    within("ending a subscription", ended).await
}

async fn own_queue(channel: &Channel, ids: &Ids) -> Result<ShortString, CallError> {
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    // Of two checks at once each has its own.
    let name = format!("tradepost.check.{}", ids.next::<Uuid>());
    let declared = channel.queue_declare(name.into(), options, FieldTable::default());
    Ok(within("declaring a queue", declared).await?.name().clone())
}
