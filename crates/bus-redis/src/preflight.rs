//! Checks of the broker before its use. A defect is one line that states the remedy.

use std::time::Duration;

use redis::Value;
use redis::aio::MultiplexedConnection;
use tokio::time::Instant;

use crate::address::Address;
use crate::connection::{call_all, open, text};
use crate::error::{CallError, Unusable};
use crate::layout::{GROUP, Layout};
use crate::server_info::ServerInfo;

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
        match open(address, "start").await {
            Ok(_) => return Ok(()),
            Err(error) if error.may_pass() && began.elapsed() < patience => {
                report(&error);
                tokio::time::sleep(REACH_AGAIN).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Connects, and looks at everything that is needed. Changes nothing.
pub(crate) async fn check(address: &Address, layout: &Layout) -> Result<ServerInfo, Unusable> {
    let (connection, server) = open(address, "check").await?;
    let (wanted, connected) = (address.wait_replicas(), server.durability.replicas);
    if connected < wanted {
        return Err(Unusable::TooFewReplicas { wanted, connected });
    }
    let streams = layout.consumers().flat_map(|consumer| layout.streams_of(consumer));
    let keys: Vec<&str> = streams.map(|stream| &*stream.key).collect();
    match find_missing(&connection, &keys).await {
        Ok(None) => Ok(server),
        Ok(Some(name)) => Err(Unusable::Missing { name }),
        Err(error) => Err(Unusable::calling(address, &error)),
    }
}

/// The first stream that is not there, or has no group.
async fn find_missing(connection: &MultiplexedConnection, keys: &[&str]) -> Result<Option<String>, CallError> {
    let mut asking = redis::pipe();
    for key in keys {
        asking.cmd("TYPE").arg(*key);
        asking.cmd("XINFO").arg("GROUPS").arg(*key);
    }
    if asking.is_empty() {
        return Ok(None);
    }
    let answers = call_all(connection, "looking at streams", &asking).await?;
    for (pair, key) in answers.chunks(2).zip(keys) {
        let [kind, groups] = pair else { continue };
        let kind = kind.clone().extract_error().map_err(CallError::Failed)?;
        match text(&kind).as_deref() {
            Some("stream") => {}
            Some("none") => return Ok(Some((*key).to_owned())),
            kind => return Err(CallError::WrongType(format!("{key} is a {}", kind.unwrap_or("key of unknown type")))),
        }
        let groups = groups.clone().extract_error().map_err(CallError::Failed)?;
        if !has_group(&groups) {
            return Ok(Some(format!("the group {GROUP} of {key}")));
        }
    }
    Ok(None)
}

fn has_group(groups: &Value) -> bool {
    let Value::Array(groups) = groups else { return false };
    groups.iter().any(|group| {
        let Value::Array(parts) = group else { return false };
        parts.chunks(2).any(|pair| {
            let mut texts = pair.iter().filter_map(text);
            texts.next().as_deref() == Some("name") && texts.next().as_deref() == Some(GROUP)
        })
    })
}
