//! Facts that a store keeps about itself, such as if the process that used it before ended cleanly.

use crate::kit::kit;
use crate::statement::Sql;
use crate::{Db, Error, params};

kit! {
    static RUNNING: Sql = Sql::new("RUNNING", "select value from facts where name = 'running'");
    static SET_RUNNING: Sql = Sql::new(
        "SET_RUNNING",
        "insert into facts (name, value) values ('running', $1) on conflict (name) do update set value = excluded.value",
    );
}

impl Db {
    /// Marks the store as in use. True if the process before this one ended without
    /// [`mark_stopped`](Self::mark_stopped): what it was handling may be what ended it.
    pub async fn mark_running(&self) -> Result<bool, Error> {
        let before = self.read(&RUNNING, params![], |row| row.get::<String>("value")).await?;
        self.sweep(vec![(&SET_RUNNING, params!["yes"])]).await?;
        Ok(before.first().is_some_and(|value| value == "yes"))
    }

    /// True if a process of the service ever used the store.
    pub async fn has_run(&self) -> Result<bool, Error> {
        Ok(!self.read(&RUNNING, params![], |row| row.get::<String>("value")).await?.is_empty())
    }

    /// Marks the store as closed cleanly.
    pub async fn mark_stopped(&self) -> Result<(), Error> {
        self.sweep(vec![(&SET_RUNNING, params!["no"])]).await?;
        Ok(())
    }
}
