//! Facts about the store itself: whether the process that used it before ended cleanly, and which events its service has
//! been served from their beginning.

use std::collections::BTreeSet;

use crate::statement::Sql;
use crate::{Db, Error, params};

static RUNNING: Sql = Sql::new("RUNNING", "select value from facts where name = 'running'");
static SET_RUNNING: Sql = Sql::new(
    "SET_RUNNING",
    "insert into facts (name, value) values ('running', $1) on conflict (name) do update set value = excluded.value",
);

static SUBSCRIBED: Sql = Sql::new("SUBSCRIBED", "select value from facts where name = 'subscribed'");
static SET_SUBSCRIBED: Sql = Sql::new(
    "SET_SUBSCRIBED",
    "insert into facts (name, value) values ('subscribed', $1)
     on conflict (name) do update set value = excluded.value",
);

/// The kit's statements of this module.
pub(crate) const STATEMENTS: &[&Sql] = &[&RUNNING, &SET_RUNNING, &SUBSCRIBED, &SET_SUBSCRIBED];

impl Db {
    /// Marks the store as in use. True if the process before this one ended without [`mark_stopped`](Self::mark_stopped):
    /// what it was handling may be what ended it.
    pub async fn mark_running(&self) -> Result<bool, Error> {
        let before = self.read(&RUNNING, params![], |row| row.get::<String>("value")).await?;
        self.sweep(vec![(&SET_RUNNING, params!["yes"])]).await?;
        Ok(before.first().is_some_and(|value| value == "yes"))
    }

    /// True if a process of the service ever used the store.
    pub async fn has_run(&self) -> Result<bool, Error> {
        Ok(!self.read(&RUNNING, params![], |row| row.get::<String>("value")).await?.is_empty())
    }

    /// The event types of which the service has been served all there ever were; `None` if nobody has said so yet.
    pub async fn subscribed(&self) -> Result<Option<BTreeSet<String>>, Error> {
        let found = self.read(&SUBSCRIBED, params![], |row| row.get::<String>("value")).await?;
        let Some(text) = found.first() else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|error| Error::Corrupt {
            statement: SUBSCRIBED.name(),
            column: "value".to_owned(),
            detail: error.to_string(),
        })
    }

    /// Says of which event types the service has been served all there ever were.
    pub async fn set_subscribed(&self, types: &BTreeSet<String>) -> Result<(), Error> {
        let text = serde_json::json!(types).to_string();
        self.sweep(vec![(&SET_SUBSCRIBED, params![text])]).await.map(drop)
    }

    /// Marks the store as closed cleanly.
    pub async fn mark_stopped(&self) -> Result<(), Error> {
        self.sweep(vec![(&SET_RUNNING, params!["no"])]).await?;
        Ok(())
    }
}
