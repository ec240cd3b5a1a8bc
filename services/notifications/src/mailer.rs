//! The delivery of mail: to a mail server, or to the store only.

use std::sync::Arc;
use std::time::SystemTime;

use kernel::MailId;
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};

use crate::domain::{Mail, NotSent};
use crate::quota::Quota;
use crate::smtp::Smtp;

/// Sends mail, or leaves it captured in the store. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    from: Mailbox,
    transport: Transport,
    quota: Quota,
    shop_url: String,
}

#[derive(Clone)]
enum Transport {
    Capture,
    Smtp(Arc<Smtp>),
}

/// A setting from which no mailer can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailerError {
    /// The mail server's URL. It is not shown, for it may hold a password.
    #[error("the mail server's URL can't be used: {0}; write smtp://user:password@host:587?tls=required or smtps://…")]
    Url(String),
    /// The sender.
    #[error("{0:?} is no sender: write it as in Tradepost <shop@example.com>")]
    From(String),
}

impl Mailer {
    /// Sends as `from` through the mail server at `smtp_url`; without one, mail is captured.
    pub fn from_url(smtp_url: Option<&str>, from: &str) -> Result<Self, MailerError> {
        let sender = from.parse().map_err(|_| MailerError::From(from.to_owned()))?;
        let transport = match smtp_url {
            Some(url) => Transport::Smtp(Arc::new(Smtp::new(url).map_err(MailerError::Url)?)),
            None => Transport::Capture,
        };
        Ok(Self { from: sender, transport, quota: Quota::per_hour(u32::MAX), shop_url: String::new() })
    }

    /// The same, with at most so many mails an hour to each recipient.
    #[must_use]
    pub fn with_limit(self, mails_per_hour: u32) -> Self {
        Self { quota: Quota::per_hour(mails_per_hour), ..self }
    }

    /// The same, with links that lead to the pages of the shop at this URL, which ends without a slash.
    #[must_use]
    pub fn with_shop_url(self, shop_url: &str) -> Self {
        Self { shop_url: shop_url.to_owned(), ..self }
    }

    pub(crate) fn quota(&self) -> &Quota {
        &self.quota
    }

    pub(crate) fn shop_url(&self) -> &str {
        &self.shop_url
    }

    /// True if mail is captured and not sent.
    pub(crate) fn captures(&self) -> bool {
        matches!(self.transport, Transport::Capture)
    }

    /// The id that a mail carries in every attempt.
    pub(crate) fn message_id(&self, mail_id: MailId) -> String {
        format!("<{mail_id}@{}>", self.from.email.domain())
    }

    /// Sends a mail; where mail is captured there is nothing to do.
    pub(crate) async fn send(&self, mail: &Mail) -> Result<(), NotSent> {
        match &self.transport {
            Transport::Capture => Ok(()),
            Transport::Smtp(smtp) => smtp.send(&self.message(mail)?).await,
        }
    }

    /// Every header is a value of its own type, so that none can hold another.
    fn message(&self, mail: &Mail) -> Result<Message, NotSent> {
        let refused = |error: &dyn std::fmt::Display| NotSent::Refused(format!("{:?}: {error}", mail.recipient));
        // In the form that every mail server takes.
        let recipient = kernel::email::ascii(&mail.recipient).unwrap_or_else(|| mail.recipient.clone());
        let recipient: Address = recipient.parse().map_err(|error| refused(&error))?;
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, recipient))
            .subject(&mail.subject)
            .message_id(Some(mail.message_id.clone()))
            .date(SystemTime::from(mail.created_at))
            .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
            .map_err(|error| refused(&error))
    }
}

#[cfg(test)]
impl Mailer {
    pub(crate) fn by(smtp: Smtp, from: &str) -> Self {
        Self { transport: Transport::Smtp(Arc::new(smtp)), ..Self::from_url(None, from).unwrap() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tests::mail;

    #[test]
    fn settings_that_can_not_work_are_refused() {
        assert!(matches!(Mailer::from_url(None, "nobody"), Err(MailerError::From(_))));
        let refused = Mailer::from_url(Some("http://mx.example"), "shop@shop.example");
        assert!(matches!(refused, Err(MailerError::Url(_))));
    }

    #[test]
    fn a_message_id_has_the_senders_domain() {
        let mailer = Mailer::from_url(None, "Tradepost <shop@shop.example>").unwrap();
        let id = mail().mail_id;
        assert_eq!(mailer.message_id(id), format!("<{id}@shop.example>"));
    }

    #[test]
    fn an_address_in_a_domain_of_another_script_is_sent_in_ascii() {
        let mailer = Mailer::from_url(None, "shop@shop.example").unwrap();
        let mail = Mail { recipient: "ada@müller.de".to_owned(), ..mail() };
        let message = String::from_utf8(mailer.message(&mail).unwrap().formatted()).unwrap();
        assert!(message.contains("To: ada@xn--mller-kva.de\r\n"), "{message}");
    }

    #[test]
    fn no_header_can_be_slipped_in() {
        let mailer = Mailer::from_url(None, "shop@shop.example").unwrap();
        let slipped = "x\r\nBcc: eve@example.com";
        let recipient = Mail { recipient: format!("ada@example.com{slipped}"), ..mail() };
        assert!(matches!(mailer.message(&recipient), Err(NotSent::Refused(_))));
        let subject = Mail { subject: slipped.to_owned(), ..mail() };
        let message = String::from_utf8(mailer.message(&subject).unwrap().formatted()).unwrap();
        assert!(!message.contains("\nBcc:"), "{message}");
    }
}
