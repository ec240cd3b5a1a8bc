//! A private RabbitMQ server.

mod control;
mod programs;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use self::programs::plain;
use crate::PATIENCE;
use crate::chance;
use crate::error::{Error, expect, output};
use crate::memory::memory_or_temp;
use crate::ports::free_port;
use crate::supervised::{Ends, Supervised};
use crate::tls;

pub(crate) use self::control::Control;
pub use self::programs::RabbitMqPrograms;

/// User of the URLs.
const USER: &str = "tradepost";

/// Interval between two checks of a server that is starting.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Erlang stops in order on TERM. It would take its time on QUIT too, and nobody needs the data any more.
const ENDS: Ends = Ends { drain: "TERM", quit: "KILL" };

/// One scheduler and few threads: a test server shares its machine. Erlang's own port is on loopback too.
const ERLANG: &str = "+S 1:1 +SDio 2 +A 2 -kernel inet_dist_use_interface {127,0,0,1}";

/// Makes every quorum queue without a leader elect one; returns their number. After a kill RabbitMQ 3.10 now and then
/// starts one that does not, and then answers nobody about that queue until somebody asks for an election.
const ELECT: &str = "length([catch ra:trigger_election({Name, node()}) || \
     {Name, _} <- ra_directory:list_registered(quorum_queues), ra_leaderboard:lookup_leader(Name) =:= undefined])";

/// An election takes a moment.
const ELECT_EVERY: Duration = Duration::from_millis(100);

/// Above this share of the machine's memory publishers wait, as by RabbitMQ's default.
const MEMORY_WATERMARK: &str = "0.4";

/// Below this free space on disk publishers wait, as by RabbitMQ's default.
const DISK_LIMIT: &str = "50000000";

/// A RabbitMQ server of its own: on free ports of loopback, in a temporary folder, without plugins.
///
/// It ends with this value, or with the process if that is killed. Calls block until they are done; a start takes some
/// seconds. All of them panic, with what the server said, where the server fails to do it.
pub struct RabbitMq {
    /// It ends first, and its folder goes last.
    running: Option<Supervised>,
    /// Erlang's register of names, which would start itself on all interfaces and outlive everybody.
    names: Option<Supervised>,
    programs: &'static RabbitMqPrograms,
    node: String,
    ports: Ports,
    password: String,
    has_tls: bool,
    folder: TempDir,
}

#[derive(Clone, Copy, Default)]
struct Ports {
    amqp: u16,
    amqps: u16,
    control: u16,
    names: u16,
}

impl RabbitMq {
    /// Starts a server that keeps what it confirmed.
    #[track_caller]
    pub fn start() -> Self {
        expect(Self::try_start())
    }

    /// Starts a server that takes connections with TLS too: see [`tls_url`](Self::tls_url).
    #[track_caller]
    pub fn start_with_tls() -> Self {
        expect(Self::try_start_as(true))
    }

    /// Starts a server, or says why there is none.
    pub fn try_start() -> Result<Self, Error> {
        Self::try_start_as(false)
    }

    fn try_start_as(has_tls: bool) -> Result<Self, Error> {
        let programs = RabbitMqPrograms::find()?;
        let folder = tempfile::Builder::new().prefix("tradepost-").tempdir_in(memory_or_temp());
        let folder = folder.map_err(Error::of("a temporary folder"))?;
        let node = format!("test-{}@localhost", chance::word());
        let (ports, password) = (Ports::default(), chance::word());
        let mut server = Self { running: None, names: None, programs, node, ports, password, has_tls, folder };
        server.write(".erlang.cookie", &chance::word(), 0o400)?;
        server.write("enabled_plugins", "[].\n", 0o600)?;
        for (name, text) in tls::FILES.into_iter().filter(|_| has_tls) {
            server.write(name, text, 0o600)?;
        }
        server.run_on_free_ports().map(|()| server)
    }

    /// The URL of its default virtual host, for a user with all rights in it.
    pub fn url(&self) -> String {
        self.url_of("/")
    }

    /// The same by TLS, without the authority that a client has to trust. The server must have been started with TLS.
    pub fn tls_url(&self) -> String {
        let Self { password, ports, .. } = self;
        format!("amqps://{USER}:{password}@127.0.0.1:{}/%2f", ports.amqps)
    }

    /// The certificate of whoever signed the server's own one.
    pub fn authority(&self) -> PathBuf {
        self.path(tls::AUTHORITY)
    }

    /// Makes an empty virtual host with a name that no other has; answers with its URL.
    #[track_caller]
    pub fn create_vhost(&self) -> String {
        self.url_of(&expect(self.control().create_vhost()))
    }

    /// The port of loopback on which it listens, now and after each restart.
    pub fn port(&self) -> u16 {
        self.ports.amqp
    }

    /// Data by which a run of tests shares this server, as the value of
    /// [`RABBITMQ_VARIABLE`](crate::RABBITMQ_VARIABLE).
    pub fn shared(&self) -> String {
        let Control { port, home } = self.control();
        format!("{}?control={port}&home={}", self.url(), home.display())
    }

    /// The value of an Erlang expression in the server.
    #[track_caller]
    pub fn eval(&self, expression: &str) -> String {
        expect(self.control().eval(expression))
    }

    /// Runs `rabbitmqctl` and answers with what it printed. It takes seconds: [`eval`](Self::eval) does not.
    #[track_caller]
    pub fn ctl(&self, arguments: &[&str]) -> String {
        let mut ctl = self.programs.command("rabbitmqctl", self.folder.path());
        ctl.envs(self.environment()).args(["--node", &self.node]).args(arguments);
        expect(output(&mut ctl))
    }

