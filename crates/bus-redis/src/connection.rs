//! Connections, and calls that end at a deadline.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisResult, Value};
use tokio::time::timeout;

use crate::address::Address;
use crate::error::{CallError, Unusable};
use crate::server_info::{self, ServerInfo};

/// Far more than a connection takes to a server that is there, even by TLS over a slow line.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Far more than a call takes on a server that is not held, for each is done in memory and at most flushed once.
pub(crate) const CALL_DEADLINE: Duration = Duration::from_secs(10);

/// A connection within the deadline, which shows up in the server's list of clients with its purpose.
pub(crate) async fn connect(address: &Address, purpose: &str) -> Result<MultiplexedConnection, Unusable> {
    let failed = |error| Unusable::connecting(address, &error);
    let client = address.client().map_err(failed)?;
    // Calls have deadlines of their own, for some of them wait for what is not there yet.
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_DEADLINE)).set_response_timeout(None);
    let connection = client.get_multiplexed_async_connection_with_config(&config).await.map_err(failed)?;
    let mut naming = redis::pipe();
    naming.cmd("CLIENT").arg("SETNAME").arg(format!("tradepost-{}", purpose.replace(' ', "-")));
    // It may be forbidden, which harms nothing.
    call_all(&connection, "naming a connection", &naming).await.map_err(|error| Unusable::calling(address, &error))?;
    Ok(connection)
}

/// A connection to a server that can be used, and what it says of itself.
pub(crate) async fn open(address: &Address, purpose: &str) -> Result<(MultiplexedConnection, ServerInfo), Unusable> {
    let connection = connect(address, purpose).await?;
    let info = server_info::ask(&connection, address).await?;
    Ok((connection, info))
}

/// The answer to a command.
pub(crate) async fn call(connection: &MultiplexedConnection, what: &str, command: &Cmd) -> Result<Value, CallError> {
    let mut connection = connection.clone();
    let answer = within(what, CALL_DEADLINE, connection.send_packed_command(command)).await?;
    answer.extract_error().map_err(CallError::Failed)
}

/// The answers to several commands, each of which may be an error.
pub(crate) async fn call_all(
    connection: &MultiplexedConnection,
    what: &str,
    commands: &Pipeline,
) -> Result<Vec<Value>, CallError> {
    let mut connection = connection.clone();
    within(what, CALL_DEADLINE, connection.send_packed_commands(commands, 0, commands.len())).await
}

/// Asks for a sign of life.
pub(crate) async fn ping(connection: &MultiplexedConnection) -> Result<(), CallError> {
    call(connection, "a ping", &redis::cmd("PING")).await.map(drop)
}

/// A result within a deadline.
pub(crate) async fn within<T>(
    what: &str,
    deadline: Duration,
    answer: impl Future<Output = RedisResult<T>>,
) -> Result<T, CallError> {
    match timeout(deadline, answer).await {
        Ok(answer) => answer.map_err(CallError::Failed),
        Err(_) => Err(CallError::Late(format!("{what} took more than {deadline:?}"))),
    }
}

/// A text of the server.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

/// A number of the server.
pub(crate) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}
