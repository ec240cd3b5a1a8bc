//! Sends the messages of one lane over a connection of its own, so that what is urgent does not stand behind what is
//! not, and reports the result of each.
//!
//! Whatever waits goes into one pipeline, and the next waits until every answer to that one is there: the busier it is,
//! the more share a write, an answer, and a flush of the server's file.

use std::time::Duration;

use bus::PublishResult;
use bus::remote::RecentErrors;
use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::address::Address;
use crate::connection::{call, number, ping, text, within};
use crate::error::{CallError, Unusable};
use crate::layout::Target;
use crate::leases::milliseconds;
use crate::reconnecting::{LOOK_EVERY, Role};
use crate::scripts::PUBLISH;
use crate::wire;

/// Messages of a pipeline, at the most: enough to hide a network and a flush, and few enough that an immediate one, which
/// the server works off in the same order as all others, does not wait long behind them.
const PIPELINE_MESSAGES: usize = 256;

/// Bytes of bodies after which a pipeline gets no more messages.
const PIPELINE_BYTES: usize = 4 * 1024 * 1024;

/// Messages of a lane that may wait to be sent: what two dozen services with windows of 1,024 send by themselves. Beyond
/// that a message is refused instead of taking memory.
pub(crate) const WAITING_MAX: usize = 24_576;

/// The code of a script's refusal of a stream that has as many entries as it may.
const FULL: &str = "FULL";

/// The code of a replica's refusal.
const READ_ONLY: &str = "READONLY";

/// A message to send.
pub(crate) struct Publish {
    pub target: Target,
    /// All fields but the body's.
    pub fields: Vec<(&'static str, String)>,
    pub body: Bytes,
    /// Dropped without a word, it says that nobody knows.
    pub reply: oneshot::Sender<PublishResult>,
}

/// Takes the messages of one lane from whoever publishes.
pub(crate) struct Publisher {
    pub waiting: mpsc::Receiver<Publish>,
    pub address: Address,
    /// The beginning of a stream's name.
    pub prefix: String,
    /// The time after which callers have stopped waiting.
    pub publish_deadline: Duration,
    pub recent_errors: RecentErrors,
}

impl Role for Publisher {
    /// Publishes until the connection breaks; answers with what broke it.
    async fn perform(&mut self, connection: MultiplexedConnection) -> String {
        match self.serve(&connection).await {
            Ok(never) => match never {},
            Err(error) => error.to_string(),
        }
    }
}

/// No value: it goes on until something breaks.
enum Never {}

impl Publisher {
    async fn serve(&mut self, connection: &MultiplexedConnection) -> Result<Never, CallError> {
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(PUBLISH);
        let script = text(&call(connection, "loading a script", &load).await?).unwrap_or_default();
        loop {
            match timeout(LOOK_EVERY, self.waiting.recv()).await {
                Ok(Some(first)) => self.store(connection, &script, first).await?,
                Ok(None) => std::future::pending().await,
                Err(_) => ping(connection).await?,
            }
        }
    }

    /// Sends a message and those that wait behind it, and reports the result of each.
    async fn store(
        &mut self,
        connection: &MultiplexedConnection,
        script: &str,
        first: Publish,
    ) -> Result<(), CallError> {
        let mut pipeline = redis::pipe();
        // A server forgets its scripts when somebody has it do so.
        pipeline.cmd("SCRIPT").arg("LOAD").arg(PUBLISH);
        let mut replies = Vec::new();
        let (mut next, mut bytes) = (Some(first), 0);
        while let Some(publish) = next {
            bytes += publish.body.len();
            pipeline.add_command(self.command(script, &publish));
            replies.push(publish.reply);
            let is_full = replies.len() >= PIPELINE_MESSAGES || bytes >= PIPELINE_BYTES;
            next = if is_full { None } else { self.waiting.try_recv().ok() };
        }
        if self.address.wait_replicas() > 0 {
            // Within the deadline, so that it is known how many have it.
            let patience = milliseconds(self.publish_deadline / 2);
            pipeline.cmd("WAIT").arg(self.address.wait_replicas()).arg(patience);
        }
        let answers = send(connection, &pipeline, self.publish_deadline * 2).await;
        let broken = match &answers {
            Ok(answers) => answers.iter().find_map(breaks),
            Err(error) => Some(error.clone()),
        };
        let answers = answers.unwrap_or_default();
        let copies = answers.get(1 + replies.len()).and_then(number).unwrap_or(0);
        // The first is that of the script itself.
        for (at, reply) in replies.into_iter().enumerate() {
            let result = match answers.get(1 + at) {
                Some(answer) => self.result(answer, copies),
                None => unknown(broken.as_ref().map_or_else(|| "there is no answer".to_owned(), ToString::to_string)),
            };
            // Who has stopped waiting publishes again.
            drop(reply.send(result));
        }
        broken.map_or(Ok(()), Err)
    }

    fn command(&self, script: &str, publish: &Publish) -> Cmd {
        let Target { routes, streams, immediate, background } = &publish.target;
        let mut command = redis::cmd("EVALSHA");
        command.arg(script).arg(1 + streams.len()).arg(&**routes);
        for stream in streams {
            command.arg(&**stream);
        }
        command.arg(self.address.queue_max()).arg(&self.prefix).arg(*immediate).arg(*background);
        for (name, value) in &publish.fields {
            command.arg(*name).arg(value);
        }
        command.arg(wire::body_field()).arg(&publish.body[..]);
        command
    }

    fn result(&self, answer: &Value, copies: u64) -> PublishResult {
        match answer {
            Value::Int(_) if copies < u64::from(self.address.wait_replicas()) => {
                let detail = format!("{copies} replicas have it, not {}", self.address.wait_replicas());
                self.recent_errors.note(format!("of what is published, {detail}"));
                unknown(detail)
            }
            // No stream receives it if nobody wants it now, and then it is done.
            Value::Int(_) => PublishResult::Stored,
            Value::ServerError(error) => {
                let error = CallError::Failed(error.clone().into());
                let detail = error.to_string();
                match error.code() {
                    // Of one consumer that is slow, no other need know.
                    Some(FULL) => kernel::warn_limited!(reason = detail, "a stream is full"),
                    // The next connection says so itself, or does better.
                    Some(READ_ONLY) => {}
                    _ => self.recent_errors.note(Unusable::calling(&self.address, &error).to_string()),
                }
                PublishResult::Refused { detail }
            }
            answer => unknown(format!("Redis answered {answer:?}")),
        }
    }
}

/// The answers to a pipeline, each of which may be an error.
async fn send(
    connection: &MultiplexedConnection,
    pipeline: &Pipeline,
    patience: Duration,
) -> Result<Vec<Value>, CallError> {
    let mut connection = connection.clone();
    within("storing events", patience, connection.send_packed_commands(pipeline, 0, pipeline.len())).await
}

/// The error of an answer after which a new connection may do better: this one leads to a replica.
fn breaks(answer: &Value) -> Option<CallError> {
    let Value::ServerError(error) = answer else { return None };
    (error.code() == READ_ONLY).then(|| CallError::Failed(error.clone().into()))
}

fn unknown(detail: String) -> PublishResult {
    PublishResult::Unknown { detail }
}
