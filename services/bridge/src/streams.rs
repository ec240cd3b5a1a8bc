//! A foreign Redis: each message goes to a stream and to a channel; the streams are read by a group for each role.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::select_all;
use futures_util::{FutureExt, StreamExt};
use kernel::{Timestamp, Uuid};
use redis::aio::MultiplexedConnection;
use redis::streams::{
    StreamAutoClaimReply, StreamId, StreamInfoGroupsReply, StreamKey, StreamPendingReply, StreamReadReply,
};
use redis::{AsyncConnectionConfig, Client, ErrorKind, Msg, RedisError, RedisResult, Value};
use serde_json::Value as Json;
use service::Tasks;
use tokio::time::{Instant, timeout};

use crate::Ctx;
use crate::contract::{Contract, Queue, Stream};
use crate::deliver::{Link, Sent, deliver};
use crate::incoming::{Incoming, Message};
use crate::store::messages::Outgoing;
use crate::take_in::take_in;

/// Far more than a connection takes to a server that is there.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Far more than a call takes on a server that is there.
const CALL_DEADLINE: Duration = Duration::from_secs(15);

/// The time for which a read waits for entries.
const BLOCK: Duration = Duration::from_millis(500);

/// Entries that are committed together, and messages that go out together.
const SET_MAX: usize = 256;

/// The time after which an entry that is not acknowledged is taken from its reader. A reader that lives has long committed.
const RECLAIMED_AFTER: Duration = Duration::from_secs(15);

/// The time between two looks for entries of readers that are gone.
const RECLAIM_EVERY: Duration = Duration::from_secs(5);

/// The time after which a reader without entries is forgotten.
const READER_KEPT: Duration = Duration::from_hours(1);

/// The time between two looks for entries that every group has handled.
const TRIM_EVERY: Duration = Duration::from_secs(10);

/// Entries that stay in a stream that no group reads.
const UNREAD_MAX: usize = 10_000;

/// The field of an entry that has the message.
const DATA: &str = "data";

/// The fields that have the id of a message, and the mark of the shop that sent it.
const MESSAGE_ID: &str = "message_id";
const APP_ID: &str = "app_id";

/// A server, and what names begin with.
struct Place {
    client: Client,
    prefix: String,
}

/// Everything that the parts of a connection share.
struct Session<'a> {
    ctx: &'a Ctx,
    contract: &'a Contract,
    place: &'a Place,
    tasks: &'a Tasks,
    /// The name of this reader in every group.
    reader: String,
}

/// A connection that publishes.
struct Publisher {
    connection: MultiplexedConnection,
    prefix: String,
}

impl Place {
    /// The place of a URL such as `redis://host/0?prefix=shop:`.
    fn of(url: &str) -> RedisResult<Self> {
        let mut url =
            url::Url::parse(url).map_err(|error| (ErrorKind::InvalidClientConfig, "URL", error.to_string()))?;
        let prefix = url.query_pairs().find(|(name, _)| name == "prefix");
        let prefix = prefix.map(|(_, prefix)| prefix.into_owned()).unwrap_or_default();
        url.set_query(None);
        Ok(Self { client: Client::open(url.as_str())?, prefix })
    }

    async fn connect(&self, deadline: Option<Duration>) -> RedisResult<MultiplexedConnection> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_DEADLINE)).set_response_timeout(deadline);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    fn name(&self, of: &str) -> String {
        format!("{}{of}", self.prefix)
    }
}

/// Connects, and works until something breaks; answers with that.
pub(crate) async fn work(ctx: &Ctx, contract: &Contract, url: &str, tasks: &Tasks) -> RedisResult<String> {
    let place = Place::of(url)?;
    let reader = format!("tradepost-{}", ctx.ids.next::<Uuid>());
    let session = Session { ctx, contract, place: &place, tasks, reader };
    let publisher = Publisher { connection: place.connect(Some(CALL_DEADLINE)).await?, prefix: place.prefix.clone() };
    let mut groups: BTreeMap<&str, Vec<(&Queue, &Stream)>> = BTreeMap::new();
    let ours = contract.our_queues().filter_map(|queue| Some((queue, queue.stream()?)));
    for (queue, stream) in ours {
        groups.entry(&queue.role).or_default().push((queue, stream));
    }
    let mut parts = Vec::new();
    for (group, queues) in &groups {
        let connection = place.connect(None).await?;
        for (_, stream) in queues {
            session.make_group(&mut connection.clone(), &place.name(&stream.key), group).await?;
        }
        parts.push(session.read(connection, group, queues).map(in_words).boxed());
    }
    // The channels of a role that is ours have our own messages alone.
    let listened = channels(&session, &groups);
    if !listened.is_empty() {
        parts.push(session.listen(listened).map(in_words).boxed());
    }
    ctx.state.is_connected(contract, None);
    tracing::info!(contract = contract.name, "the broker of a contract is connected");
    parts.push(session.trim(publisher.connection.clone()).map(in_words).boxed());
    parts.push(deliver(ctx, contract, &publisher, tasks).boxed());
    let (reason, _, others) = select_all(parts).await;
    drop(others);
    Ok(reason)
}

