//! Ports that servers may listen on, now and after each restart.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use tokio::net::TcpSocket;

use crate::chance;

/// Ports below those that systems use for outgoing connections: no client takes a server's port while the server is
/// down.
const PORTS: Range<u64> = 20_000..32_000;

/// Attempts to find a free port: far more than a healthy machine needs.
const PORT_ATTEMPTS: usize = 1_000;

/// The sockets that hold the ports of this process until it ends.
static HELD: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());

/// A port of loopback on which nobody listens, and which no other caller gets while this process runs: a server may
/// take seconds to listen, and tests of other processes choose ports meanwhile.
///
/// Whoever listens on it sets `SO_REUSEADDR`, as servers do.
///
/// # Panics
///
/// If there is none.
pub fn free_port() -> u16 {
    let found = (0..PORT_ATTEMPTS).find_map(|_| {
        let port = PORTS.start + chance::number() % (PORTS.end - PORTS.start);
        let port = u16::try_from(port).expect("ports of the range fit");
        Some((port, hold(port).ok()?))
    });
    let (port, socket) = found.expect("some port of loopback is free");
    HELD.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
    port
}

/// A socket that is bound to the port and does not listen. Bound without `SO_REUSEADDR` it meets every other socket of
/// the port; with it afterwards it lets a server listen beside it.
fn hold(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    socket.set_reuseaddr(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_is_held_for_whoever_listens_on_it_again_and_again() {
        let port = free_port();
        assert!(hold(port).is_err(), "another caller gets it");
        for _ in 0..2 {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("it is free for its server");
            assert!(hold(port).is_err(), "another caller gets it while somebody listens");
            drop(listener);
            assert!(hold(port).is_err(), "another caller gets it while its server is down");
        }
    }
}
