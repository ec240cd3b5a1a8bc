//! An empty database for one test, on whatever server is cheapest.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::chance;
use crate::error::{Error, expect, output};
use crate::postgres::{Options, PSQL, Postgres, Programs};

/// The variable with the URL of a server that a whole run of tests shares. `cargo xtask test` sets it.
pub const POSTGRES_VARIABLE: &str = "TEST_POSTGRES_URL";

/// Enough for a whole shop in each of the tests that run side by side.
const CONNECTIONS: u32 = 800;

/// The time between two tries to drop a database.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// An empty database that goes with this value.
///
/// It is on the server of the whole run if [`POSTGRES_VARIABLE`] names one,
/// else on one that the tests of this process share: others can't do without a server, and start it themselves.
/// A test that stops its server, or counts its connections, must not do so here: it starts its own [`Postgres`].
/// The server does not sync what it writes.
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// Makes it.
    #[track_caller]
    pub fn create() -> Self {
        let database = Self::named_by_chance();
        database.on_server(&format!("create database {}", database.name));
        database
    }

    /// Makes one with what `fill` puts into an empty one: the first test of a run fills a database, and all get a copy of
    /// it, which takes a fraction of the time. `contents` names what is in it, in letters and digits.
    #[track_caller]
    pub fn filled(contents: &str, fill: impl FnOnce(&Self)) -> Self {
        if shared_server().is_none() {
            // Nobody else would use a copy.
            let database = Self::create();
            fill(&database);
            return database;
        }
        let (database, filled) = (Self::named_by_chance(), format!("filled_{contents}"));
        // As files, for the log of the server is no faster where a copy has a thousand of them.
        let copy = format!("create database {} template {filled} strategy file_copy", database.name);
        let Err(error) = try_run(&database.server, &copy) else { return database };
        assert!(error.0.contains("does not exist"), "{}", error.0);
        let first = Self::create();
        fill(&first);
        match try_run(&first.server, &format!("alter database {} rename to {filled}", first.name)) {
            // It stays as long as the server.
            Ok(_) => std::mem::forget(first),
            Err(error) => assert!(error.0.contains("already exists"), "{}", error.0),
        }
        database.on_server(&copy);
        database
    }

    fn named_by_chance() -> Self {
        let server = shared_server().unwrap_or_else(own_server);
        Self { server, name: format!("test_{}", chance::word()) }
    }

    /// Its URL for its owner, who is not a superuser.
    pub fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("the URL of a server ends with a database");
        format!("{server}/{}", self.name)
    }

    /// Runs SQL in it; returns the rows, their columns separated by `|`.
    #[track_caller]
    pub fn execute(&self, sql: &str) -> String {
        run(&self.url(), sql)
    }

    #[track_caller]
    fn on_server(&self, sql: &str) {
        run(&self.server, sql);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Where the test failed, its own message is the one to show.
        if std::thread::panicking() {
            return;
        }
        // Also while connections are still being closed. A worker of the server's own can't be made to leave by who is
        // no superuser, and is soon done.
        let drop = format!("drop database {} with (force)", self.name);
        let began = Instant::now();
        while let Err(error) = try_run(&self.server, &drop) {
            let is_passing = error.0.contains("being terminated") && began.elapsed() < PATIENCE;
            assert!(is_passing, "{}", error.0);
            std::thread::sleep(TRY_AGAIN);
        }
    }
}

/// The server of the whole run, if there is one.
fn shared_server() -> Option<String> {
    let url = std::env::var_os(POSTGRES_VARIABLE)?;
    Some(url.into_string().unwrap_or_else(|url| panic!("{POSTGRES_VARIABLE} is no URL: {}", url.display())))
}

/// A server that ends with this process.
fn own_server() -> String {
    static OWN: OnceLock<Postgres> = OnceLock::new();
    OWN.get_or_init(|| expect(Options::shared().start())).url("postgres")
}

impl Options {
    /// For a server that many tests share.
    pub fn shared() -> Self {
        // Each connection is a process, and its start copies the table of these buffers' pages.
        let settings = vec![("shared_buffers", "16MB".to_owned())];
        Self { max_connections: CONNECTIONS, fsync: false, settings, ..Self::default() }
    }
}

#[track_caller]
fn run(url: &str, sql: &str) -> String {
    expect(try_run(url, sql))
}

fn try_run(url: &str, sql: &str) -> Result<String, Error> {
    let mut psql = Programs::find()?.command("psql");
    psql.args(PSQL).args(["--dbname", url, "--command", sql]);
    Ok(output(&mut psql)?.trim_end().to_owned())
}
