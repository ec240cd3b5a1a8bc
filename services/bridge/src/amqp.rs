//! A foreign RabbitMQ: its exchanges and queues as the contract says, messages in both directions.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, ExchangeKind};
use serde_json::Value;
use service::Tasks;
use tokio::time::timeout;

use crate::Ctx;
use crate::contract::{self, Contract, Place};
use crate::deliver::{Link, Sent, deliver};
use crate::incoming::{Incoming, Message};
use crate::store::messages::Outgoing;
use crate::take_in::{digest, take_in};

/// Far more than a connection takes to a broker that is there.
const DEADLINE: Duration = Duration::from_secs(10);

/// The time that a publish may go unconfirmed.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(15);

/// Messages that are delivered and not yet acknowledged, of each queue.
const PREFETCH: u16 = 512;

/// Messages that are committed together.
const SET_MAX: usize = 256;

/// AMQP's "persistent".
const PERSISTENT: u8 = 2;

/// A channel on which every message is confirmed.
struct Confirmed {
    channel: Channel,
}

/// The broker's word about a publish, which comes later.
type Confirming = BoxFuture<'static, lapin::Result<Confirmation>>;

/// Connects, declares, and works until something breaks; answers with that.
pub(crate) async fn work(ctx: &Ctx, contract: &Contract, url: &str, tasks: &Tasks) -> lapin::Result<String> {
    let name = format!("tradepost bridge {}", contract.name);
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let Ok(connection) = timeout(DEADLINE, Connection::connect(url, properties)).await else {
        return Ok(format!("no answer within {DEADLINE:?}"));
    };
    let connection = connection?;
    declare(&connection.create_channel().await?, contract).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let link = Confirmed { channel };
    let mut receivers = Vec::new();
    for queue in contract.our_queues() {
        let channel = connection.create_channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let (tag, none) = (ShortString::default(), FieldTable::default());
        let consumer = channel.basic_consume(short(&queue.name), tag, BasicConsumeOptions::default(), none).await?;
        receivers.push(receive(ctx, contract, &queue.name, consumer, tasks).boxed());
    }
    ctx.state.is_connected(contract, None);
    tracing::info!(contract = contract.name, "the broker of a contract is connected");
    receivers.push(deliver(ctx, contract, &link, tasks).boxed());
    receivers.push(broken(&connection).boxed());
    let (reason, _, others) = futures_util::future::select_all(receivers).await;
    drop(others);
    Ok(reason)
}

/// Waits until the connection ends.
async fn broken(connection: &Connection) -> String {
    let mut events = std::pin::pin!(connection.events_listener());
    while connection.status().connected() {
        if let Ok(Some(lapin::Event::Error(error))) = timeout(Duration::from_millis(500), events.next()).await {
            return error.to_string();
        }
    }
    "the connection ended".to_owned()
}

/// Makes the exchanges, and the queues of the roles that are ours, with exactly the flags of the contract.
async fn declare(channel: &Channel, contract: &Contract) -> lapin::Result<()> {
    for exchange in &contract.exchanges {
        let kind = match exchange.kind {
            contract::ExchangeKind::Direct => ExchangeKind::Direct,
            contract::ExchangeKind::Fanout => ExchangeKind::Fanout,
            contract::ExchangeKind::Topic => ExchangeKind::Topic,
        };
        let options = ExchangeDeclareOptions { durable: exchange.durable, ..ExchangeDeclareOptions::default() };
        channel.exchange_declare(short(&exchange.name), kind, options, FieldTable::default()).await?;
    }
    for queue in contract.our_queues() {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(short(&queue.name), options, FieldTable::default()).await?;
        let Place::Bound(bindings) = &queue.place else { continue };
        for (exchange, key) in bindings {
            let options = QueueBindOptions::default();
            channel.queue_bind(short(&queue.name), short(exchange), short(key), options, FieldTable::default()).await?;
        }
    }
    Ok(())
}

fn short(text: &str) -> ShortString {
    text.into()
}

