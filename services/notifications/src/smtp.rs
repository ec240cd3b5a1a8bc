//! SMTP, with connections kept for the next mail.

mod server;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::response::Category;

use crate::domain::NotSent;
use server::Server;

/// The time that it may take to hand over one mail, connecting included; well within the lease of its timer.
const DEADLINE: Duration = Duration::from_secs(20);

/// Connections kept: enough for a busy hour, few enough for any server's limit.
const IDLE_MAX: usize = 8;

/// A mail server.
pub(crate) struct Smtp {
    server: Server,
    deadline: Duration,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

impl Smtp {
    /// The server at `smtp[s]://…`; the error says what is wrong, and never shows a password.
    pub fn new(url: &str) -> Result<Self, String> {
        Ok(Self { server: Server::parse(url)?, deadline: DEADLINE, idle: Mutex::default() })
    }

    /// Hands the message over. After an error or the deadline the server may have it nevertheless.
    pub async fn send(&self, message: &Message) -> Result<(), NotSent> {
        match tokio::time::timeout(self.deadline, self.converse(message)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(NotSent::Unavailable(format!("no answer within {:?}", self.deadline))),
        }
    }

    /// A connection is kept only after a whole conversation: in one that was cut short, the next answer would be
    /// that to the mail before. (lettre's own pool takes back what a deadline has cut short, so it isn't used.)
    async fn converse(&self, message: &Message) -> Result<(), NotSent> {
        let mut connection = self.connection().await?;
        connection.send(message.envelope(), &message.formatted()).await.map_err(refused_or_not)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        Ok(())
    }

    async fn connection(&self) -> Result<AsyncSmtpConnection, NotSent> {
        while let Some(mut connection) = self.take_idle() {
            if connection.test_connected().await {
                return Ok(connection);
            }
        }
        self.server.connect().await.map_err(|error| NotSent::Unavailable(error.to_string()))
    }

    fn take_idle(&self) -> Option<AsyncSmtpConnection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// 5yz is about the mail, for good (RFC 5321 §4.2.1), but x3z is about who we are (RFC 4954 §6):
/// with other credentials the same mail goes out.
fn refused_or_not(error: lettre::transport::smtp::Error) -> NotSent {
    let is_refusal = error.is_permanent() && error.status().is_some_and(|code| code.category != Category::Unspecified3);
    if is_refusal { NotSent::Refused(error.to_string()) } else { NotSent::Unavailable(error.to_string()) }
}

#[cfg(test)]
mod tests;
