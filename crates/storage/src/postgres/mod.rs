//! PostgreSQL behind the kit: one schema for each service, one connection that writes, a few that read.
//!
//! Start with `writer` (what waits is grouped), then `group` (how a group becomes one transaction).

mod bind;
mod bulk;
mod connection;
mod group;
mod inspect;
mod pipeline;
mod plan;
mod readers;
mod rebuild;
mod reconnecting;
mod server;
mod tables;
mod task;
mod tls;
mod writer;

use std::sync::Arc;
use std::time::Instant;

use connection::{Connection, Role};
use readers::Readers;
use reconnecting::Reconnecting;
use writer::Writer;

use crate::value::Found;
use crate::wake_ups::WakeUps;
use crate::{Error, Options};

pub use inspect::Inspection;
pub use server::{BadUrl, Server};
pub use tables::Turn;

/// One service's schema, open.
pub(crate) struct Postgres {
    pub writer: Writer,
    pub readers: Readers,
    pub signals: Arc<WakeUps>,
}

impl Postgres {
    pub async fn open(server: &Server, options: &Options) -> Result<Self, Error> {
        let mut connection = reach(server, options.service).await?;
        tables::bring_up_to_date(&mut connection, server, options).await?;
        let pending = tables::pending_events(&connection, server).await?;
        let signals = Arc::new(WakeUps::new(&options.destinations, pending));
        let readers = Readers::new(server, options.service);
        let link = Reconnecting::new(server.clone(), options.service, Role::Writer, Some(connection));
        let writer = Writer::start(link, options, signals.clone());
        Ok(Self { writer, readers, signals })
    }

    /// Opens a schema that other programs serve: the writer connects only if it is given something to write.
    pub async fn open_to_read(server: &Server, options: &Options) -> Result<Self, Error> {
        tables::refuse_unreadable(server, options.service).await?;
        let signals = Arc::new(WakeUps::new(&options.destinations, 0));
        let readers = Readers::new(server, options.service);
        let link = Reconnecting::new(server.clone(), options.service, Role::Writer, None);
        let writer = Writer::start(link, options, signals.clone());
        Ok(Self { writer, readers, signals })
    }

    pub async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}

impl Server {
    /// Waits until the server can be reached, at most as long as its patience; says so once while it can't.
    pub async fn ready(&self) -> Result<(), Error> {
        reach(self, "public").await.map(|_| ())
    }
}

/// The writer's connection, from a server that may still be starting.
async fn reach(server: &Server, service: &'static str) -> Result<Connection, Error> {
    /// The time between two tries.
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(250);

    let began = Instant::now();
    let mut is_logged = false;
    loop {
        match Connection::open(server, service, Role::Writer).await {
            Ok(connection) => return Ok(connection),
            Err(Error::Unavailable { store, detail }) => {
                if began.elapsed() >= server.patience {
                    let detail = format!("{detail} (tried for {:?})", server.patience);
                    return Err(Error::Unavailable { store, detail });
                }
                if !std::mem::replace(&mut is_logged, true) {
                    let patience_s = server.patience.as_secs();
                    tracing::warn!(%store, %detail, patience_s, "the database is unavailable and is tried again");
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// A column's value as the kit sees it.
pub(crate) fn found<'a>(row: &'a tokio_postgres::Row, column: &str) -> Result<Found<'a>, String> {
    row.try_get::<_, Found<'a>>(column).map_err(|error| server::cause_of(&error))
}
