//! From text to values. What a parser refuses with is what it expects.

use std::net::IpAddr;

use kernel::Shards;
use reqwest::Url;
use service::http::{Network, Origin};
use service::storage::{BadUrl, Location};

pub(super) use service::setting::parse::{duration, text, whole};

/// Characters of a token that nobody can guess.
const TOKEN_MIN: usize = 32;

/// Tokens that a document has shown, in this version or an earlier one: everybody knows them.
const PRINTED_TOKENS: [&str; 1] = ["a-long-random-text-that-only-you-know"];

/// Longer ones don't fit into the headers that a server takes.
const TOKEN_MAX: usize = 1024;

/// Every request asks all of them; more proxies than that are named by their network.
const NETWORKS_MAX: usize = 64;

/// Origins at most: each answer is compared with all of them.
const ORIGINS_MAX: usize = 64;

pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "an IP address, as in 127.0.0.1, 0.0.0.0 or ::1".to_owned())
}

/// Origins with commas between them; nothing is none.
pub(super) fn origins(text: &str) -> Result<Vec<Origin>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let origins: Option<Vec<Origin>> = parts.map(|part| part.parse().ok()).collect();
    let origins = origins.filter(|origins| origins.len() <= ORIGINS_MAX);
    origins.ok_or_else(|| format!("at most {ORIGINS_MAX} origins, as in https://shop.example, or * for all"))
}

/// Addresses and networks with commas between them; nothing is none.
pub(super) fn networks(text: &str) -> Result<Vec<Network>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let networks: Option<Vec<Network>> = parts.map(|part| part.parse().ok()).collect();
    let networks = networks.filter(|networks| networks.len() <= NETWORKS_MAX);
    networks.ok_or_else(|| format!("at most {NETWORKS_MAX} IP addresses or networks, as in 10.0.0.0/8, ::1"))
}

pub(super) fn token(text: &str) -> Result<(), String> {
    let good = (TOKEN_MIN..=TOKEN_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if PRINTED_TOKENS.contains(&text) {
        return Err(
            "a token of your own, for this one is printed in the documentation, as of `openssl rand -base64 32`"
                .to_owned(),
        );
    }
    if good { Ok(()) } else { Err(format!("{TOKEN_MIN} to {TOKEN_MAX} visible ASCII characters without blanks")) }
}

pub(super) fn store(text: &str) -> Result<Location, String> {
    let expected = "a store as in sqlite:DIR or postgres://user:password@host:5432/database";
    match text.strip_prefix("sqlite:") {
        Some("") => Err(expected.to_owned()),
        Some(folder) => Ok(Location::Folder(folder.into())),
        None if text.starts_with("postgres") => {
            text.parse().map(Location::Postgres).map_err(|error: BadUrl| format!("{expected}; {error}"))
        }
        None => Err(expected.to_owned()),
    }
}

pub(super) fn shards(text: &str) -> Result<Shards, String> {
    let count = whole(text, 1..=Shards::MAX)?;
    Shards::new(count).ok_or_else(|| format!("a whole number from 1 to {}", Shards::MAX))
}

pub(super) fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| "an address as in http://127.0.0.1:8080".to_owned())
}

/// The collector of spans; an empty text is none.
pub(super) fn endpoint(text: &str) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.filter(|url| url.query().is_none() && url.fragment().is_none() && url.username().is_empty());
    url.map(|url| Some(url.into())).ok_or_else(|| "an address as in http://127.0.0.1:4318".to_owned())
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share from 0 to 1, as in 0.1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_a_list_of_addresses_and_networks() {
        assert_eq!(networks("").unwrap(), []);
        assert_eq!(networks("10.0.0.0/8, ::1").unwrap().len(), 2);
        for bad in ["localhost", "10.0.0.0/40", "1.2.3.4 5.6.7.8", &"::1,".repeat(65)] {
            assert!(networks(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins_are_a_list_of_schemes_and_hosts() {
        assert_eq!(origins("").unwrap(), []);
        assert_eq!(origins("https://shop.example, http://localhost:5173").unwrap().len(), 2);
        for bad in ["shop.example", "https://shop.example/path", &"https://a,".repeat(65)] {
            assert!(origins(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_collector_has_an_address_or_there_is_none() {
        assert_eq!(endpoint(""), Ok(None));
        assert_eq!(endpoint("http://127.0.0.1:4318"), Ok(Some("http://127.0.0.1:4318/".to_owned())));
        assert_eq!(endpoint("https://collector/otlp"), Ok(Some("https://collector/otlp".to_owned())));
        for bad in ["127.0.0.1:4318", "grpc://host:4317", "http://", "http://a:b@host", "http://host/?x=1"] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_share_is_between_none_and_all() {
        for (text, value) in [("0", 0.0), ("0.25", 0.25), ("1", 1.0), ("1.0", 1.0)] {
            assert_eq!(share(text), Ok(value), "{text}");
        }
        for bad in ["", "1.1", "-0.1", "NaN", "inf", "10%"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_is_long_and_fits_into_a_header() {
        assert_eq!(token(&"x".repeat(32)), Ok(()));
        for bad in ["", &"x".repeat(31), &"x ".repeat(16), &"é".repeat(32), &"x".repeat(1025)] {
            assert!(token(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_token_that_a_document_shows_is_refused() {
        assert!(token("a-long-random-text-that-only-you-know").is_err(), "README showed it once");
        let top = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let documents = ["README.md", "compose.yaml", "CONTRIBUTING.md"].map(|name| format!("{top}/{name}"));
        let guides = std::fs::read_dir(format!("{top}/docs/how-to")).unwrap();
        let guides = guides.map(|entry| entry.unwrap().path().display().to_string());
        for path in documents.into_iter().chain(guides) {
            let text = std::fs::read_to_string(&path).unwrap();
            for shown in text.split("ADMIN_TOKEN=").skip(1) {
                let shown: String = shown.chars().take_while(char::is_ascii_graphic).collect();
                assert!(token(shown.trim_matches(['\'', '"', '`'])).is_err(), "{path} shows {shown}");
            }
        }
    }
}
