//! Whether the process that used the store before ended cleanly.

use crate::sqlite::effects;
use crate::statement::Sql;
use crate::{Db, Error, params};

static RUNNING: Sql = Sql::new("RUNNING", "select value from facts where name = 'running'");
static SET_RUNNING: Sql = Sql::new(
    "SET_RUNNING",
    "insert into facts (name, value) values ('running', $1) on conflict (name) do update set value = excluded.value",
);

impl Db {
    /// Marks the store as in use. True if the process before this one ended without [`mark_stopped`](Self::mark_stopped):
    /// what it was handling may be what ended it.
    pub async fn mark_running(&self) -> Result<bool, Error> {
        let before = self.sqlite.readers.query(&RUNNING, params![], |row| row.get::<String>("value")).await?;
        self.sqlite.writer.sweep(vec![(&SET_RUNNING, params!["yes"])], |_| effects::none()).await?;
        Ok(before.first().is_some_and(|value| value == "yes"))
    }

    /// Marks the store as left in good order.
    pub async fn mark_stopped(&self) -> Result<(), Error> {
        self.sqlite.writer.sweep(vec![(&SET_RUNNING, params!["no"])], |_| effects::none()).await?;
        Ok(())
    }
}