/// Takes in what comes by a queue until the channel ends; answers with the reason.
async fn receive(ctx: &Ctx, contract: &Contract, queue: &str, mut consumer: Consumer, tasks: &Tasks) -> String {
    let name = format!("{}/{queue}", contract.name);
    loop {
        let first = tokio::select! {
            first = consumer.next() => first,
            () = tasks.stopping() => return "the process stops".to_owned(),
        };
        let mut came = Vec::new();
        let mut next = first;
        loop {
            match next {
                Some(Ok(delivery)) => came.push(delivery),
                Some(Err(error)) => return error.to_string(),
                None => return "the broker ended the subscription".to_owned(),
            }
            if came.len() == SET_MAX {
                break;
            }
            // Whatever has arrived by now is committed together.
            let Some(arrived) = consumer.next().now_or_never() else { break };
            next = arrived;
        }
        let messages: Vec<Incoming> = came.iter_mut().map(|delivery| incoming(queue, delivery)).collect();
        let mut unacknowledged = ctx.state.unacknowledged(&name);
        let Some(counts) = take_in(ctx, contract, &messages, &mut unacknowledged, tasks).await else {
            return "the process stops".to_owned();
        };
        ctx.state.count_taken_in(contract, counts);
        let last = came.last().expect("it has the first");
        let acknowledged = last.acker.ack(BasicAckOptions { multiple: true }).await;
        if acknowledged.is_err() {
            // The connection broke before it was sent: all of these are redelivered.
            unacknowledged.extend(messages.iter().map(|message| digest(contract, message)));
        }
        ctx.state.set_unacknowledged(&name, unacknowledged);
        if let Err(error) = acknowledged {
            return error.to_string();
        }
    }
}

fn incoming(queue: &str, delivery: &mut Delivery) -> Incoming {
    let properties = &delivery.properties;
    let text = |text: &Option<ShortString>| text.as_ref().map(|text| text.as_str().to_owned());
    let headers = properties.headers().as_ref().map(|headers| headers.inner().iter()).into_iter().flatten();
    let headers: BTreeMap<String, Value> =
        headers.map(|(name, value)| (name.as_str().to_owned(), header(value))).collect();
    let message = Message {
        message_id: text(properties.message_id()),
        app_id: text(properties.app_id()),
        kind: text(properties.kind()),
        exchange: delivery.exchange.as_str().to_owned(),
        routing_key: delivery.routing_key.as_str().to_owned(),
        headers,
        redelivered: delivery.redelivered,
        at_most_once: false,
    };
    Incoming { queue: queue.to_owned(), body: Bytes::from(std::mem::take(&mut delivery.data)), message }
}

fn header(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into_owned().into(),
        AMQPValue::ShortString(text) => text.as_str().into(),
        AMQPValue::Boolean(value) => (*value).into(),
        AMQPValue::ShortInt(number) => (*number).into(),
        AMQPValue::LongInt(number) => (*number).into(),
        AMQPValue::LongLongInt(number) => (*number).into(),
        // What remains is of no use to a contract, and may be of any size.
        _ => Value::Null,
    }
}

impl Link for Confirmed {
    /// One that goes out under several keys is stored when all of them are.
    async fn send(&self, messages: &[Outgoing], app_id: &str) -> Vec<Sent> {
        let mut sent = Vec::with_capacity(messages.len());
        for message in messages {
            sent.push(self.publish(message, app_id).await);
        }
        join_all(sent.into_iter().map(|(message, confirmations)| confirmed(message, confirmations))).await
    }
}

impl Confirmed {
    /// Writes a message under each of its keys. The broker's words about it come later.
    async fn publish<'a>(&self, message: &'a Outgoing, app_id: &str) -> (&'a Outgoing, Vec<lapin::Result<Confirming>>) {
        let content_type = if message.is_json { "application/json" } else { "text/plain" };
        let properties = BasicProperties::default()
            .with_content_type(content_type.into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(message.message_id.to_string().into())
            .with_app_id(app_id.into());
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let mut confirmations = Vec::with_capacity(message.keys.len());
        for key in &message.keys {
            let exchange = short(&message.exchange);
            let published =
                self.channel.basic_publish(exchange, short(key), options, &message.body, properties.clone()).await;
            confirmations.push(published.map(FutureExt::boxed));
        }
        (message, confirmations)
    }
}

async fn confirmed(message: &Outgoing, confirmations: Vec<lapin::Result<Confirming>>) -> Sent {
    let mut is_stored = false;
    for confirmation in confirmations {
        let confirmation = match confirmation {
            Ok(confirmation) => timeout(CONFIRMED_WITHIN, confirmation).await,
            Err(error) => return Sent::Refused(error.to_string()),
        };
        match confirmation {
            Ok(Ok(Confirmation::Ack(None))) => is_stored = true,
            Ok(Ok(Confirmation::Ack(Some(_)))) if message.is_optional => {}
            Ok(Ok(Confirmation::Ack(Some(returned)))) => {
                return Sent::Refused(format!(
                    "nothing is bound for {}: {}",
                    returned.routing_key, returned.reply_text
                ));
            }
            Ok(Ok(Confirmation::Nack(_))) => return Sent::Refused("the broker refused a message".to_owned()),
            Ok(Ok(Confirmation::NotRequested)) => {
                return Sent::Refused("the broker was not asked for its word".to_owned());
            }
            Ok(Err(error)) => return Sent::Refused(error.to_string()),
            Err(_) => return Sent::Refused(format!("the broker confirms nothing within {CONFIRMED_WITHIN:?}")),
        }
    }
    if is_stored { Sent::Stored } else { Sent::Unrouted }
}
