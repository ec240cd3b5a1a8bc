//! Chance and free ports.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// Ports below those that systems use for outgoing connections: no client takes a server's port while the server is
/// down.
const PORTS: Range<u64> = 20_000..32_000;

/// Attempts to find a free port: far more than a healthy machine needs.
const PORT_ATTEMPTS: usize = 1_000;

/// A number from the operating system's chance.
pub(crate) fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// 128 bits in hexadecimal digits.
pub(crate) fn word() -> String {
    format!("{:016x}{:016x}", number(), number())
}

/// A port of loopback that nobody listens on, with a listener that holds it. It is none that systems give to outgoing
/// connections, so that whoever stops and starts again finds it free.
///
/// # Panics
///
/// If there is none.
pub fn free_port() -> (u16, TcpListener) {
    let taken = (0..PORT_ATTEMPTS).find_map(|_| {
        let port = PORTS.start + number() % (PORTS.end - PORTS.start);
        let port = u16::try_from(port).expect("ports of the range fit");
        Some((port, TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?))
    });
    taken.expect("some port of loopback is free")
}
