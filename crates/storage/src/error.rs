//! Errors of reads and commits. Driver types never leave the crate.

use kernel::EventId;

/// Failure of a read or a commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A row was not as it had been read, or a row that must be new was there already.
    /// Nothing was written: read and decide again.
    #[error("{statement} found the row changed since it was read")]
    Conflict {
        /// The statement whose guard missed.
        statement: &'static str,
    },
    /// The cause was committed before; nothing was written.
    #[error("the cause was committed before")]
    AlreadyDone {
        /// The events that had been handled, where the cause was deliveries.
        events: Vec<EventId>,
    },
    /// The timer's lease was lost or the timer was rescheduled meanwhile; nothing was written.
    #[error("the lease of timer {name} was lost")]
    LeaseLost {
        /// The timer.
        name: &'static str,
    },
    /// The outbox holds as many unsent events as it may; nothing was written.
    #[error("the outbox holds {cap} unsent events, which is its cap: let it drain, or raise `outbox_cap`")]
    OutboxFull {
        /// The `outbox_cap` setting.
        cap: u64,
    },
    /// The store can't work now: full disk, read-only folder, closed. Nothing was written. May pass.
    #[error("the store {store} is unavailable: {detail}")]
    Unavailable {
        /// The store.
        store: String,
        /// The database's message.
        detail: String,
    },
    /// The connection died while the database was committing, and it could not be asked in time whether it did.
    /// The write may have happened or not.
    #[error("the connection to the store {store} was lost during a commit: it is not known whether it took effect")]
    Unknown {
        /// The store.
        store: String,
    },
    /// The store refuses this program: a wrong password, a missing right, no such database. Won't pass by itself.
    #[error("the store {store} can't be used: {detail}")]
    Unusable {
        /// The store.
        store: String,
        /// The database's message, and the remedy.
        detail: String,
    },
    /// A stored value is not what the code knows.
    #[error("{statement}, column {column}: {detail}")]
    Corrupt {
        /// The statement that read it.
        statement: &'static str,
        /// The column.
        column: String,
        /// The fault in it.
        detail: String,
    },
    /// A statement is wrong: a defect of Tradepost.
    #[error("{statement} can't run: {detail}")]
    Broken {
        /// The statement.
        statement: &'static str,
        /// The database's message.
        detail: String,
    },
    /// The store was written by a newer Tradepost and was left as it is.
    #[error(
        "{store} has version {found} of the {set} tables and this Tradepost knows {known}: \
         start the newer Tradepost that wrote it, or use another data folder"
    )]
    Newer {
        /// The store.
        store: String,
        /// The set of tables.
        set: &'static str,
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
}
