//! The binary as a child process: started, killed, asked to stop.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use test_servers::PATIENCE;
use tokio::sync::watch;

use crate::client::{ADMIN_TOKEN, Client};
use crate::extent::short_or_long;

/// Shards by default.
pub const SHARDS_DEFAULT: usize = 8;

/// Shards of a shop on RabbitMQ, in a short run and a long one. Each consumer has a queue for each shard and bindings for
/// each type: with as many as by default, it is the broker that a start waits for.
const SHARDS: (usize, usize) = (2, SHARDS_DEFAULT);

/// The variable that sets it.
pub const SHARDS_VARIABLE: &str = "TRADEPOST_SHARDS";

/// Shards of a shop on RabbitMQ.
pub fn shards() -> usize {
    short_or_long(SHARDS.0, SHARDS.1)
}

/// A child process, which never outlives the test.
pub struct Process {
    child: Child,
    stderr: watch::Receiver<Vec<String>>,
}

/// A process that ended by itself.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stderr: String,
}

impl Process {
    /// Starts `tradepost up` on a free port. Returns at once.
    pub fn spawn(data: &Path) -> Self {
        Self::spawn_with(data, &["--port", "0"])
    }

    pub fn spawn_with<A: AsRef<OsStr>>(data: &Path, arguments: &[A]) -> Self {
        Self::spawn_on(data, None, arguments)
    }

    /// The same, with the services' stores in a database where there is one.
    pub fn spawn_on<A: AsRef<OsStr>>(data: &Path, store: Option<&str>, arguments: &[A]) -> Self {
        let mut command = tradepost();
        command.arg("up").arg("--data").arg(data).args(arguments);
        if let Some(url) = store {
            command.env("TRADEPOST_STORE", url);
        }
        if arguments.iter().any(|argument| argument.as_ref() == "--broker") {
            command.env(SHARDS_VARIABLE, shards().to_string());
        }
        Self::of(command)
    }

    /// Starts `tradepost serve` with some services. Returns at once.
    pub fn serve(services: &[&str], port: u16, store: &str, broker: &str, settings: &[(String, String)]) -> Self {
        let mut command = tradepost();
        command.arg("serve").args(services).args(["--port", &port.to_string()]);
        command.env(SHARDS_VARIABLE, shards().to_string());
        command.env("TRADEPOST_STORE", store).env("TRADEPOST_BROKER", broker).envs(settings.iter().cloned());
        Self::of(command)
    }

    /// Starts `tradepost migrate`. Returns at once.
    pub fn migrate(store: &str, broker: &str) -> Self {
        Self::migrate_with(store, broker, &[])
    }

    /// The same with settings of the test's own.
    pub fn migrate_with(store: &str, broker: &str, settings: &[(String, String)]) -> Self {
        let mut command = tradepost();
        command.arg("migrate").env("TRADEPOST_STORE", store).env("TRADEPOST_BROKER", broker);
        command.env(SHARDS_VARIABLE, shards().to_string()).envs(settings.iter().cloned());
        Self::of(command)
    }

