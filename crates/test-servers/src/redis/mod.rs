//! A private Redis server.

mod cli;
mod programs;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use self::programs::plain;
use crate::PATIENCE;
use crate::chance;
use crate::error::{Error, expect};
use crate::ports::free_port;
use crate::supervised::{Ends, Supervised};
use crate::tls;

pub(crate) use self::cli::Cli;
pub use self::programs::RedisPrograms;

/// Interval between two checks of a server that is starting.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Redis writes what it has and closes connections on TERM.
const ENDS: Ends = Ends { drain: "TERM", quit: "KILL" };

/// Lines of the log of a server that does not start.
const FAILURES: [&str; 4] = ["FATAL CONFIG FILE ERROR", "Fatal error", "Failed listening", "Bad file format"];

/// The file to which the server appends what changes its data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Appending {
    /// There is none: a restart finds nothing.
    Off,
    /// It is flushed once a second.
    EverySecond,
    /// It is flushed before an answer is sent.
    #[default]
    Always,
}

/// Options of a private server.
#[derive(Clone, Debug, Default)]
pub struct RedisOptions {
    /// Its file of changes.
    pub appending: Appending,
    /// Bytes of memory that it may use; without a limit if there is none.
    pub memory_max: Option<u64>,
    /// Its eviction policy; Redis's own default evicts nothing.
    pub eviction: Option<&'static str>,
    /// True if it takes connections with TLS too: see [`Redis::tls_url`].
    pub has_tls: bool,
    /// True if it is a node of a cluster.
    pub is_cluster: bool,
}

/// A Redis server of its own: on free ports of loopback, in a temporary folder.
///
/// It ends with this value, or with the process if that is killed. Calls block until they are done. All of them panic,
/// with what the server said, where the server fails to do it.
pub struct Redis {
    /// It ends first, and its folder goes last.
    running: Option<Supervised>,
    programs: &'static RedisPrograms,
    options: RedisOptions,
    port: u16,
    tls_port: u16,
    password: String,
    folder: TempDir,
}

impl RedisOptions {
    /// Starts such a server.
    #[track_caller]
    pub fn start(self) -> Redis {
        expect(self.try_start())
    }

    /// Starts such a server, or says why there is none.
    pub fn try_start(self) -> Result<Redis, Error> {
        let programs = RedisPrograms::find()?;
        let folder =
            tempfile::Builder::new().prefix("tradepost-").tempdir().map_err(Error::of("a temporary folder"))?;
        let (port, tls_port, password) = (free_port(), free_port(), chance::word());
        let mut server = Redis { running: None, programs, options: self, port, tls_port, password, folder };
        for (name, text) in tls::FILES.into_iter().filter(|_| server.options.has_tls) {
            server.write(name, text)?;
        }
        server.write("redis.conf", &server.configuration())?;
        server.run().map(|()| server)
    }
}

impl Redis {
    /// The user of the URLs, with all rights.
    pub const USER: &str = "tradepost";

    /// Starts a server that keeps what it confirmed.
    #[track_caller]
    pub fn start() -> Self {
        RedisOptions::default().start()
    }

    /// Its URL, for a user with all rights.
    pub fn url(&self) -> String {
        format!("redis://{}:{}@127.0.0.1:{}", Self::USER, self.password, self.port)
    }

    /// The same by TLS, without the authority that a client has to trust. The server must have been started with TLS.
    pub fn tls_url(&self) -> String {
        format!("rediss://{}:{}@127.0.0.1:{}", Self::USER, self.password, self.tls_port)
    }

    /// The user's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The certificate of whoever signed the server's own one.
    pub fn authority(&self) -> PathBuf {
        self.path(tls::AUTHORITY)
    }

    /// The port of loopback on which it listens, now and after each restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its data and log, which exists as long as the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Has the server do a command; the answer, as `redis-cli` prints it where nobody watches.
    #[track_caller]
    pub fn command(&self, words: &[&str]) -> String {
        expect(Cli::new(&self.url()).command(words))
    }

    /// Stops it as an administrator would: connections are closed and everything is written.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.drain();
        }
    }

    /// `kill -9`.
    #[track_caller]
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            expect(running.kill());
        }
    }

    /// Starts it again on the same port and data, after a stop if it runs, and waits until it takes connections.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        expect(self.run());
    }

    /// Removes all its data, as `FLUSHALL` by hand does.
    #[track_caller]
    pub fn flush(&self) {
        self.command(&["FLUSHALL"]);
    }

    /// Lets its memory count as full, or again as it was started: while it is full, it refuses what would take more.
    #[track_caller]
    pub fn set_full(&self, is_full: bool) {
        let memory_max = if is_full { 1 } else { self.options.memory_max.unwrap_or(0) };
        self.command(&["CONFIG", "SET", "maxmemory", &memory_max.to_string()]);
    }

    /// Holds it where it is: connections stay, and nobody is answered.
    #[track_caller]
    pub fn freeze(&self) {
        if let Some(running) = &self.running {
            expect(running.freeze());
        }
    }

    /// Lets it go on.
    #[track_caller]
    pub fn thaw(&self) {
        if let Some(running) = &self.running {
            expect(running.thaw());
        }
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.path("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    fn configuration(&self) -> String {
        let Self { port, tls_port, password, options, folder, .. } = self;
        let (appends, flush) = match options.appending {
            Appending::Off => ("no", "no"),
            Appending::EverySecond => ("yes", "everysec"),
            Appending::Always => ("yes", "always"),
        };
        // No snapshots: only the file of changes says what outlives the process.
        let mut lines = vec![
            format!("bind 127.0.0.1\nport {port}\ndir {}\nsave \"\"", folder.path().display()),
            format!("appendonly {appends}\nappendfsync {flush}"),
            // The file is read again with the rights of the first, who can't connect.
            format!("user default off ~* &* +@all\nuser {} on >{password} ~* &* +@all", Self::USER),
        ];
        lines.extend(options.memory_max.map(|bytes| format!("maxmemory {bytes}")));
        lines.extend(options.eviction.map(|policy| format!("maxmemory-policy {policy}")));
        // Its nodes talk at a second port, by default one that somebody may have.
        lines.extend(options.is_cluster.then(|| format!("cluster-enabled yes\ncluster-port {}", free_port())));
        if options.has_tls {
            let [authority, certificate, key] = tls::FILES.map(|(name, _)| self.path(name).display().to_string());
            lines.push(format!("tls-port {tls_port}\ntls-auth-clients no\ntls-ca-cert-file {authority}"));
            lines.push(format!("tls-cert-file {certificate}\ntls-key-file {key}"));
        }
        lines.join("\n")
    }

    fn run(&mut self) -> Result<(), Error> {
        let before = self.log().len();
        let mut server = self.programs.server();
        server.arg(self.path("redis.conf"));
        let shell = plain(Path::new("sh"));
        let supervised = Supervised::start(shell, self.folder.path(), ENDS, &server)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            let said = log.get(before..).unwrap_or_default();
            if said.contains("Ready to accept connections") {
                self.running = Some(supervised);
                return Ok(());
            }
            if FAILURES.iter().any(|text| said.contains(text)) || Instant::now() > deadline {
                return Err(Error::new(format!("Redis did not start. It says:\n{said}")));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.path(name);
        fs::write(&path, text).map_err(Error::of(&path.display().to_string()))
    }
}