/// The channels on which others publish for groups of ours.
fn channels<'a>(
    session: &Session<'_>,
    groups: &BTreeMap<&str, Vec<(&'a Queue, &'a Stream)>>,
) -> BTreeMap<String, Vec<&'a Queue>> {
    let mut channels: BTreeMap<String, Vec<&Queue>> = BTreeMap::new();
    for (queue, stream) in groups.values().flatten() {
        if let Some(channel) = stream.channel.as_ref().filter(|_| !session.contract.is_ours(&stream.from)) {
            channels.entry(session.place.name(channel)).or_default().push(queue);
        }
    }
    channels
}

fn in_words(ended: RedisResult<()>) -> String {
    match ended {
        Ok(()) => "the process stops".to_owned(),
        Err(error) => error.to_string(),
    }
}

impl Session<'_> {
    /// Makes a group that gets what came since the contract is in force, if it is not there yet. The id of an entry begins
    /// with the time at which it was added.
    async fn make_group(&self, connection: &mut MultiplexedConnection, key: &str, group: &str) -> RedisResult<()> {
        let since = self.ctx.state.since(self.contract).map_or(0, Timestamp::as_millisecond);
        let mut command = redis::cmd("XGROUP");
        command.arg("CREATE").arg(key).arg(group).arg(format!("{since}-0")).arg("MKSTREAM");
        match command.query_async::<Value>(connection).await {
            Err(error) if error.code() != Some("BUSYGROUP") => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes in what a group gets, until the tasks stop.
    async fn read(
        &self,
        mut connection: MultiplexedConnection,
        group: &str,
        queues: &[(&Queue, &Stream)],
    ) -> RedisResult<()> {
        let by_key: HashMap<String, &Queue> =
            queues.iter().map(|(queue, stream)| (self.place.name(&stream.key), *queue)).collect();
        let keys: Vec<&String> = by_key.keys().collect();
        let mut looked: Option<Instant> = None;
        while !self.tasks.is_stopping() {
            if looked.is_none_or(|looked| looked.elapsed() >= RECLAIM_EVERY) {
                for (key, queue) in &by_key {
                    self.reclaim(&mut connection, group, key, queue).await?;
                }
                looked = Some(Instant::now());
            }
            let mut command = redis::cmd("XREADGROUP");
            command.arg("GROUP").arg(group).arg(&self.reader).arg("COUNT").arg(SET_MAX);
            command.arg("BLOCK").arg(milliseconds(BLOCK)).arg("STREAMS").arg(&keys).arg(vec![">"; keys.len()]);
            let read =
                within(BLOCK + CALL_DEADLINE, command.query_async::<Option<StreamReadReply>>(&mut connection)).await;
            let read = match read {
                Ok(read) => read,
                // The stream was deleted.
                Err(error) if matches!(error.code(), Some("NOGROUP" | "UNBLOCKED")) => {
                    for key in &keys {
                        self.make_group(&mut connection, key, group).await?;
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            for StreamKey { key, ids } in read.into_iter().flat_map(|read| read.keys) {
                let Some(queue) = by_key.get(&key) else { continue };
                self.take(&mut connection, group, &key, queue, ids, false).await?;
            }
        }
        Ok(())
    }

    /// Takes over the entries of readers that are gone.
    async fn reclaim(
        &self,
        connection: &mut MultiplexedConnection,
        group: &str,
        key: &str,
        queue: &Queue,
    ) -> RedisResult<()> {
        let mut from = "0-0".to_owned();
        while !self.tasks.is_stopping() {
            let mut command = redis::cmd("XAUTOCLAIM");
            command.arg(key).arg(group).arg(&self.reader).arg(milliseconds(RECLAIMED_AFTER)).arg(&from);
            command.arg("COUNT").arg(SET_MAX);
            let claimed = match within(CALL_DEADLINE, command.query_async::<StreamAutoClaimReply>(connection)).await {
                // The next read makes the group.
                Err(error) if error.code() == Some("NOGROUP") => return Ok(()),
                claimed => claimed?,
            };
            self.take(connection, group, key, queue, claimed.claimed, true).await?;
            from = claimed.next_stream_id;
            if from == "0-0" {
                break;
            }
        }
        Ok(())
    }

    /// Takes in entries, and acknowledges them when they are committed.
    async fn take(
        &self,
        connection: &mut MultiplexedConnection,
        group: &str,
        key: &str,
        queue: &Queue,
        entries: Vec<StreamId>,
        redelivered: bool,
    ) -> RedisResult<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let messages: Vec<Incoming> = entries.iter().map(|entry| of_entry(queue, key, entry, redelivered)).collect();
        // Each has an identity.
        let Some(counts) = take_in(self.ctx, self.contract, &messages, &mut Vec::new(), self.tasks).await else {
            return Ok(());
        };
        self.ctx.state.count_taken_in(self.contract, counts);
        let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        let mut command = redis::cmd("XACK");
        command.arg(key).arg(group).arg(ids);
        within(CALL_DEADLINE, command.query_async::<Value>(connection)).await.map(drop)
    }

    /// Takes in what others say on channels, until the tasks stop.
    async fn listen(&self, channels: BTreeMap<String, Vec<&Queue>>) -> RedisResult<()> {
        let mut connection = self.place.client.get_async_pubsub().await?;
        for channel in channels.keys() {
            connection.subscribe(channel).await?;
        }
        let mut said = connection.on_message();
        loop {
            let first = tokio::select! {
                first = said.next() => first,
                () = self.tasks.stopping() => return Ok(()),
            };
            let Some(first) = first else {
                return Err(RedisError::from((ErrorKind::Io, "the connection to the channels ended")));
            };
            let mut came = vec![first];
            while came.len() < SET_MAX {
                let Some(next) = said.next().now_or_never().flatten() else { break };
                came.push(next);
            }
            let messages: Vec<Incoming> = came
                .iter()
                .flat_map(|said| {
                    let queues = channels.get(said.get_channel_name()).into_iter().flatten();
                    queues.map(|queue| of_channel(queue, said))
                })
                .collect();
            let Some(counts) = take_in(self.ctx, self.contract, &messages, &mut Vec::new(), self.tasks).await else {
                return Ok(());
            };
            self.ctx.state.count_taken_in(self.contract, counts);
            self.ctx.state.count(self.contract, "in", "at_most_once", counts.taken);
        }
    }

    /// Removes entries that every group has handled from the streams of our roles, and readers that are gone, until the
    /// tasks stop.
    async fn trim(&self, mut connection: MultiplexedConnection) -> RedisResult<()> {
        loop {
            tokio::select! {
                () = tokio::time::sleep(TRIM_EVERY) => {}
                () = self.tasks.stopping() => return Ok(()),
            }
            for stream in self.contract.streams().into_values() {
                let key = self.place.name(&stream.key);
                let is_ours = self.contract.is_ours(&stream.from);
                let trimmed = if is_ours { trim_stream(&mut connection, &key).await } else { Ok(()) };
                // Rights to look may be missing, which harms nothing else.
                if let Err(error) = trimmed.and(self.forget_readers(&mut connection, &key).await) {
                    kernel::warn_limited!(contract = self.contract.name, key, %error, "a stream can't be trimmed");
                }
            }
        }
    }

    /// Removes readers of earlier processes that have no entries.
    async fn forget_readers(&self, connection: &mut MultiplexedConnection, key: &str) -> RedisResult<()> {
        for queue in self
            .contract
            .our_queues()
            .filter(|queue| queue.stream().is_some_and(|stream| self.place.name(&stream.key) == key))
        {
            let mut command = redis::cmd("XINFO");
            command.arg("CONSUMERS").arg(key).arg(&queue.role);
            let readers: redis::streams::StreamInfoConsumersReply = command.query_async(connection).await?;
            let gone = readers.consumers.iter().filter(|reader| {
                reader.name.starts_with("tradepost-")
                    && reader.pending == 0
                    && u64::try_from(reader.idle).is_ok_and(|idle| idle > milliseconds(READER_KEPT))
            });
            for reader in gone {
                let mut command = redis::cmd("XGROUP");
                command.arg("DELCONSUMER").arg(key).arg(&queue.role).arg(&reader.name);
                command.query_async::<Value>(connection).await?;
            }
        }
        Ok(())
    }
}

/// A result within a deadline.
async fn within<T>(deadline: Duration, answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let late = |_| RedisError::from((ErrorKind::Io, "the server does not answer"));
    timeout(deadline, answer).await.map_err(late)?
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("it is some hours at most")
}

/// Removes the entries of a stream that every group has handled.
async fn trim_stream(connection: &mut MultiplexedConnection, key: &str) -> RedisResult<()> {
    let groups = redis::cmd("XINFO").arg("GROUPS").arg(key).query_async::<StreamInfoGroupsReply>(connection).await;
    let groups = match groups {
        // Nothing was published yet.
        Err(error) if error.detail().is_some_and(|detail| detail.contains("no such key")) => return Ok(()),
        groups => groups?.groups,
    };
    let mut command = redis::cmd("XTRIM");
    command.arg(key);
    if groups.is_empty() {
        command.arg("MAXLEN").arg("~").arg(UNREAD_MAX);
    } else {
        let mut first_needed: Option<(u64, u64)> = None;
        for group in groups {
            let mut pending = redis::cmd("XPENDING");
            pending.arg(key).arg(&group.name);
            let needed = match pending.query_async::<StreamPendingReply>(connection).await? {
                StreamPendingReply::Data(pending) => entry_id(&pending.start_id),
                // Its last one stays, for it may be the last of all.
                _ => entry_id(&group.last_delivered_id),
            };
            first_needed = Some(first_needed.map_or(needed, |first| first.min(needed)));
        }
        let (time, number) = first_needed.expect("there is a group");
        command.arg("MINID").arg(format!("{time}-{number}"));
    }
    command.query_async::<Value>(connection).await.map(drop)
}

/// Time and number of an entry's id.
fn entry_id(id: &str) -> (u64, u64) {
    let (time, number) = id.split_once('-').unwrap_or((id, "0"));
    (time.parse().unwrap_or_default(), number.parse().unwrap_or_default())
}

fn of_entry(queue: &Queue, key: &str, entry: &StreamId, redelivered: bool) -> Incoming {
    let mut fields: BTreeMap<String, String> =
        entry.map.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect();
    let (message_id, app_id) = (fields.remove(MESSAGE_ID), fields.remove(APP_ID));
    let body = match entry.map.get(DATA) {
        Some(Value::BulkString(bytes)) => Bytes::copy_from_slice(bytes),
        // As people write it who have no body: a field for each value.
        _ => Bytes::from(serde_json::to_vec(&fields).expect("texts are JSON")),
    };
    fields.remove(DATA);
    let message = Message {
        message_id: message_id.or_else(|| Some(entry.id.clone())),
        app_id,
        exchange: key.to_owned(),
        headers: fields.into_iter().map(|(name, value)| (name, Json::String(value))).collect(),
        redelivered,
        ..Message::default()
    };
    Incoming { queue: queue.name.clone(), body, message }
}

fn of_channel(queue: &Queue, said: &Msg) -> Incoming {
    let message = Message { exchange: said.get_channel_name().to_owned(), at_most_once: true, ..Message::default() };
    Incoming { queue: queue.name.clone(), body: Bytes::copy_from_slice(said.get_payload_bytes()), message }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

impl Link for Publisher {
    /// A set of them is written at once or not at all, and behind one that was refused nothing is sent.
    async fn send(&self, messages: &[Outgoing], app_id: &str) -> Vec<Sent> {
        let mut sent = Vec::with_capacity(messages.len());
        for set in messages.chunks(SET_MAX) {
            match self.publish(set, app_id).await {
                Ok(()) => sent.extend(set.iter().map(|_| Sent::Stored)),
                Err(error) => {
                    sent.resize(messages.len(), Sent::Refused(error.to_string()));
                    break;
                }
            }
        }
        sent
    }
}

impl Publisher {
    async fn publish(&self, messages: &[Outgoing], app_id: &str) -> RedisResult<()> {
        let mut commands = redis::pipe();
        commands.atomic();
        for message in messages {
            let key = format!("{}{}", self.prefix, message.exchange);
            commands.cmd("XADD").arg(key).arg("*").arg(DATA).arg(&message.body);
            commands.arg(MESSAGE_ID).arg(message.message_id.to_string()).arg(APP_ID).arg(app_id).ignore();
            for channel in &message.keys {
                commands.cmd("PUBLISH").arg(format!("{}{channel}", self.prefix)).arg(&message.body).ignore();
            }
        }
        commands.query_async(&mut self.connection.clone()).await
    }
}
