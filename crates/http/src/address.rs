//! The address that a request comes from.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};

/// Proxies that a header may name: each hop adds one, and a client could add any number.
const HOPS_MAX: usize = 16;

/// The client's address: an extractor. That of the connection, or what a trusted proxy says about it.
///
/// A request without a connection comes from this process itself: loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// From the connection, and from `X-Forwarded-For` as far as proxies say it that are trusted.
    pub(super) fn find(extensions: &Extensions, headers: &HeaderMap, trusted: &[Network]) -> Self {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        let mut address = peer.map_or(Ipv4Addr::LOCALHOST.into(), |ConnectInfo(peer)| peer.ip().to_canonical());
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        // From the last hop to the first: what stands left of an address that isn't trusted, a client may have made up.
        for hop in hops.take(HOPS_MAX) {
            if !trusted.iter().any(|network| network.contains(address)) {
                break;
            }
            let Ok(before) = hop.trim().parse::<IpAddr>() else { break };
            address = before.to_canonical();
        }
        Self(address)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().copied().unwrap_or(Self(Ipv4Addr::LOCALHOST.into())))
    }
}

/// Addresses with the same first bits, as in `10.0.0.0/8`, or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether the address is one of these.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros() >= self.bits.into()
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros() >= self.bits.into()
            }
            _ => false,
        }
    }
}

/// The text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address or network, as in 192.0.2.1, 10.0.0.0/8 or fd00::/8")]
pub struct BadNetwork;

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.parse().map_err(|_| BadNetwork)?;
        let whole = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(whole), |bits| bits.parse().map_err(|_| BadNetwork))?;
        if bits <= whole { Ok(Self { base, bits }) } else { Err(BadNetwork) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        ClientAddress::find(&extensions, &headers, &trusted).0.to_string()
    }

    #[test]
    fn only_a_trusted_proxy_speaks_for_others() {
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
    fn a_network_is_an_address_with_or_without_its_bits() {
        let network = |text: &str| text.parse::<Network>();
        assert!(network("0.0.0.0/0").unwrap().contains("192.0.2.1".parse().unwrap()));
        assert!(!network("192.0.2.0/25").unwrap().contains("192.0.2.128".parse().unwrap()));
        assert!(network("fd00::/8").unwrap().contains("fdff::1".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "example.com"] {
            assert_eq!(network(bad), Err(BadNetwork), "{bad}");
        }
    }
}
