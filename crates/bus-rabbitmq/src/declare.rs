//! Making exchange, queues and bindings, or finding them made.

use futures_util::future::try_join_all;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, ExchangeKind};

use crate::error::CallError;
use crate::layout::{Binding, EXCHANGE, Queue};
use crate::reconnecting::within;

/// Number of queues that are declared before their answers are awaited: enough to hide latency, few enough for the
/// deadline.
const QUEUES_AT_ONCE: usize = 16;

/// Number of bindings that are made or removed before their answers are awaited.
const BINDINGS_AT_ONCE: usize = 256;

/// A channel of its own, for what goes wrong on it closes it.
pub(crate) async fn open(connection: &Connection) -> Result<Channel, CallError> {
    within("opening a channel", connection.create_channel()).await
}

/// Makes the exchange to which every event is published, unless it is there: who only uses it needs no right to make
/// it.
pub(crate) async fn declare_exchange(connection: &Connection) -> Result<(), CallError> {
    if has_exchange(connection, &EXCHANGE.into(), ExchangeKind::Topic).await? {
        return Ok(());
    }
    let channel = open(connection).await?;
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared = channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, options, FieldTable::default());
    within("declaring the exchange", declared).await
}

/// True if an exchange is there.
pub(crate) async fn has_exchange(
    connection: &Connection,
    name: &ShortString,
    kind: ExchangeKind,
) -> Result<bool, CallError> {
    // An exchange that is not there closes the channel.
    let channel = open(connection).await?;
    let options = ExchangeDeclareOptions { passive: true, durable: true, ..ExchangeDeclareOptions::default() };
    let asked = channel.exchange_declare(name.clone(), kind, options, FieldTable::default());
    match within("asking for an exchange", asked).await {
        Err(CallError::Failed(error)) if code(&error) == Some(NOT_FOUND) => Ok(false),
        asked => asked.map(|()| true),
    }
}

/// Makes these queues with their bindings. Those that are there stay as they are.
pub(crate) async fn declare<'a>(
    channel: &Channel,
    queues: impl IntoIterator<Item = &'a Queue>,
) -> Result<(), CallError> {
    let queues: Vec<&Queue> = queues.into_iter().collect();
    for queues in queues.chunks(QUEUES_AT_ONCE) {
        within("declaring queues", try_join_all(queues.iter().map(|queue| declare_queue(channel, queue)))).await?;
        let bindings = queues.iter().flat_map(|queue| queue.keys.iter().map(|key| (queue.name.clone(), key.clone())));
        let bound = bindings.map(|(queue, key)| {
            channel.queue_bind(queue, EXCHANGE.into(), key, QueueBindOptions::default(), FieldTable::default())
        });
        within("binding queues", try_join_all(bound)).await?;
        // After the bindings that replace them, so that nothing is unroutable. A binding that is not there is no error.
        let former =
            queues.iter().flat_map(|queue| queue.former_keys.iter().map(|key| (queue.name.clone(), key.clone())));
        let unbound =
            former.map(|(queue, key)| channel.queue_unbind(queue, EXCHANGE.into(), key, FieldTable::default()));
        within("removing bindings of another lane", try_join_all(unbound)).await?;
    }
    Ok(())
}

/// Binds queues, which are there.
pub(crate) async fn bind(channel: &Channel, bindings: &[Binding]) -> Result<(), CallError> {
    for bindings in bindings.chunks(BINDINGS_AT_ONCE) {
        let bound = bindings.iter().cloned().map(|Binding { queue, key, arguments }| {
            channel.queue_bind(queue, EXCHANGE.into(), key, QueueBindOptions::default(), arguments)
        });
        within("binding queues on demand", try_join_all(bound)).await?;
    }
    Ok(())
}

/// Removes bindings of queues, which are there. A binding that is not there is no error.
pub(crate) async fn unbind(channel: &Channel, bindings: &[Binding]) -> Result<(), CallError> {
    for bindings in bindings.chunks(BINDINGS_AT_ONCE) {
        let unbound = bindings
            .iter()
            .cloned()
            .map(|Binding { queue, key, arguments }| channel.queue_unbind(queue, EXCHANGE.into(), key, arguments));
        within("removing bindings", try_join_all(unbound)).await?;
    }
    Ok(())
}

/// Makes a queue, or checks one that is there.
pub(crate) async fn declare_alone(channel: &Channel, queue: &Queue) -> lapin::Result<()> {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.name.clone(), options, queue.arguments.clone()).await.map(drop)
}

async fn declare_queue(channel: &Channel, queue: &Queue) -> lapin::Result<()> {
    declare_alone(channel, queue).await?;
    let Some(exchange) = &queue.own_exchange else { return Ok(()) };
    let (kind, none) = (ExchangeKind::Fanout, FieldTable::default());
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(exchange.clone(), kind, options, none.clone()).await?;
    channel
        .queue_bind(queue.name.clone(), exchange.clone(), ShortString::default(), QueueBindOptions::default(), none)
        .await
}

/// Number of messages of a queue that wait to be delivered; `None` if there is no such queue, which closes the channel.
pub(crate) async fn waiting(channel: &Channel, queue: &Queue) -> Result<Option<u64>, CallError> {
    Ok(queue_status(channel, &queue.name).await?.map(|queue_status| u64::from(queue_status.waiting)))
}

/// The status of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueStatus {
    /// Messages that wait to be delivered, without those that were delivered and are not settled.
    pub waiting: u32,
    /// Consumers, and those that wait for a turn.
    pub consumers: u32,
}

/// The status of a queue; `None` if there is no such queue, which closes the channel.
pub(crate) async fn queue_status(channel: &Channel, queue: &ShortString) -> Result<Option<QueueStatus>, CallError> {
    let options = QueueDeclareOptions { passive: true, durable: true, ..QueueDeclareOptions::default() };
    let asked = channel.queue_declare(queue.clone(), options, FieldTable::default());
    match within("asking for a queue", asked).await {
        Ok(queue) => Ok(Some(QueueStatus { waiting: queue.message_count(), consumers: queue.consumer_count() })),
        Err(CallError::Failed(error)) if code(&error) == Some(NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// AMQP's reply codes (<https://www.rabbitmq.com/docs/channels#error-handling>).
pub(crate) const ACCESS_REFUSED: u16 = 403;
pub(crate) const NOT_FOUND: u16 = 404;
pub(crate) const PRECONDITION_FAILED: u16 = 406;
pub(crate) const NOT_ALLOWED: u16 = 530;

/// The code with which the broker said no, if it was the broker.
pub(crate) fn code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

/// True if the broker would answer the same again: somebody must repair something.
pub(crate) fn is_final(error: &CallError) -> bool {
    let CallError::Failed(error) = error else { return false };
    matches!(code(error), Some(ACCESS_REFUSED | NOT_FOUND | PRECONDITION_FAILED | NOT_ALLOWED))
}
