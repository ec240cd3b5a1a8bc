//! Takes entries from a stream, and waits for those that are not there yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::Error;
use kernel::Lane;
use redis::Value;
use redis::aio::MultiplexedConnection;

use crate::connection::{CALL_DEADLINE, call, number, text, within};
use crate::error::CallError;
use crate::layout::{GROUP, Stream};
use crate::leases::{LEASE, milliseconds};
use crate::scripts::{RELEASE, SETTLE, TAKE, eval};
use crate::shared::{PATIENCE, Shared};
use crate::wire::Field;

/// Entries that are taken at once, of each shard: eight shards together fill two windows of the runner. No more, for all
/// of them are redelivered when a shard moves to another instance, and a redelivery takes more commits.
const TAKE_MAX: usize = 64;

/// Entries that one script removes: Lua takes some thousand arguments.
const SETTLE_MAX: usize = 1_000;

/// The longest wait for an entry before the stream is looked at again: somebody may have deleted it.
const BLOCK: Duration = Duration::from_secs(2);

/// The interval at which a subscription asks for its turn while another holds the stream.
const TURN_EVERY: Duration = Duration::from_millis(100);

/// The position before everything that is not settled.
pub(crate) const BEGINNING: &str = "0";

/// The position after everything that was ever delivered.
pub(crate) const NEW: &str = ">";

/// The source of a subscription.
pub(crate) struct Reader {
    pub shared: Arc<Shared>,
    pub lane: Lane,
    consumer: String,
    stream: Stream,
    token: String,
    /// For what never waits; others use it too.
    calls: MultiplexedConnection,
    /// For the wait for an entry, and nothing else.
    waits: MultiplexedConnection,
    /// True once it held the stream.
    has_held: AtomicBool,
}

/// Entries that were taken.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// True if the stream was not held before: another may have held it, and what was delivered before is void.
    pub is_anew: bool,
    pub entries: Vec<Entry>,
    /// The position from which to go on.
    pub after: String,
}

/// An entry of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub id: String,
    /// `None` if somebody has deleted it.
    pub fields: Option<Vec<Field>>,
    /// The number of its deliveries, this one included; 1 if it was never delivered before.
    pub deliveries: u64,
}

impl Reader {
    pub fn new(
        shared: Arc<Shared>,
        (consumer, lane): (String, Lane),
        stream: Stream,
        token: String,
        connections: (MultiplexedConnection, MultiplexedConnection),
    ) -> Self {
        let (calls, waits) = connections;
        Self { shared, lane, consumer, stream, token, calls, waits, has_held: AtomicBool::new(false) }
    }

    /// The next entries after a position: waits for its turn, and for at least one entry.
    ///
    /// Dropped, it may have taken entries. They are pending then, and come from [`BEGINNING`].
    pub async fn take(self: Arc<Self>, mut after: String) -> Result<Taken, Error> {
        let mut is_anew = false;
        loop {
            let Some((mut taken, last)) = self.try_take(&after).await.map_err(|error| self.shared.error(&error))?
            else {
                if self.has_held.load(Ordering::Relaxed) {
                    return Err(Error::Unavailable(format!("another instance has taken over {}", self.stream.key)));
                }
                tokio::time::sleep(TURN_EVERY).await;
                continue;
            };
            if taken.is_anew {
                is_anew = true;
                // Not at first: then a flush is the likely reason, and whoever subscribes has just made its routes.
                if self.has_held.swap(true, Ordering::Relaxed) {
                    self.shared.declare_routes(&self.consumer, &self.calls).await?;
                }
            }
            self.forget_deleted(&taken.entries).await.map_err(|error| self.shared.error(&error))?;
            taken.entries.retain(|entry| entry.fields.is_some());
            if !taken.entries.is_empty() {
                return Ok(Taken { is_anew, ..taken });
            }
            if taken.after == NEW {
                self.wait(&last).await.map_err(|error| self.shared.error(&error))?;
            }
            after = taken.after;
        }
    }

    /// Entries, if there are any, and the id of the last that was ever delivered; `None` while another holds the stream.
    async fn try_take(&self, after: &str) -> Result<Option<(Taken, String)>, CallError> {
        let mut take = eval(TAKE, [&*self.stream.key, &*self.stream.holder]);
        take.arg(&self.token).arg(milliseconds(LEASE)).arg(GROUP).arg(after).arg(TAKE_MAX);
        match call(&self.calls, "taking entries", &take).await? {
            Value::Nil => Ok(None),
            answer => {
                read(answer).map(Some).ok_or_else(|| CallError::Late("Redis answered in another form".to_owned()))
            }
        }
    }

    /// Removes settled entries from the pending ones and from the stream.
    pub async fn remove(&self, entries: &[String]) -> Result<(), CallError> {
        // A script, for a transaction is refused while memory is full, whatever is in it.
        for some in entries.chunks(SETTLE_MAX) {
            let mut settle = eval(SETTLE, [&*self.stream.key]);
            settle.arg(GROUP).arg(some);
            call(&self.calls, "settling", &settle).await?;
        }
        Ok(())
    }

