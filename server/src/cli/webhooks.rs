//! `tradepost webhooks`

mod attempts;
mod test;

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use events::EndpointId;
use kernel::{Clock, SignedDuration};
use serde::Deserialize;
use serde_json::{Value, json};
use server::config;

use super::arguments::{Limit, id, seconds};
use super::client::Client;
use super::output::note;
use super::table::{Column, Table, fields};
use super::{Failure, Output};

const PATH: &str = "/v1/webhooks";

/// Deliveries are kept for as long.
const SINCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(30 * 24));

const ADD_HELP: &str = "\
Example:
  tradepost webhooks add https://erp.example.com/tradepost --event 'orders.*' --event payments.payment_refunded.v1

The secret by which messages are signed is shown once.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List endpoints, the newest first
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Show an endpoint
    Show {
        /// Its id
        #[arg(value_parser = id::<EndpointId>)]
        webhook: EndpointId,
    },
    /// Add an endpoint: events from now on are sent to it
    #[command(after_help = ADD_HELP)]
    Add(Add),
    /// List what was sent to an endpoint and what it answered, the newest first
    Attempts {
        /// Its id
        #[arg(value_parser = id::<EndpointId>)]
        webhook: EndpointId,
        #[command(flatten)]
        limit: Limit,
    },
    /// Send once more what was sent: one attempt, or everything since a time
    #[command(after_help = "Example:\n  tradepost webhooks resend ID --since 2h")]
    Resend(Resend),
    /// Give an endpoint a new secret; the one before signs for another day
    Rotate {
        /// Its id
        #[arg(value_parser = id::<EndpointId>)]
        webhook: EndpointId,
    },
    /// Send a test event and show what the endpoint answers
    Test {
        /// Its id
        #[arg(value_parser = id::<EndpointId>)]
        webhook: EndpointId,
    },
    /// Enable an endpoint that is disabled: events from now on are sent to it
    Enable {
        /// Its id
        #[arg(value_parser = id::<EndpointId>)]
        webhook: EndpointId,
    },
    /// Delete an endpoint with all that was sent to it
    Remove {
        /// Its id
        #[arg(value_parser = id::<EndpointId>)]
        webhook: EndpointId,
    },
}

#[derive(Debug, Args)]
pub struct Add {
    /// Its public address, as in https://erp.example.com/tradepost
    address: String,
    /// A type of events, `*` for all, or a prefix as in `orders.*`; may stand several times
    #[arg(long, value_name = "TYPE", required = true)]
    event: Vec<String>,
    /// A text by which people know it
    #[arg(long)]
    description: Option<String>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true))]
pub struct Resend {
    /// The endpoint's id
    #[arg(value_parser = id::<EndpointId>)]
    webhook: EndpointId,
    /// Only the delivery of this attempt
    #[arg(long, value_name = "ID", group = "what", value_parser = id::<kernel::Uuid>)]
    attempt: Option<kernel::Uuid>,
    /// Age of the oldest delivery, as in 30m, 2h or 3d
    #[arg(long, value_name = "DURATION", group = "what", value_parser = since)]
    since: Option<Duration>,
}

fn since(text: &str) -> Result<Duration, String> {
    config::duration(text, SINCE.0..=SINCE.1)
}

#[derive(Debug, Deserialize)]
struct Webhook {
    webhook_id: String,
    url: String,
    description: Option<String>,
    event_types: Vec<String>,
    enabled: bool,
    disabled_at: Value,
    disabled_reason: Option<String>,
    failing_since: Value,
    previous_secret_until: Value,
    created_at: Value,
    secret: Option<String>,
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        client.require_admin()?;
        match self {
            Self::List { limit } => {
                let listing = client.list(PATH, &[], limit.limit).await?;
                let empty = "no endpoints: add one with `tradepost webhooks add`";
                out.listing(&listing, empty, |webhooks| table(client, webhooks))
            }
            Self::Show { webhook } => {
                let answer = client.get(&format!("{PATH}/{webhook}"), &[]).await?;
                print(client, out, &answer)
            }
            Self::Add(Add { address, event, description }) => {
                let mut body = json!({"url": address, "event_types": event});
                if let Some(description) = description {
                    body["description"] = json!(description);
                }
                let answer = client.post(PATH, Some(&body)).await?;
                print(client, out, &answer)
            }
            Self::Attempts { webhook, limit } => attempts::list(client, out, webhook, limit.limit).await,
            Self::Resend(resend) => resend.run(client, out).await,
            Self::Rotate { webhook } => rotate(client, out, webhook).await,
            Self::Test { webhook } => test::run(client, out, webhook).await,
            Self::Enable { webhook } => {
                let answer = client.patch(&format!("{PATH}/{webhook}"), &json!({"enabled": true})).await?;
                print(client, out, &answer)
            }
            Self::Remove { webhook } => {
                client.delete(&format!("{PATH}/{webhook}")).await?;
                if out.is_json() {
                    return out.document(&json!({"webhook_id": webhook}));
                }
                out.text(format_args!("endpoint {webhook} is deleted: nothing more is sent to it"))
            }
        }
    }
}

