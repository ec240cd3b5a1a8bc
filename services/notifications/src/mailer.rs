//! The delivery of mail: to a mail server, or to the store only.

use std::sync::Arc;
use std::time::SystemTime;

use crate::MailId;
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use service::setting::Values;

use crate::domain::{Mail, NotSent};
use crate::quota::Quota;
use crate::settings;
use crate::smtp::Smtp;

/// Sends mail, or leaves it captured in the store. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Mailer {
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

impl Mailer {
    /// Sends as `mail_from` through the mail server at `smtp_url`; without one, mail is captured.
    pub fn of(values: &Values) -> Self {
        Self {
            from: settings::MAIL_FROM.of(values),
            transport: settings::SMTP_URL.of(values).map_or(Transport::Capture, |smtp| Transport::Smtp(Arc::new(smtp))),
            quota: Quota::per_hour(settings::MAIL_LIMIT.of(values)),
            shop_url: settings::SHOP_URL.of(values),
        }
    }

    pub fn quota(&self) -> &Quota {
        &self.quota
    }

    pub fn shop_url(&self) -> &str {
        &self.shop_url
    }

    /// True if mail is captured and not sent.
    pub fn captures(&self) -> bool {
        matches!(self.transport, Transport::Capture)
    }

    /// The id that a mail carries in every attempt.
    pub fn message_id(&self, mail_id: MailId) -> String {
        format!("<{mail_id}@{}>", self.from.email.domain())
    }

    /// Sends a mail; where mail is captured there is nothing to do.
    pub async fn send(&self, mail: &Mail) -> Result<(), NotSent> {
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
    pub fn from(from: &str) -> Self {
        Self::of(&Values::default().with(&settings::MAIL_FROM, from))
    }

    pub fn by(smtp: Smtp, from: &str) -> Self {
        Self { transport: Transport::Smtp(Arc::new(smtp)), ..Self::from(from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tests::mail;

    #[test]
    fn a_message_id_has_the_senders_domain() {
        let mailer = Mailer::from("Tradepost <shop@shop.example>");
        let id = mail().mail_id;
        assert_eq!(mailer.message_id(id), format!("<{id}@shop.example>"));
    }

    #[test]
    fn an_address_in_a_domain_of_another_script_is_sent_in_ascii() {
        let mailer = Mailer::from("shop@shop.example");
        let mail = Mail { recipient: "ada@müller.de".to_owned(), ..mail() };
        let message = String::from_utf8(mailer.message(&mail).unwrap().formatted()).unwrap();
        assert!(message.contains("To: ada@xn--mller-kva.de\r\n"), "{message}");
    }

    #[test]
    fn no_header_can_be_slipped_in() {
        let mailer = Mailer::from("shop@shop.example");
        let slipped = "x\r\nBcc: eve@example.com";
        let recipient = Mail { recipient: format!("ada@example.com{slipped}"), ..mail() };
        assert!(matches!(mailer.message(&recipient), Err(NotSent::Refused(_))));
        let subject = Mail { subject: slipped.to_owned(), ..mail() };
        let message = String::from_utf8(mailer.message(&subject).unwrap().formatted()).unwrap();
        assert!(!message.contains("\nBcc:"), "{message}");
    }
}
