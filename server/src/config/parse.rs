//! From text to values. What a parser refuses with is what it expects.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use kernel::Shards;
use reqwest::Url;
use service::http::{Network, Origin};
use service::storage::{BadUrl, Location};

/// The units of a duration, the longest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Characters of a token that nobody can guess.
const TOKEN_MIN: usize = 32;

/// Tokens that a document has shown, in this version or an earlier one: everybody knows them.
const PRINTED_TOKENS: [&str; 1] = ["a-long-random-text-that-only-you-know"];

/// Longer ones don't fit into the headers that a server takes.
const TOKEN_MAX: usize = 1024;

/// RFC 5321 allows 254 for the address; a name stands before it.
const MAILBOX_MAX: usize = 320;

/// Every request asks all of them; more proxies than that are named by their network.
const NETWORKS_MAX: usize = 64;

/// Origins at most: each answer is compared with all of them.
const ORIGINS_MAX: usize = 64;

pub(super) fn whole<T: FromStr + PartialOrd + Display>(text: &str, bounds: RangeInclusive<T>) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    number.ok_or_else(|| format!("a whole number from {} to {}", bounds.start(), bounds.end()))
}

/// A whole number with its unit, as in `200ms`.
pub fn duration(text: &str, bounds: RangeInclusive<Duration>) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis = UNITS.iter().find(|(name, _)| *name == unit).and_then(|(_, millis)| {
        let number: u64 = number.parse().ok()?;
        number.checked_mul(*millis)
    });
    let duration = millis.map(Duration::from_millis).filter(|duration| bounds.contains(duration));
    duration.ok_or_else(|| {
        let (min, max) = (in_words(*bounds.start()), in_words(*bounds.end()));
        format!("a duration from {min} to {max}, as in 200ms, 30s, 15m, 24h or 14d")
    })
}

fn in_words(duration: Duration) -> String {
    let millis = duration.as_millis();
    let unit = UNITS.iter().find(|(_, unit)| millis.is_multiple_of(u128::from(*unit)));
    let (name, unit) = unit.expect("every duration is a multiple of a millisecond");
    format!("{}{name}", millis / u128::from(*unit))
}

pub(super) fn text(text: &str, length_max: usize) -> Result<String, String> {
    let good = (1..=length_max).contains(&text.len()) && !text.chars().any(char::is_control);
    if good { Ok(text.to_owned()) } else { Err(format!("1 to {length_max} bytes without control characters")) }
}

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

pub(super) fn smtp_url(text: &str) -> Result<(), String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "smtp" | "smtps") && url.has_host());
    url.map(drop).ok_or_else(|| "an address as in smtp://user:pass@host:587 or smtps://user:pass@host".to_owned())
}

/// The location of the stores, from `sqlite:DIR` or the URL of a PostgreSQL database.
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

pub(super) fn mailbox(text: &str) -> Result<String, String> {
    let expected = || "a sender as in Shop <shop@example.com>".to_owned();
    let address = match text.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').ok_or_else(expected)?,
        None => text,
    };
    let shaped = matches!(address.split_once('@'), Some((name, domain)) if !name.is_empty() && !domain.is_empty());
    let plain = address.bytes().all(|byte| byte.is_ascii_graphic()) && address.matches('@').count() == 1;
    if shaped && plain { self::text(text, MAILBOX_MAX) } else { Err(expected()) }
}

pub(super) fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| "an address as in http://127.0.0.1:8080".to_owned())
}

/// The beginning of links in mails, without a slash at its end.
pub(super) fn page_url(text: &str) -> Result<String, String> {
    let url = http_url(text).ok().filter(|url| url.query().is_none() && url.fragment().is_none());
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
    let url = url.ok_or_else(|| "an address as in https://shop.example.com, without a query".to_owned())?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
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

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn a_duration_has_a_unit() {
        let bounds = Duration::ZERO..=30 * DAY;
        for (text, millis) in
            [("200ms", 200), ("1s", 1_000), ("15m", 900_000), ("24h", 86_400_000), ("14d", 1_209_600_000)]
        {
            assert_eq!(duration(text, bounds.clone()), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn other_text_is_no_duration() {
        let expected = "a duration from 1ms to 30d, as in 200ms, 30s, 15m, 24h or 14d";
        for bad in
            ["", "15", "m", "-1s", "1.5h", "15 m", "15M", "0ms", "31d", "99999999999999999999d", "9999999999999999d"]
        {
            let refused = duration(bad, Duration::from_millis(1)..=30 * DAY);
            assert_eq!(refused, Err(expected.to_owned()), "{bad}");
        }
    }

    #[test]
    fn a_number_keeps_to_its_bounds() {
        assert_eq!(whole("256", 1..=256), Ok(256));
        for bad in ["0", "257", "-1", "", "1.0", "many"] {
            assert_eq!(whole(bad, 1..=256), Err("a whole number from 1 to 256".to_owned()), "{bad}");
        }
    }

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
    fn a_sender_has_one_address() {
        for good in ["shop@localhost", "Shop <shop@example.com>"] {
            assert_eq!(mailbox(good), Ok(good.to_owned()));
        }
        for bad in ["", "Shop", "Shop <shop@example.com", "a@b@c", "Shop <@>", "a@b\r\nBcc: c@d", "X\n <a@b>"] {
            assert!(mailbox(bad).is_err(), "{bad:?}");
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
