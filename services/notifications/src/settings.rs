//! The settings of notifications.

use lettre::message::Mailbox;
use service::setting::{AnySetting, SecretSetting, Setting, parse};
use url::Url;

use crate::smtp::Smtp;

/// RFC 5321 allows 254 for the address; a name stands before it.
const MAILBOX_MAX: usize = 320;

/// The mail server, as in `smtp://user:pass@host:587` or `smtps://…`. Without it mail is captured.
pub(crate) static SMTP_URL: SecretSetting<Smtp> = SecretSetting::new("smtp_url", smtp);

/// The sender of mail, as in `Shop <shop@example.com>`.
pub static MAIL_FROM: Setting<Mailbox> = Setting::new("mail_from", "Tradepost <shop@localhost>", mailbox);

/// The shop's pages, to which links in mails lead, as in `https://shop.example.com`.
pub static SHOP_URL: Setting<String> = Setting::new("shop_url", "http://127.0.0.1:8080", page_url);

/// Mails an hour to one address.
pub static MAIL_LIMIT: Setting<u32> = Setting::new("mail_limit", "20", |text| parse::whole(text, 1..=1_000_000));

/// All of them, in the order in which they are shown.
pub(crate) static ALL: &[&dyn AnySetting] = &[&MAIL_LIMIT, &SMTP_URL, &MAIL_FROM, &SHOP_URL];

/// The mail server. What is wrong is not shown, for the URL may hold a password.
fn smtp(text: &str) -> Result<Smtp, String> {
    Smtp::new(text).map_err(|_| "an address as in smtp://user:pass@host:587 or smtps://user:pass@host".to_owned())
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    let mailbox = parse::text(text, MAILBOX_MAX).ok().and_then(|text| text.parse().ok());
    mailbox.ok_or_else(|| "a sender as in Shop <shop@example.com>".to_owned())
}

/// The beginning of links in mails, without a slash at its end.
fn page_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.filter(|url| url.query().is_none() && url.fragment().is_none());
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
    let url = url.ok_or_else(|| "an address as in https://shop.example.com, without a query".to_owned())?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_has_one_address() {
        for good in ["shop@localhost", "Shop <shop@example.com>"] {
            assert_eq!(MAIL_FROM.check(good), Ok(()));
        }
        for bad in ["", "Shop", "Shop <shop@example.com", "a@b@c", "Shop <@>", "a@b\r\nBcc: c@d", "X\n <a@b>"] {
            assert!(MAIL_FROM.check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_mail_server_is_named_by_a_url_that_is_never_shown() {
        assert_eq!(SMTP_URL.check("smtp://user:hunter2@mx.example:587"), Ok(()));
        let refused = SMTP_URL.check("http://user:hunter2@mx.example").unwrap_err();
        assert!(!refused.contains("hunter2"), "{refused}");
    }

    #[test]
    fn a_page_has_an_address_without_a_query() {
        assert_eq!(page_url("https://shop.example/"), Ok("https://shop.example".to_owned()));
        for bad in ["shop.example", "https://shop.example/?x=1", "https://a:b@shop.example", "ftp://shop.example"] {
            assert!(page_url(bad).is_err(), "{bad}");
        }
    }
}