    /// Lets the next subscription have the stream. It is done after everything that was sent before.
    pub async fn release(&self) -> Result<(), Error> {
        let mut release = eval(RELEASE, [&*self.stream.holder]);
        release.arg(&self.token);
        if call(&self.calls, "releasing a stream", &release).await.is_ok() {
            return Ok(());
        }
        // Where this connection broke, the next one does it sooner than the lease ends.
        let connection = self.shared.receiving.of(self.lane).connection(PATIENCE).await?;
        let released = call(&connection, "releasing a stream", &release).await;
        released.map(drop).map_err(|error| self.shared.error(&error))
    }

    /// Waits until the stream has an entry behind the last that was delivered, at most as long as [`BLOCK`].
    async fn wait(&self, last: &str) -> Result<(), CallError> {
        let mut wait = redis::cmd("XREAD");
        // It delivers nothing: dropped, or awaited by a subscription whose lease has ended, it takes nothing from anybody.
        wait.arg("COUNT").arg(1).arg("BLOCK").arg(milliseconds(BLOCK)).arg("STREAMS").arg(&*self.stream.key).arg(last);
        let mut connection = self.waits.clone();
        let answer =
            within("waiting for an entry", BLOCK + CALL_DEADLINE, connection.send_packed_command(&wait)).await?;
        match answer.extract_error().map_err(CallError::Failed) {
            // Redis names the key only where a script does.
            Err(error) if error.code() == Some("WRONGTYPE") => Err(CallError::WrongType(self.stream.key.to_string())),
            answer => answer.map(drop),
        }
    }

    /// Removes what somebody deleted before it was settled: nothing is left to deliver.
    async fn forget_deleted(&self, entries: &[Entry]) -> Result<(), CallError> {
        let deleted: Vec<&str> =
            entries.iter().filter(|entry| entry.fields.is_none()).map(|entry| entry.id.as_str()).collect();
        if deleted.is_empty() {
            return Ok(());
        }
        kernel::warn_limited!(
            stream = &*self.stream.key,
            entries = deleted.len(),
            "somebody deleted entries that were not settled: `tradepost events republish` brings them back"
        );
        let mut settled = redis::cmd("XACK");
        settled.arg(&*self.stream.key).arg(GROUP).arg(deleted);
        call(&self.calls, "settling deleted entries", &settled).await.map(drop)
    }
}

/// Reads the answer of the script.
fn read(answer: Value) -> Option<(Taken, String)> {
    let Value::Array(parts) = answer else { return None };
    let parts: [Value; 5] = parts.try_into().ok()?;
    let [is_anew, is_again, Value::Array(entries), Value::Array(deliveries), last] = parts else { return None };
    let is_again = number(&is_again)? == 1;
    let deliveries = deliveries.iter().map(number).collect::<Option<Vec<u64>>>()?;
    let mut deliveries = deliveries.into_iter();
    let entries: Vec<Entry> = entries
        .into_iter()
        .map(|entry| read_entry(entry, if is_again { deliveries.next().unwrap_or(2) } else { 1 }))
        .collect::<Option<_>>()?;
    let after = match entries.last() {
        Some(last) if is_again => last.id.clone(),
        _ => NEW.to_owned(),
    };
    Some((Taken { is_anew: number(&is_anew)? == 1, entries, after }, text(&last)?))
}

fn read_entry(entry: Value, deliveries: u64) -> Option<Entry> {
    let Value::Array(parts) = entry else { return None };
    let [id, fields]: [Value; 2] = parts.try_into().ok()?;
    let fields = match fields {
        Value::Array(values) => Some(read_fields(values)?),
        _ => None,
    };
    Some(Entry { id: text(&id)?, fields, deliveries })
}

fn read_fields(values: Vec<Value>) -> Option<Vec<Field>> {
    let mut fields = Vec::with_capacity(values.len() / 2);
    let mut values = values.into_iter();
    while let (Some(name), Some(value)) = (values.next(), values.next()) {
        let (Value::BulkString(name), Value::BulkString(value)) = (name, value) else { return None };
        fields.push((name, value));
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn answer(is_again: i64, fields: Value, deliveries: Vec<Value>) -> Value {
        let entries = Value::Array(vec![Value::Array(vec![bulk("1-1"), fields])]);
        Value::Array(vec![Value::Int(0), Value::Int(is_again), entries, Value::Array(deliveries), bulk("1-1")])
    }

    #[test]
    fn new_entries_were_delivered_once_and_pending_ones_as_often_as_the_server_says() {
        let fields = || Value::Array(vec![bulk("a"), bulk("1")]);
        let (taken, last) = read(answer(0, fields(), vec![])).unwrap();
        assert_eq!((taken.after.as_str(), last.as_str(), taken.entries[0].deliveries), (NEW, "1-1", 1));
        assert_eq!(taken.entries[0].fields, Some(vec![(b"a".to_vec(), b"1".to_vec())]));
        let (taken, _) = read(answer(1, fields(), vec![Value::Int(7)])).unwrap();
        assert_eq!((taken.after.as_str(), taken.entries[0].deliveries), ("1-1", 7));
    }

    #[test]
    fn a_deleted_entry_has_no_fields_and_another_form_is_none() {
        let (taken, _) = read(answer(1, Value::Nil, vec![Value::Int(2)])).unwrap();
        assert_eq!(taken.entries[0].fields, None);
        assert!(read(Value::Array(vec![Value::Int(1)])).is_none());
        assert!(read(Value::Okay).is_none());
    }
}