    /// True while its memory alarm is set: then publishers wait.
    #[track_caller]
    pub fn set_memory_alarm(&self, is_on: bool) {
        let watermark = if is_on { "{absolute, 1000}" } else { MEMORY_WATERMARK };
        self.eval(&format!("vm_memory_monitor:set_vm_memory_high_watermark({watermark})"));
    }

    /// True while its disk alarm is set: then publishers wait.
    #[track_caller]
    pub fn set_disk_alarm(&self, is_on: bool) {
        let limit = if is_on { "1000000000000000" } else { DISK_LIMIT };
        self.eval(&format!("rabbit_disk_monitor:set_disk_free_limit({limit})"));
    }

    /// Stops it as an administrator would: connections are closed and everything is written.
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

    /// `kill -9`, and a disk in the place of its own on which nothing is. It takes connections again, by the same URLs,
    /// where it has a virtual host of the name.
    #[track_caller]
    pub fn lose_everything(&mut self, vhost: &str) {
        self.kill();
        expect(fs::remove_dir_all(self.path("data")).map_err(Error::of("the data of RabbitMQ")));
        expect(self.run());
        expect(self.control().make_vhost(vhost));
    }

    /// Starts it again on the same ports and data, after a stop if it runs, and waits until it takes connections.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        expect(self.run());
        let deadline = Instant::now() + PATIENCE;
        while self.eval(ELECT) != "0" && Instant::now() < deadline {
            std::thread::sleep(ELECT_EVERY);
        }
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

    /// The folder of its data and log, which exists as long as the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    fn url_of(&self, vhost: &str) -> String {
        let Self { password, ports, .. } = self;
        format!("amqp://{USER}:{password}@127.0.0.1:{}/{}", ports.amqp, vhost.replace('/', "%2f"))
    }

    fn control(&self) -> Control {
        Control { port: self.ports.control, home: self.folder.path().to_owned() }
    }

    fn run_on_free_ports(&mut self) -> Result<(), Error> {
        self.names = None;
        let [amqp, amqps, control, names] = [(); 4].map(|()| free_port());
        self.ports = Ports { amqp, amqps, control, names };
        self.write("rabbitmq.conf", &self.configuration(), 0o600)?;
        let mut names = Command::new("epmd");
        names.args(["-address", "127.0.0.1", "-port", &self.ports.names.to_string()]);
        self.names = Some(Supervised::start(self.shell(), self.folder.path(), ENDS, &names)?);
        self.run()
    }

    fn configuration(&self) -> String {
        let plain = format!(
            "listeners.tcp.1 = 127.0.0.1:{}\ndefault_user = {USER}\ndefault_pass = {}\nloopback_users = none\n\
             log.file = false\nlog.console = true\nlog.console.level = info\n",
            self.ports.amqp, self.password
        );
        if !self.has_tls {
            return plain;
        }
        let [authority, certificate, key] = tls::FILES.map(|(name, _)| self.path(name).display().to_string());
        format!(
            "{plain}listeners.ssl.1 = 127.0.0.1:{}\nssl_options.cacertfile = {authority}\n\
             ssl_options.certfile = {certificate}\nssl_options.keyfile = {key}\n",
            self.ports.amqps
        )
    }

    fn run(&mut self) -> Result<(), Error> {
        let before = self.log().len();
        let server = self.programs.command("rabbitmq-server", self.folder.path());
        let supervised = Supervised::start(self.shell(), self.folder.path(), ENDS, &server)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            let said = log.get(before..).unwrap_or_default();
            if said.contains("Server startup complete") {
                self.running = Some(supervised);
                return Ok(());
            }
            let has_failed = ["BOOT FAILED", "Crash dump", "init terminating", "ERROR: "];
            if has_failed.iter().any(|text| said.contains(text)) || Instant::now() > deadline {
                return Err(Error::new(format!("RabbitMQ did not start. It says:\n{said}")));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// A shell with the server's environment: most settings can only be given there.
    fn shell(&self) -> Command {
        let mut shell = plain(Path::new("sh"), self.folder.path());
        shell.envs(self.environment());
        shell
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let path = |name: &str| self.path(name).display().to_string();
        vec![
            ("RABBITMQ_NODENAME", self.node.clone()),
            ("RABBITMQ_DIST_PORT", self.ports.control.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("ERL_EPMD_PORT", self.ports.names.to_string()),
            ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", path("advanced.config")),
            ("RABBITMQ_GENERATED_CONFIG_DIR", path("generated")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
            ("RABBITMQ_MNESIA_BASE", path("data")),
            ("RABBITMQ_LOG_BASE", path("logs")),
            ("RABBITMQ_LOGS", "-".to_owned()),
            // The settings of the machine's own server.
            ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG.to_owned()),
            ("ERL_CRASH_DUMP_SECONDS", "0".to_owned()),
            // Then the script becomes the server instead of waiting for it.
            ("RUNNING_UNDER_SYSTEMD", "true".to_owned()),
        ]
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that only its owner may open, as Erlang demands of its cookie.
    fn write(&self, name: &str, text: &str, mode: u32) -> Result<(), Error> {
        let path = self.path(name);
        let written =
            fs::write(&path, text).and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)));
        written.map_err(Error::of(&path.display().to_string()))
    }
}
