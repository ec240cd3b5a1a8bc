//! SQLite behind the kit: one writer thread, a few reader threads.

pub(crate) mod commit;
mod connection;
mod readers;
pub(crate) mod run;
mod signals;
mod threads;
mod writer;

use std::sync::Arc;

use crate::{Error, Options};

pub(crate) use readers::Readers;
pub(crate) use signals::{Effects, Signals};
pub(crate) use writer::Writer;

/// What the kit's own statements change that others wait for.
pub(crate) mod effects {
    use super::Effects;

    pub(crate) fn none() -> Effects {
        Effects::default()
    }

    pub(crate) fn fewer_pending(sent: usize) -> Effects {
        Effects { pending: -i64::try_from(sent).unwrap_or(i64::MAX), ..Effects::default() }
    }
}

/// One open file.
pub(crate) struct Sqlite {
    pub writer: Writer,
    pub readers: Readers,
    pub signals: Arc<Signals>,
}

impl Sqlite {
    pub fn open(options: &Options) -> Result<Self, Error> {
        let path = options.folder.join(format!("{}.db", options.service));
        let store = path.display().to_string();
        let connection = connection::open_writer(&path, &store, options)?;
        let pending = connection::pending_events(&connection, &store)?;
        let signals = Arc::new(Signals::new(&options.destinations, pending));
        let readers = Readers::start(&path, &store)?;
        let writer = Writer::start(connection, store, signals.clone());
        Ok(Self { writer, readers, signals })
    }

    /// Lets the writer finish what it was given, then closes every connection.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
