//! The address of the mail server, and the way to talk to it.

use axum::http::Uri;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT};

/// A mail server, as `smtp[s]://[user:password@]host[:port][?tls=required|opportunistic]` names it.
pub(super) struct Server {
    host: String,
    port: u16,
    tls: Tls,
    credentials: Option<Credentials>,
    client: ClientId,
}

impl Server {
    pub fn parse(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{error}"))?;
        let authority = uri.authority().ok_or("it names no host")?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err("it names no host".to_owned());
        }
        if uri.path() != "/" {
            return Err("nothing but `?tls=` may follow the port".to_owned());
        }
        let tls = || TlsParameters::new(host.clone()).map_err(|error| error.to_string());
        let (tls, port) = match (uri.scheme_str(), uri.query()) {
            (Some("smtps"), None) => (Tls::Wrapper(tls()?), SUBMISSIONS_PORT),
            (Some("smtp"), Some("tls=required")) => (Tls::Required(tls()?), SUBMISSION_PORT),
            (Some("smtp"), Some("tls=opportunistic")) => (Tls::Opportunistic(tls()?), SUBMISSION_PORT),
            (Some("smtp"), None) => (Tls::None, SMTP_PORT),
            (Some("smtp" | "smtps"), Some(_)) => {
                return Err("the only option is `?tls=required` or `?tls=opportunistic`, with smtp://".to_owned());
            }
            _ => return Err("it begins with neither smtp:// nor smtps://".to_owned()),
        };
        let (user, address) = match authority.as_str().rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, authority.as_str()),
        };
        let credentials = user.map(credentials).transpose()?;
        // `Uri` takes a port that is no number for none.
        let port = match address.strip_prefix(authority.host()).and_then(|rest| rest.strip_prefix(':')) {
            Some(port) => port.parse().map_err(|_| "the port is no number below 65536")?,
            None => port,
        };
        Ok(Self { host, port, tls, credentials, client: ClientId::default() })
    }

    /// A connection that is ready for a mail.
    pub async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let implicit = if let Tls::Wrapper(tls) = &self.tls { Some(tls.clone()) } else { None };
        let address = (self.host.as_str(), self.port);
        let mut connection = AsyncSmtpConnection::connect_tokio1(address, None, &self.client, implicit, None).await?;
        match &self.tls {
            Tls::Opportunistic(tls) if connection.can_starttls() => {
                connection.starttls(tls.clone(), &self.client).await?;
            }
            Tls::Required(tls) => connection.starttls(tls.clone(), &self.client).await?,
            Tls::Opportunistic(_) | Tls::Wrapper(_) | Tls::None => {}
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

fn credentials(text: &str) -> Result<Credentials, String> {
    let (user, password) = text.split_once(':').ok_or("before the @ there is a user but no password")?;
    Ok(Credentials::new(percent_decoded(user)?, percent_decoded(password)?))
}

/// RFC 3986 §2.1: what would end the user or the password is written as `%` and two hexadecimal digits.
fn percent_decoded(text: &str) -> Result<String, String> {
    let bad = || "before the @ there is a % without two hexadecimal digits, or text that is not UTF-8".to_owned();
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or_else(bad)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_decides_port_and_encryption() {
        let parsed = |url| {
            let server = Server::parse(url).unwrap();
            let tls = match server.tls {
                Tls::None => "none",
                Tls::Opportunistic(_) => "opportunistic",
                Tls::Required(_) => "required",
                Tls::Wrapper(_) => "implicit",
            };
            (server.host, server.port, tls)
        };
        assert_eq!(parsed("smtp://localhost"), ("localhost".to_owned(), 25, "none"));
        assert_eq!(parsed("smtp://[::1]:2525"), ("::1".to_owned(), 2525, "none"));
        assert_eq!(parsed("smtp://mx.example?tls=required"), ("mx.example".to_owned(), 587, "required"));
        assert_eq!(parsed("smtp://mx.example?tls=opportunistic"), ("mx.example".to_owned(), 587, "opportunistic"));
        assert_eq!(parsed("smtps://mx.example"), ("mx.example".to_owned(), 465, "implicit"));
    }

    #[test]
    fn credentials_are_decoded() {
        let server = Server::parse("smtp://shop%40example.com:p%3Ass@mx.example").unwrap();
        assert!(server.credentials == Some(Credentials::new("shop@example.com".to_owned(), "p:ss".to_owned())));
    }

    #[test]
    fn a_bad_url_is_explained_and_its_password_not_shown() {
        for bad in [
            "",
            "mx.example",
            "http://mx.example",
            "smtp://",
            "smtp://shop@mx.example",
            "smtp://shop:hunter2@mx.example/name",
            "smtp://shop:hunter2@mx.example?tls=maybe",
            "smtp://shop:hunter2%@mx.example",
            "smtp://shop:hunter2@mx.example:port",
        ] {
            let error = Server::parse(bad).err().unwrap();
            assert!(!error.is_empty() && !error.contains("hunter2"), "{bad}: {error}");
        }
    }
}
