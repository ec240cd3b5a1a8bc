//! `tradepost users`

use clap::Subcommand;
use kernel::UserId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::arguments::{Limit, UserRef, seconds};
use super::client::Client;
use super::failure::Exit;
use super::table::{Column, Table, fields};
use super::{Failure, Output};

const PATH: &str = "/v1/users";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List users, the newest first
    List {
        /// Only the user with this e-mail address
        #[arg(long)]
        email: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a user, with their roles and bans
    Show {
        /// Their e-mail address or id
        user: UserRef,
    },
    /// Shut a user out: their tokens are refused, and their unpaid and unshipped orders are cancelled
    #[command(after_help = "Example:\n  tradepost users ban eve@example.com --reason \"stolen cards\"")]
    Ban {
        /// Their e-mail address or id
        user: UserRef,
        /// Reason, for whoever reads it later
        #[arg(long)]
        reason: String,
    },
    /// Let a banned user sign in again
    Unban {
        /// Their e-mail address or id
        user: UserRef,
    },
    /// Make a user an admin
    Promote {
        /// Their e-mail address or id
        user: UserRef,
    },
    /// Make an admin a customer again
    Demote {
        /// Their e-mail address or id
        user: UserRef,
    },
}

#[derive(Debug, Deserialize)]
struct User {
    user_id: String,
    username: String,
    email: String,
    email_verified: bool,
    #[serde(default)]
    roles: Vec<String>,
    created_at: Value,
}

/// The bans of a user, the newest first.
#[derive(Debug, Deserialize)]
struct Bans {
    banned: bool,
    history: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    reason: String,
    banned_by: String,
    banned_at: Value,
    unbanned_by: Option<String>,
    #[serde(default)]
    unbanned_at: Value,
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        client.require_admin()?;
        match self {
            Self::List { email, limit } => list(client, out, email.as_deref(), limit.limit).await,
            Self::Show { user } => show(client, out, user.resolve(client).await?).await,
            Self::Ban { user, reason } => {
                let user_id = user.resolve(client).await?;
                let answer = client.post(&ban_path(user_id), Some(&json!({"reason": reason}))).await?;
                said(out, &answer, &format!("user {user_id} is banned"))
            }
            Self::Unban { user } => {
                let user_id = user.resolve(client).await?;
                client.delete(&ban_path(user_id)).await?;
                let answer = json!({"user_id": user_id, "banned": false});
                said(out, &answer, &format!("user {user_id} may sign in again"))
            }
            Self::Promote { user } => set_roles(client, out, &user, &["admin"]).await,
            Self::Demote { user } => set_roles(client, out, &user, &[]).await,
        }
    }
}

fn ban_path(user_id: UserId) -> String {
    format!("{PATH}/{user_id}/ban")
}

/// The answer for programs, or a line for people.
fn said(out: &mut Output, answer: &Value, line: &str) -> Result<(), Failure> {
    if out.is_json() { out.document(answer) } else { out.text(line) }
}

async fn list(client: &Client, out: &mut Output, email: Option<&str>, limit: usize) -> Result<(), Failure> {
    let query: Vec<(&str, &str)> = email.map(|email| ("email", email)).into_iter().collect();
    let listing = client.list(PATH, &query, limit).await?;
    let empty = if email.is_some() { "no user has this address" } else { "no users yet" };
    out.listing(&listing, empty, |users| table(client, users))
}

fn table(client: &Client, users: &[Value]) -> Result<Table, Failure> {
    let (name, email) = (Column::Text("NAME"), Column::Text("EMAIL"));
    let mut table = Table::new([Column::Left("ID"), name, email, Column::Left("REGISTERED"), Column::Left("ROLES")]);
    for user in users {
        let User { user_id, username, email, roles, created_at, .. } = client.view(user)?;
        table.row([user_id, username, email, seconds(&created_at), roles.join(", ")]);
    }
    Ok(table)
}

async fn set_roles(client: &Client, out: &mut Output, user: &UserRef, roles: &[&str]) -> Result<(), Failure> {
    let user_id = user.resolve(client).await?;
    let answer = client.post(&format!("{PATH}/{user_id}/roles"), Some(&json!({"roles": roles}))).await?;
    if out.is_json() {
        return out.document(&answer);
    }
    out.table(&table(client, &[answer])?)
}

/// Shows the user and their bans. For programs: the user, with the answer about bans as `ban`.
async fn show(client: &Client, out: &mut Output, user_id: UserId) -> Result<(), Failure> {
    let mut answer = client.get(&format!("{PATH}/{user_id}"), &[]).await?;
    let bans = match client.get(&ban_path(user_id), &[]).await {
        // The service of bans learns of an account a moment after it was opened.
        Err(failure) if failure.exit() == Exit::NotFound => json!({"banned": false, "history": []}),
        answered => answered?,
    };
    if out.is_json() {
        answer["ban"] = bans;
        return out.document(&answer);
    }
    let (user, bans): (User, Bans) = (client.view(&answer)?, client.view(&bans)?);
    out.text(fields([
        ("user", Some(user.username)),
        ("id", Some(user.user_id)),
        ("email", Some(user.email)),
        ("verified", Some(yes_or_no(user.email_verified))),
        ("roles", Some(user.roles.join(", ")).filter(|roles| !roles.is_empty())),
        ("registered", Some(seconds(&user.created_at))),
        ("banned", Some(yes_or_no(bans.banned))),
    ]))?;
    if bans.history.is_empty() {
        return Ok(());
    }
    out.text("")?;
    out.table(&history(&bans.history))
}

fn history(bans: &[Ban]) -> Table {
    let (from, by) = (Column::Left("BANNED"), Column::Left("BY"));
    let mut table = Table::new([from, by, Column::Left("UNBANNED"), Column::Left("BY"), Column::Text("REASON")]);
    for ban in bans {
        table.row([
            seconds(&ban.banned_at),
            ban.banned_by.clone(),
            seconds(&ban.unbanned_at),
            ban.unbanned_by.clone().unwrap_or_default(),
            ban.reason.clone(),
        ]);
    }
    table
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}
