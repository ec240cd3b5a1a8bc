//! A private PostgreSQL server.

mod programs;
mod template;

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use self::template::{Template, private_folder, private_folder_in_memory};
use crate::PATIENCE;
use crate::chance;
use crate::error::{Error, expect, output};
use crate::ports::free_port;
use crate::supervised::{Ends, Supervised};
use crate::tls;

pub use self::programs::Programs;

/// User of the URLs: may create databases, and is not a superuser.
const USER: &str = "tradepost";

/// "Fast" and "immediate" shutdown, as PostgreSQL calls them.
const ENDS: Ends = Ends { drain: "INT", quit: "QUIT" };

/// Interval between two checks of a server that is starting.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A PostgreSQL server of its own: on a free port of loopback, in a temporary folder.
///
/// It ends with this value, or with the process if that is killed. Calls block until they are done, for a fraction of a
/// second as a rule. All of them panic, with what the server said, where the server fails to do it.
pub struct Postgres {
    /// It ends first, and its folder goes last.
    running: Option<Supervised>,
    programs: &'static Programs,
    options: Options,
    port: u16,
    password: String,
    folder: TempDir,
}

/// Options for starting a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections at the most, three of which are for superusers. PostgreSQL's default is 100.
    pub max_connections: u32,
    /// Makes a commit that was answered survive a crash of the machine. Without it tests are faster, for the data may be
    /// in memory too, and commits still survive a crash of the server.
    pub fsync: bool,
    /// Accepts TLS connections beside plain ones, with a certificate of [`Postgres::authority`].
    pub tls: bool,
    /// More settings, as in postgresql.conf.
    pub settings: Vec<(&'static str, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_connections: 100, fsync: true, tls: false, settings: Vec::new() }
    }
}

impl Options {
    /// Starts a server so.
    pub fn start(self) -> Result<Postgres, Error> {
        let programs = Programs::find()?;
        let template = Template::find_or_make(programs)?;
        let folder = if self.fsync { private_folder(programs)? } else { private_folder_in_memory(programs)? };
        template.copy(programs, &folder.path().join("data"))?;
        let password = template.password()?;
        let mut server = Postgres { running: None, programs, options: self, port: free_port(), password, folder };
        server.run().map(|()| server)
    }
}

impl Postgres {
    /// Starts a server that keeps what it answered, with 100 connections at the most.
    #[track_caller]
    pub fn start() -> Self {
        expect(Options::default().start())
    }

    /// The URL of one of its databases, for a user who owns what [`create_database`](Self::create_database) makes and
    /// is no superuser.
    pub fn url(&self, database: &str) -> String {
        let Self { password, port, .. } = self;
        format!("postgres://{USER}:{password}@127.0.0.1:{port}/{database}")
    }

    /// The port of loopback on which it listens, now and after each restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes an empty database with a name that no other has; answers with its URL.
    pub fn create_database(&self) -> String {
        let name = format!("test_{}", chance::word());
        self.execute("postgres", &format!("create database {name} owner {USER}"));
        self.url(&name)
    }

    /// Runs SQL as a superuser; returns the rows, their columns separated by `|`.
    #[track_caller]
    pub fn execute(&self, database: &str, sql: &str) -> String {
        let mut psql = self.programs.command("psql");
        psql.args(PSQL).arg("--host").arg(self.folder.path()).args(["--port", &self.port.to_string()]);
        psql.args(["--username", "postgres", "--dbname", database, "--command", sql]);
        expect(output(&mut psql)).trim_end().to_owned()
    }

    /// Ends every client's connection, idle or not; answers with how many there were.
    pub fn terminate_connections(&self) -> usize {
        let ended = self.execute(
            "postgres",
            "select count(pg_terminate_backend(pid)) from pg_stat_activity \
             where backend_type = 'client backend' and pid <> pg_backend_pid()",
        );
        ended.parse().expect("a count is a number")
    }

    /// Stops it as an administrator would: open transactions are rolled back, connections closed.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.drain();
        }
    }

    /// `kill -9` of all its processes at once.
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

    /// The folder of its data, socket and log, which exists as long as the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate of whoever signed the server's own one: what `sslrootcert` wants. The server must have TLS.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join(tls::AUTHORITY)
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn run(&mut self) -> Result<(), Error> {
        let before = self.log().len();
        let shell = self.programs.run(Path::new("sh"));
        let supervised = Supervised::start(shell, self.folder.path(), ENDS, &self.command()?)?;
        let id = supervised.id();
        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready(id) {
            let log = self.log();
            let said = log.get(before..).unwrap_or_default();
            if said.contains("FATAL:  could not") || said.contains("FATAL:  data") || Instant::now() > deadline {
                return Err(Error::new(format!("PostgreSQL did not start. It says:\n{said}")));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        self.running = Some(supervised);
        Ok(())
    }

    fn command(&self) -> Result<Command, Error> {
        let Options { max_connections, fsync, tls, settings } = &self.options;
        let mut command = self.programs.command("postgres");
        let mut set = |name: &str, value: &dyn Display| {
            command.args(["-c", &format!("{name}={value}")]);
        };
        set("data_directory", &self.data().display());
        set("port", &self.port);
        set("listen_addresses", &"127.0.0.1");
        set("unix_socket_directories", &self.folder.path().display());
        set("max_connections", max_connections);
        if !fsync {
            for name in ["fsync", "synchronous_commit", "full_page_writes"] {
                set(name, &"off");
            }
        }
        if *tls {
            let (certificate, key) = self.write_certificate()?;
            set("ssl", &"on");
            set("ssl_cert_file", &certificate.display());
            set("ssl_key_file", &key.display());
        }
        for (name, value) in settings {
            set(name, value);
        }
        command.arg("-D").arg(self.data());
        Ok(command)
    }

    /// Reads the file in which PostgreSQL itself states it; one that a killed server left names another process.
    fn is_ready(&self, id: u32) -> bool {
        let says = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let lines: Vec<&str> = says.lines().map(str::trim).collect();
        lines.first() == Some(&id.to_string().as_str()) && lines.get(7) == Some(&"ready")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn write_certificate(&self) -> Result<(PathBuf, PathBuf), Error> {
        for (name, text) in tls::FILES {
            self.write(&self.folder.path().join(name), text)?;
        }
        Ok((self.folder.path().join(tls::CERTIFICATE), self.folder.path().join(tls::KEY)))
    }

    /// A file that only the server may read, as it demands of its key.
    fn write(&self, path: &Path, text: &str) -> Result<(), Error> {
        use std::os::unix::fs::{PermissionsExt, chown};
        let mode = fs::Permissions::from_mode(0o600);
        let (user, group) = self.programs.owner().unzip();
        let written = fs::write(path, text)
            .and_then(|()| fs::set_permissions(path, mode))
            .and_then(|()| chown(path, user, group));
        written.map_err(Error::of(&path.display().to_string()))
    }
}

/// No settings of whoever runs it, no prompts, plain rows, and the first error ends it.
pub(crate) const PSQL: [&str; 7] =
    ["--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"];
