//! The addresses to which something may be sent: public ones, so that an endpoint never leads into the shop's own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// The longest address of an endpoint, in bytes.
pub(crate) const URL_BYTES_MAX: usize = 2_048;

/// Networks that are not public (RFC 6890, and those that were reserved since).
const CLOSED_V4: [Ipv4Net; 15] = [
    net4([0, 0, 0, 0], 8),
    net4([10, 0, 0, 0], 8),
    // Of carriers (RFC 6598).
    net4([100, 64, 0, 0], 10),
    net4([127, 0, 0, 0], 8),
    // Link-local, with the metadata of clouds.
    net4([169, 254, 0, 0], 16),
    net4([172, 16, 0, 0], 12),
    net4([192, 0, 0, 0], 24),
    net4([192, 0, 2, 0], 24),
    // Relays of 6to4.
    net4([192, 88, 99, 0], 24),
    net4([192, 168, 0, 0], 16),
    net4([198, 18, 0, 0], 15),
    net4([198, 51, 100, 0], 24),
    net4([203, 0, 113, 0], 24),
    // Multicast.
    net4([224, 0, 0, 0], 4),
    net4([240, 0, 0, 0], 4),
];

/// The public addresses of IPv6. Outside are loopback, link-local, unique local, site-local, multicast, those that hold an
/// address of IPv4 (mapped, NAT64), and what is not given to anybody.
const OPEN_V6: Ipv6Net = net6([0x2000, 0, 0], 3);

/// Networks inside that are not public.
const CLOSED_V6: [Ipv6Net; 5] = [
    // Of protocols: Teredo, benchmarks, ORCHID.
    net6([0x2001, 0, 0], 23),
    net6([0x2001, 0xdb8, 0], 32),
    // 6to4, which holds an address of IPv4.
    net6([0x2002, 0, 0], 16),
    net6([0x2620, 0x4f, 0x8000], 48),
    net6([0x3fff, 0, 0], 20),
];

const fn net4([a, b, c, d]: [u8; 4], bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

/// By the first three groups of its address.
const fn net6([first, second, third]: [u16; 3], bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0), bits)
}

/// True if something may be sent there. Loopback is for development.
pub(crate) fn is_allowed(address: IpAddr, allows_loopback: bool) -> bool {
    if address.is_loopback() {
        return allows_loopback;
    }
    match address {
        IpAddr::V4(address) => !CLOSED_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => OPEN_V6.contains(&address) && !CLOSED_V6.iter().any(|net| net.contains(&address)),
    }
}

/// The address as it is written; `None` if it is no address of an endpoint, whatever it leads to.
///
/// The parser of browsers reads more than people do: `0x7f.1` is 127.0.0.1, `\` is `/`, and a line break is nothing. What
/// it would read otherwise than it stands there is refused.
pub(crate) fn parse(text: &str) -> Option<Url> {
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if text.len() > URL_BYTES_MAX || text.contains(is_odd) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    (is_http && is_plain && url.port() != Some(0) && url.as_str().len() <= URL_BYTES_MAX).then_some(url)
}

/// The place that an address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// An IP address.
    Address(IpAddr),
    /// A name that is to be resolved.
    Name(String),
}

/// The place that an address names, unless nothing may be sent there.
pub(crate) fn place(url: &Url, allows_loopback: bool) -> Option<Place> {
    let address = match url.host()? {
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
        Host::Domain(name) => {
            let bare = name.trim_end_matches('.');
            // RFC 6761: it is this machine, whatever a server of names says.
            let is_local = bare == "localhost" || bare.ends_with(".localhost");
            let is_allowed = !bare.is_empty() && (!is_local || allows_loopback);
            return is_allowed.then(|| Place::Name(name.to_owned()));
        }
    };
    is_allowed(address, allows_loopback).then_some(Place::Address(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hosts that lead into a private network, or to this machine, in all the ways in which they can be written.
    const REFUSED: [&str; 58] = [
        "127.0.0.1",
        "127.1",
        "127.255.255.254",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.254",
        "169.254.169.254",
        "169.254.0.1",
        "172.16.0.1",
        "172.31.255.254",
        "192.0.0.1",
        "192.0.0.170",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.254",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:8.8.8.8]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::808:808]",
        "[64:ff9b:1::1]",
        "[100::1]",
        "[2001::1]",
        "[2001:2::1]",
        "[2001:10::1]",
        "[2001:db8::1]",
        "[2002:7f00:1::]",
        "[2002:808:808::]",
        "[3fff::1]",
        "[5f00::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "localhost",
        "LOCALHOST.",
        "shop.localhost",
        "１２７.０.０.１",
        "127。0。0。1",
    ];

    fn allowed(text: &str, allows_loopback: bool) -> bool {
        parse(text).is_some_and(|url| place(&url, allows_loopback).is_some())
    }

    #[test]
    fn nothing_is_sent_into_a_private_network() {
        for host in REFUSED {
            for scheme in ["http", "https"] {
                assert!(!allowed(&format!("{scheme}://{host}/hook"), false), "{host}");
                assert!(!allowed(&format!("{scheme}://{host}:8443/"), false), "{host}");
            }
        }
    }

    #[test]
    fn public_addresses_and_names_are_allowed() {
        for host in [
            "93.184.215.14",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "[2606:4700::1111]",
            "[2a00:1450:4001::1]",
            "erp.example.com",
            "erp.example.com.",
            "bücher.example",
            "localhost.example.com",
        ] {
            assert!(allowed(&format!("https://{host}/hook?tenant=1"), false), "{host}");
        }
    }

    #[test]
    fn loopback_is_allowed_for_development_and_nothing_else() {
        for host in REFUSED {
            let is_loopback = ["127", "213", "0x7", "017", "[::1]", "loc", "LOC", "shop", "１"];
            let is_loopback = is_loopback.iter().any(|begin| host.starts_with(begin));
            assert_eq!(allowed(&format!("http://{host}/"), true), is_loopback, "{host}");
        }
    }

    #[test]
    fn an_address_is_http_without_credentials_and_reads_as_it_stands_there() {
        for bad in [
            "",
            "erp.example.com",
            "ftp://erp.example.com/",
            "file:///etc/passwd",
            "gopher://erp.example.com/",
            "unix:/run/docker.sock",
            "javascript:alert(1)",
            "http://",
            "https://user@erp.example.com/",
            "https://user:pass@erp.example.com/",
            "http://a@127.0.0.1/",
            "http://127.0.0.1#@erp.example.com/",
            "https://erp.example.com/#part",
            "https://erp.example.com\\@10.0.0.1/",
            "https://erp.example.com/a\r\nHost: x",
            "https://erp.exa\tmple.com/",
            " https://erp.example.com/",
            "http://[fe80::1%25eth0]/",
            "http://erp.example.com:0/",
            "http://erp.example.com:99999/",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        assert_eq!(parse(&format!("https://erp.example.com/{}", "a".repeat(URL_BYTES_MAX))), None);
        assert_eq!(parse("HTTPS://ERP.example.com/Hook?a=b").unwrap().as_str(), "https://erp.example.com/Hook?a=b");
    }
}