impl Resend {
    async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        let Self { webhook, attempt, since } = self;
        if let Some(attempt) = attempt {
            let answer = client.post(&format!("{PATH}/{webhook}/attempts/{attempt}/resend"), None).await?;
            if out.is_json() {
                return out.document(&answer);
            }
            return out.text(format_args!("the delivery of attempt {attempt} is in the queue again"));
        }
        let ago = SignedDuration::try_from(since.unwrap_or_default()).unwrap_or(SignedDuration::MAX);
        let body = json!({"since": Clock::system().now() - ago});
        let answer = client.post(&format!("{PATH}/{webhook}/resend"), Some(&body)).await?;
        if out.is_json() {
            return out.document(&answer);
        }
        out.text(format_args!("all deliveries since {} are sent once more", seconds(&answer["since"])))
    }
}

async fn rotate(client: &Client, out: &mut Output, webhook: EndpointId) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Rotated {
        secret: String,
        previous_secret_until: Value,
    }
    let answer = client.post(&format!("{PATH}/{webhook}/rotate-secret"), None).await?;
    if out.is_json() {
        return out.document(&answer);
    }
    let Rotated { secret, previous_secret_until } = client.view(&answer)?;
    out.text(fields([
        ("endpoint", Some(webhook.to_string())),
        ("secret", Some(secret)),
        ("secret before", Some(format!("signs too until {}", seconds(&previous_secret_until)))),
    ]))?;
    note("keep the secret now: it is not shown again");
    Ok(())
}

fn table(client: &Client, webhooks: &[Value]) -> Result<Table, Failure> {
    let mut table =
        Table::new([Column::Left("ID"), Column::Left("STATUS"), Column::Text("URL"), Column::Text("EVENTS")]);
    for webhook in webhooks {
        let webhook: Webhook = client.view(webhook)?;
        table.row([webhook.webhook_id.clone(), webhook.status(), webhook.url.clone(), webhook.event_types.join(", ")]);
    }
    Ok(table)
}

impl Webhook {
    fn status(&self) -> String {
        match (self.enabled, self.failing_since.is_null()) {
            (false, _) => "disabled",
            (true, false) => "failing",
            (true, true) => "enabled",
        }
        .to_owned()
    }
}

fn print(client: &Client, out: &mut Output, answer: &Value) -> Result<(), Failure> {
    if out.is_json() {
        return out.document(answer);
    }
    let webhook: Webhook = client.view(answer)?;
    let time = |time: &Value| Some(seconds(time)).filter(|time| !time.is_empty());
    out.text(fields([
        ("endpoint", Some(webhook.webhook_id.clone())),
        ("url", Some(webhook.url.clone())),
        ("description", webhook.description.clone()),
        ("events", Some(webhook.event_types.join(", "))),
        ("status", Some(webhook.status())),
        ("failing since", time(&webhook.failing_since)),
        ("disabled", time(&webhook.disabled_at)),
        ("reason", webhook.disabled_reason.clone()),
        ("secret before signs until", time(&webhook.previous_secret_until)),
        ("added", time(&webhook.created_at)),
        ("secret", webhook.secret.clone()),
    ]))?;
    if webhook.secret.is_some() {
        note("keep the secret now: it is not shown again");
    }
    Ok(())
}
