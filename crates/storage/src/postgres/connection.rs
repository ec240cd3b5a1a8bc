//! One connection: its session settings, its prepared statements, and what its errors mean.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Statement};

use super::bulk;
use super::server::{Server, cause_of};
use super::tables::running;
use crate::Error;

/// Deadline for making a connection, its start-up included.
const CONNECT: Duration = Duration::from_secs(5);

/// Time after which a connection whose bytes are not acknowledged counts as dead.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// Idle time after which the operating system probes the other side.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Settings of every session, beside its schema.
///
/// Every statement uses an index, and tables grow from nothing within minutes: a plan that was made while a table
/// was empty must not read all of it later. Hence no sequential scans where there is an index, and, for the writer,
/// no joins but by index. Timeouts are the server's side of the deadlines that callers have.
const SESSION: &str = "-c synchronous_commit=on -c jit=off -c enable_seqscan=off -c plan_cache_mode=force_generic_plan \
     -c statement_timeout=15s -c lock_timeout=10s -c idle_in_transaction_session_timeout=30s \
     -c client_min_messages=warning";

/// Settings of the writer's session.
const WRITER: &str = "-c enable_hashjoin=off -c enable_mergejoin=off";

/// Role of a connection: its name in `pg_stat_activity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Reader,
    Writer,
}

/// One connection. Requests on it are pipelined: the server takes them in the order in which they were sent.
pub(super) struct Connection {
    pub client: Client,
    /// By the address of the text, which is static, and whether it is for many rows.
    prepared: Mutex<HashMap<(usize, bool), Prepared>>,
    driver: JoinHandle<()>,
}

#[derive(Clone)]
pub(super) struct Prepared {
    pub statement: Statement,
    /// Number of rows that it takes.
    pub takes_many: bool,
}

impl Connection {
    pub async fn open(server: &Server, service: &str, role: Role) -> Result<Self, Error> {
        let mut config = Config::clone(&server.config);
        let (own, schema) = (config.get_options().unwrap_or_default(), server.schema(service));
        let (role_name, of_role) = match role {
            Role::Reader => ("reads", ""),
            Role::Writer => ("writes", WRITER),
        };
        config
            .options(format!("{own} {SESSION} {of_role} -c search_path=\"{schema}\""))
            .application_name(format!("tradepost {service} {role_name}"))
            .connect_timeout(CONNECT)
            .tcp_user_timeout(UNACKNOWLEDGED)
            .keepalives_idle(KEEPALIVE);
        let connecting = config.connect(server.tls.connector());
        let (client, connection) = match tokio::time::timeout(CONNECT, connecting).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return Err(refused(&error, server)),
            Err(_) => return Err(unavailable(server, format!("no connection within {CONNECT:?}"))),
        };
        #[expect(clippy::disallowed_methods, reason = "the driver ends with its connection, and `Drop` ends it")]
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = cause_of(&error), "a database connection ended");
            }
        });
        let connection = Self { client, prepared: Mutex::default(), driver };
        if role == Role::Writer {
            let lock = running(&schema);
            let row: [&(dyn ToSql + Sync); 1] = [&lock];
            let share = connection.client.execute("select pg_advisory_lock_shared($1)", &row);
            match tokio::time::timeout(CONNECT, share).await {
                Ok(shared) => shared.map(drop).map_err(|error| classify(&error, "SHARE_LOCK", server))?,
                Err(_) => return Err(unavailable(server, format!("no answer within {CONNECT:?}"))),
            }
        }
        Ok(connection)
    }

    /// The statement, prepared once for each connection.
    pub async fn prepare(&self, text: &'static str) -> Result<Prepared, tokio_postgres::Error> {
        if let Some(known) = self.known(text, false) {
            return Ok(known);
        }
        let statement = self.client.prepare(text).await?;
        Ok(self.remember(text, false, Prepared { statement, takes_many: false }))
    }

    /// The statement for many rows; that of one row if it can't be rewritten.
    pub async fn prepare_many(&self, text: &'static str) -> Result<Prepared, tokio_postgres::Error> {
        if let Some(known) = self.known(text, true) {
            return Ok(known);
        }
        let one = self.prepare(text).await?;
        let types: Vec<String> = one.statement.params().iter().map(|kind| kind.name().to_owned()).collect();
        let many = match bulk::of(text, &types) {
            Some(many) => Prepared { statement: self.client.prepare(&many).await?, takes_many: true },
            None => one,
        };
        Ok(self.remember(text, true, many))
    }

    fn known(&self, text: &'static str, many: bool) -> Option<Prepared> {
        let prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        prepared.get(&(text.as_ptr().addr(), many)).cloned()
    }

    fn remember(&self, text: &'static str, many: bool, made: Prepared) -> Prepared {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        prepared.insert((text.as_ptr().addr(), many), made.clone());
        made
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Maps a statement's error to the caller's.
pub(super) fn classify(error: &tokio_postgres::Error, statement: &'static str, server: &Server) -> Error {
    let Some(code) = error.code() else {
        let detail = cause_of(error);
        // The value does not fit the statement: a defect, whatever the server would say.
        if detail.starts_with("error serializing") || detail.starts_with("error deserializing") {
            return Error::Broken { statement, detail };
        }
        return unavailable(server, detail);
    };
    if *code == SqlState::UNIQUE_VIOLATION || is_contended(code) {
        return Error::Conflict { statement };
    }
    if passes(code) {
        unavailable(server, cause_of(error))
    } else {
        Error::Broken { statement, detail: cause_of(error) }
    }
}

/// Others were at the same rows at the same moment: the same may succeed at once.
pub(super) fn is_contended(code: &SqlState) -> bool {
    *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
}

/// True for errors that may pass by themselves
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>: by class).
fn passes(code: &SqlState) -> bool {
    let code = code.code();
    matches!(&code[..2], "08" | "53" | "57" | "58") || matches!(code, "25006" | "25P03" | "55P03")
}

/// Maps a failure to connect to the caller's error.
fn refused(error: &tokio_postgres::Error, server: &Server) -> Error {
    let user = server.config.get_user().unwrap_or("of the operating system");
    let database = server.config.get_dbname().unwrap_or_default();
    let detail = cause_of(error);
    let remedy = match error.code() {
        Some(code) if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            format!("{detail}: check user {user:?} and its password in the store's URL, and the server's pg_hba.conf")
        }
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => {
            format!("{detail}: make it with `createdb {database}`, or name another in the store's URL")
        }
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            format!("{detail}: run `grant connect, create on database {database} to {user}` as the database's owner")
        }
        None if detail.contains("password missing") || detail.contains("invalid configuration") => {
            format!("{detail}: the server asks for a password, so put one into the store's URL")
        }
        None if detail.contains("error performing TLS handshake") => {
            format!("{detail}: check sslmode and sslrootcert in the store's URL")
        }
        _ => return unavailable(server, detail),
    };
    Error::Unusable { store: server.to_string(), detail: remedy }
}

pub(super) fn unavailable(server: &Server, detail: impl Into<String>) -> Error {
    Error::Unavailable { store: server.to_string(), detail: detail.into() }
}
