//! A prefix of keys for one test, on whatever server is cheapest.

use std::sync::OnceLock;

use crate::chance;
use crate::error::expect;
use crate::redis::{Cli, Redis};

/// The variable with the URL of the server that a whole run of tests shares.
pub const REDIS_VARIABLE: &str = "TEST_REDIS_URL";

/// A prefix that no other keys have; they go with this value.
///
/// It is on the server of the whole run if [`REDIS_VARIABLE`] names one,
/// else on one that the tests of this process share.
/// A test that stops, flushes or fills its server must not do so here: it starts its own [`Redis`].
#[derive(Debug)]
pub struct KeyPrefix {
    cli: Cli,
    server: String,
    prefix: String,
}

impl KeyPrefix {
    /// Chooses it.
    #[track_caller]
    pub fn create() -> Self {
        let server = std::env::var_os(REDIS_VARIABLE).map_or_else(own_server, |shared| {
            shared.into_string().unwrap_or_else(|it| panic!("{REDIS_VARIABLE} is no URL: {}", it.display()))
        });
        Self { cli: Cli::new(&server), server, prefix: format!("test-{}:", chance::word()) }
    }

    /// The server's URL with the prefix as its parameter.
    pub fn url(&self) -> String {
        format!("{}?prefix={}", self.server, self.prefix)
    }

    /// The name of a key with the prefix.
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Removes the keys whose names begin so, after the prefix.
    #[track_caller]
    pub fn remove(&self, beginning: &str) {
        expect(self.cli.remove(&self.key(beginning)));
    }

    /// Has the server do a command; the answer, as `redis-cli` prints it where nobody watches.
    #[track_caller]
    pub fn command(&self, words: &[&str]) -> String {
        expect(self.cli.command(words))
    }
}

impl Drop for KeyPrefix {
    fn drop(&mut self) {
        // Where the test failed, its own message is the one to show.
        if !std::thread::panicking() {
            expect(self.cli.remove(&self.prefix));
        }
    }
}

/// A server that ends with this process.
fn own_server() -> String {
    static OWN: OnceLock<Redis> = OnceLock::new();
    OWN.get_or_init(Redis::start).url()
}