    /// Starts `tradepost doctor`, which prints its findings on stderr here. Returns at once.
    pub fn doctor(store: &str, broker: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" doctor >&2", env!("CARGO_BIN_EXE_tradepost")]).env_clear();
        command.env("TRADEPOST_STORE", store).env("TRADEPOST_BROKER", broker);
        command.env(SHARDS_VARIABLE, shards().to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Self::of(command)
    }

    /// Starts `tradepost health`, which asks whatever listens on a port of this machine. Returns at once.
    pub fn health(port: &str) -> Self {
        let mut command = tradepost();
        command.arg("health").env("TRADEPOST_PORT", port);
        Self::of(command)
    }

    /// Runs a command that asks a server, which must succeed; answers with what it printed.
    pub async fn command(url: &str, arguments: &[&str]) -> String {
        let mut command = tradepost();
        command.args(arguments).env("TRADEPOST_URL", url).stdout(Stdio::piped());
        let ran = tokio::task::spawn_blocking(move || command.output()).await.expect("a command does not panic here");
        let ran = ran.expect("the binary that was built with this test can be started");
        assert!(ran.status.success(), "it failed: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }

    fn of(command: Command) -> Self {
        Self::of_until(command, |_| false)
    }

    /// Reads what it says up to a line, and closes the pipe.
    fn of_until(mut command: Command, is_last: impl Fn(&str) -> bool + Send + 'static) -> Self {
        let mut child = command.spawn().expect("the binary that was built with this test can be started");
        let pipe = child.stderr.take().expect("stderr is piped");
        let (lines, stderr) = watch::channel(Vec::new());
        // Reading never stops, for a full pipe would stop the child. The thread ends with the child's stderr.
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let is_last = is_last(&line);
                lines.send_modify(|lines| lines.push(line));
                if is_last {
                    break;
                }
            }
        });
        Self { child, stderr }
    }

    /// Starts it and waits until it serves.
    pub async fn start(data: &Path) -> (Self, Client) {
        Self::start_on(data, None).await
    }

    /// The same, with nobody left to read what it says once it serves.
    pub async fn start_without_output(data: &Path) -> (Self, Client) {
        let mut command = tradepost();
        command.arg("up").arg("--data").arg(data).args(["--port", "0"]).env("TRADEPOST_LOG", "debug");
        let mut process = Self::of_until(command, |line| line.starts_with("ready "));
        let client = process.ready().await.unwrap_or_else(|ended| panic!("the process did not start: {ended:?}"));
        (process, client)
    }

    /// The same, with the services' stores in a database where there is one.
    pub async fn start_on(data: &Path, store: Option<&str>) -> (Self, Client) {
        let mut process = Self::spawn_on(data, store, &["--port", "0"]);
        let client = process.ready().await.unwrap_or_else(|ended| panic!("the process did not start: {ended:?}"));
        (process, client)
    }

    /// A client of the process once it serves, or how it ended instead.
    pub async fn ready(&mut self) -> Result<Client, Ended> {
        let said = self.stderr.wait_for(|lines| url(lines).is_some());
        let said = tokio::time::timeout(PATIENCE, said).await.expect("a process soon serves or ends");
        let client = said.ok().and_then(|lines| url(&lines).map(Client::new));
        match client {
            Some(client) => Ok(client),
            None => Err(self.ended().await),
        }
    }

    /// Waits until it says this.
    pub async fn says(&mut self, text: &str) {
        let said = self.stderr.wait_for(|lines| lines.iter().any(|line| line.contains(text)));
        let said = tokio::time::timeout(PATIENCE, said).await;
        assert!(said.is_ok_and(|said| said.is_ok()), "it never said {text:?}");
    }

    /// Waits until it says this, or serves.
    pub async fn says_or_serves(&mut self, text: &str) {
        let said = |lines: &Vec<String>| url(lines).is_some() || lines.iter().any(|line| line.contains(text));
        let said = tokio::time::timeout(PATIENCE, self.stderr.wait_for(said)).await;
        assert!(said.is_ok_and(|said| said.is_ok()), "it neither said {text:?} nor served");
    }

    /// `kill -9`.
    pub async fn kill(&mut self) {
        self.child.kill().expect("a child that nobody waited for can be killed");
        self.ended().await;
    }

    /// `SIGTERM`.
    pub fn ask_to_stop(&self) {
        self.signal("TERM");
    }

    /// Any signal, by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        let mut kill = Command::new("sh");
        kill.args(["-c", "kill -\"$1\" \"$0\"", &self.child.id().to_string(), name]);
        assert!(kill.status().expect("there is a shell").success(), "the process takes no SIG{name}");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> Ended {
        let closed = async { while self.stderr.changed().await.is_ok() {} };
        let closed = tokio::time::timeout(PATIENCE, closed).await;
        assert!(closed.is_ok(), "the process did not end within {PATIENCE:?}");
        let status = self.child.wait().expect("a child can be waited for");
        Ended { status, stderr: self.stderr.borrow().join("\n") }
    }

    /// The last that it said.
    pub fn said(&self) -> String {
        let lines = self.stderr.borrow();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Its message when it panicked.
    pub fn panics(&self) -> Vec<String> {
        self.stderr.borrow().iter().filter(|line| line.contains("panicked")).cloned().collect()
    }

    /// Its log lines of errors, panics included.
    pub fn errors(&self) -> Vec<String> {
        let lines = self.stderr.borrow();
        let is_error = |line: &&String| line.contains("\"level\":\"ERROR\"") || line.contains("panicked");
        lines.iter().filter(is_error).cloned().collect()
    }
}

/// The binary, in surroundings that are the test's.
fn tradepost() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tradepost"));
    command
        // A developer's own TRADEPOST_ variables are none of the test's business.
        .env_clear()
        .env("TRADEPOST_ADMIN_TOKEN", ADMIN_TOKEN)
        .env("TRADEPOST_LOG", "warn")
        // Beyond the longest run: orders without a token wait for one until the end.
        .env("TRADEPOST_RESERVATION_TTL", "24h")
        // The receiver of webhooks is this test.
        .env("TRADEPOST_WEBHOOKS_ALLOW_LOOPBACK", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// The address at which it serves, once it does.
fn url(lines: &[String]) -> Option<&str> {
    lines.iter().find_map(|line| line.strip_prefix("ready "))
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
