//! The address that a request comes from.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

/// Proxies that a header may name: each hop adds one, and a client could add any number.
const HOPS_MAX: usize = 16;

/// Headers by which a proxy says that a request is somebody else's. Others begin with `x-forwarded-`.
const FORWARDING: [&str; 6] = ["forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"];

/// The client's address: an extractor. That of the connection, or the one that a trusted proxy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    /// The address. A request without a connection comes from this process itself: loopback.
    pub ip: IpAddr,
    is_local: bool,
}

impl ClientAddress {
    /// Of a request that came over no connection. It is not local either: it has no rights by its address.
    const NONE: Self = Self { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), is_local: false };

    /// From the connection, and from `X-Forwarded-For` as far as trusted proxies name an address.
    pub(super) fn find(extensions: &Extensions, headers: &HeaderMap, trusted: &[Network]) -> Self {
        let Some(ConnectInfo(peer)) = extensions.get::<ConnectInfo<SocketAddr>>() else { return Self::NONE };
        let peer = peer.ip().to_canonical();
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        let is_local = peer.is_loopback() && !is_trusted(peer) && !is_forwarded(headers);
        let mut ip = peer;
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        // From the last hop to the first: what stands left of an address that isn't trusted, a client may have made up.
        for hop in hops.take(HOPS_MAX) {
            if !is_trusted(ip) {
                break;
            }
            let Some(before) = hop_address(hop.trim()) else { break };
            ip = before;
        }
        Self { ip, is_local }
    }

    /// True if the request was sent on this machine itself. A request that a proxy forwarded never was, whatever its
    /// headers say: a header lets nobody in.
    pub fn is_local(&self) -> bool {
        self.is_local
    }
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("x-forwarded-") || FORWARDING.contains(&name.as_str()))
}

/// An address with or without a port, as in `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn hop_address(text: &str) -> Option<IpAddr> {
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bracketed.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|it| it.ip()))?;
    Some(address.to_canonical())
}

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().copied().unwrap_or(Self::NONE))
    }
}

/// Addresses with the same first bits, as in `10.0.0.0/8`, or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// True if the address is one of these.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

/// The text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address or network, as in 192.0.2.1, 10.0.0.0/8 or fd00::/8")]
pub struct BadNetwork;

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let alone = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse::<IpNet>().or_else(|_| alone()).map(Self).map_err(|_| BadNetwork)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> ClientAddress {
        let headers: Vec<_> = forwarded.iter().map(|line| ("x-forwarded-for", *line)).collect();
        sent(peer, &headers, trusted)
    }

    fn sent(peer: &str, sent: &[(&'static str, &str)], trusted: &[&str]) -> ClientAddress {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, value.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        ClientAddress::find(&extensions, &headers, &trusted)
    }

    fn found(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        client(peer, forwarded, trusted).ip.to_string()
    }

    #[test]
    fn only_a_trusted_proxy_names_another_address() {
        let proxies = ["10.0.0.0/8", "::1"];
        assert_eq!(found("192.0.2.7", &["198.51.100.1"], &[]), "192.0.2.7");
        assert_eq!(found("192.0.2.7", &["198.51.100.1"], &proxies), "192.0.2.7");
        assert_eq!(found("10.0.0.1", &["198.51.100.1"], &proxies), "198.51.100.1");
        assert_eq!(found("::1", &["1.1.1.1, 198.51.100.1, 10.9.9.9"], &proxies), "198.51.100.1");
        assert_eq!(found("::ffff:10.0.0.1", &["1.1.1.1", "198.51.100.1"], &proxies), "198.51.100.1");
        assert_eq!(found("10.0.0.1", &["1.1.1.1, nonsense"], &proxies), "10.0.0.1");
        assert_eq!(found("10.0.0.1", &[], &proxies), "10.0.0.1");
    }

    #[test]
    fn a_forwarded_address_may_have_a_port() {
        let proxies = ["10.0.0.0/8"];
        for (sent, expected) in [
            ("198.51.100.1:4711", "198.51.100.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("[::ffff:198.51.100.1]:80", "198.51.100.1"),
        ] {
            assert_eq!(found("10.0.0.1", &[sent], &proxies), expected, "{sent}");
        }
    }

    #[test]
    fn only_a_request_that_no_proxy_forwarded_is_local() {
        assert!(client("127.0.0.1", &[], &[]).is_local() && client("::1", &[], &[]).is_local());
        assert!(!client("192.0.2.7", &[], &[]).is_local());
        for forwarded in ["203.0.113.7", "127.0.0.1", "203.0.113.7:4711", "[2001:db8::1]:80", "unknown", "", "::1,"] {
            for trusted in [&[][..], &["127.0.0.1"], &["192.0.2.1"]] {
                assert!(!client("127.0.0.1", &[forwarded], trusted).is_local(), "{forwarded:?} {trusted:?}");
            }
        }
        assert!(!client("127.0.0.1", &[], &["127.0.0.0/8"]).is_local(), "a trusted proxy asks for others");
        for name in ["forwarded", "via", "x-real-ip", "x-forwarded-host", "x-forwarded-proto", "cf-connecting-ip"] {
            assert!(!sent("127.0.0.1", &[(name, "x")], &[]).is_local(), "{name}");
        }
        let unconnected = ClientAddress::find(&Extensions::new(), &HeaderMap::new(), &[]);
        assert!(unconnected.ip.is_loopback() && !unconnected.is_local());
    }

    #[test]
    fn a_network_is_an_address_with_or_without_its_bits() {
        let network = |text: &str| text.parse::<Network>();
        assert!(network("0.0.0.0/0").unwrap().contains("192.0.2.1".parse().unwrap()));
        assert!(network("192.0.2.1").unwrap().contains("192.0.2.1".parse().unwrap()));
        assert!(!network("192.0.2.0/25").unwrap().contains("192.0.2.128".parse().unwrap()));
        assert!(network("fd00::/8").unwrap().contains("fdff::1".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "example.com"] {
            assert_eq!(network(bad), Err(BadNetwork), "{bad}");
        }
    }
}
