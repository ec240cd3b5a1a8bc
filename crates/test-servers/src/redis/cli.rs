//! Commands to a running server, by Redis's own client.

use super::programs::RedisPrograms;
use crate::error::{Error, output};

/// Access to a server.
#[derive(Clone, Debug)]
pub(crate) struct Cli {
    url: String,
}

impl Cli {
    /// Access by a URL with a user and a password.
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    /// The answer to a command, as the client prints it where nobody watches: a line for each value.
    pub fn command(&self, words: &[&str]) -> Result<String, Error> {
        let mut client = RedisPrograms::find()?.client();
        client.args(["-e", "--no-auth-warning", "-u", &self.url]).args(words);
        let said = output(&mut client)?;
        Ok(said.trim_end().to_owned())
    }

    /// Removes all keys with a prefix.
    pub fn remove(&self, prefix: &str) -> Result<(), Error> {
        // The server is a test's, so it may be held up for as long as that takes.
        let script = "for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('DEL', key) end";
        self.command(&["EVAL", script, "0", prefix]).map(drop)
    }
}
