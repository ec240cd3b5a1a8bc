//! The greeting of a broker: shows that it is there, and its version.

use std::io;

use amq_protocol::frame::{AMQPFrame, parse_frame};
use amq_protocol::protocol::{AMQPClass, connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::address::Address;
use crate::error::Unusable;
use crate::preflight::ServerInfo;
use crate::reconnecting::CONNECT_DEADLINE;

/// The first bytes of a client: AMQP 0-9-1.
const HELLO: &[u8] = b"AMQP\0\0\x09\x01";

/// Far more than a broker says of itself.
const GREETING_BYTES_MAX: usize = 64 * 1024;

/// Connects, lets the broker say what it is, and leaves. By TLS it only connects.
pub(crate) async fn greet(address: &Address) -> Result<Option<ServerInfo>, Unusable> {
    let silent = || Unusable::Silent { place: address.place() };
    timeout(CONNECT_DEADLINE, exchange(address)).await.map_err(|_| silent())?
}

async fn exchange(address: &Address) -> Result<Option<ServerInfo>, Unusable> {
    let unreachable = |error: io::Error| Unusable::Unreachable { place: address.place(), detail: error.to_string() };
    let mut stream = TcpStream::connect((address.host(), address.port())).await.map_err(unreachable)?;
    if address.is_encrypted() {
        return Ok(None);
    }
    stream.write_all(HELLO).await.map_err(unreachable)?;
    let mut said = Vec::new();
    while said.len() < GREETING_BYTES_MAX {
        if stream.read_buf(&mut said).await.map_err(unreachable)? == 0 {
            break;
        }
        if let Ok((_, AMQPFrame::Method(_, AMQPClass::Connection(connection::AMQPMethod::Start(start))))) =
            parse_frame(said.as_slice())
        {
            let property = |name: &str| {
                let value = start.server_properties.inner().get(name)?;
                Some(value.as_long_string()?.to_string())
            };
            let product = property("product").unwrap_or_else(|| "unknown".to_owned());
            return Ok(Some(ServerInfo { product, version: property("version").unwrap_or_default() }));
        }
    }
    Err(Unusable::NotAmqp { place: address.place() })
}
