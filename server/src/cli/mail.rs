//! `tradepost mail`

use clap::Subcommand;
use notifications::MailId;
use serde::Deserialize;
use serde_json::Value;

use super::arguments::{Limit, id, seconds};
use super::client::Client;
use super::table::{Column, Table, fields};
use super::terminal::plain_lines;
use super::{Failure, Output};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List mail, the newest first
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a mail with its text
    Show {
        /// Its id
        #[arg(value_parser = id::<MailId>)]
        mail: MailId,
    },
}

#[derive(Debug, Deserialize)]
struct Mail {
    mail_id: String,
    message_id: String,
    to: String,
    template: String,
    subject: String,
    text: String,
    order_id: Option<String>,
    #[serde(default)]
    sent_at: Value,
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        client.require_admin()?;
        match self {
            Self::List { limit } => {
                let listing = client.list("/v1/mail", &[], limit.limit).await?;
                out.listing(&listing, "no mail yet", |mails| table(client, mails))
            }
            Self::Show { mail } => show(client, out, mail).await,
        }
    }
}

fn table(client: &Client, mails: &[Value]) -> Result<Table, Failure> {
    let mut table = Table::new([Column::Left("ID"), Column::Text("TO"), Column::Text("SUBJECT")]);
    for mail in mails {
        let Mail { mail_id, to, subject, .. } = client.view(mail)?;
        table.row([mail_id, to, subject]);
    }
    Ok(table)
}

async fn show(client: &Client, out: &mut Output, mail: MailId) -> Result<(), Failure> {
    let answer = client.get(&format!("/v1/mail/{mail}"), &[]).await?;
    if out.is_json() {
        return out.document(&answer);
    }
    let mail: Mail = client.view(&answer)?;
    out.text(fields([
        ("mail", Some(mail.mail_id)),
        ("to", Some(mail.to)),
        ("subject", Some(mail.subject)),
        ("template", Some(mail.template)),
        ("sent", Some(seconds(&mail.sent_at)).filter(|time| !time.is_empty())),
        ("message id", Some(mail.message_id)),
        ("order", mail.order_id),
    ]))?;
    out.text("")?;
    out.text(plain_lines(&mail.text))
}
