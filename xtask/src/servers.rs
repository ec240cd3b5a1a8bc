//! The programs that the tests need: what is installed, or what can be installed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use test_servers::packages::Packages;
use test_servers::{
    Options, POSTGRES_VARIABLE, Postgres, Programs, RABBITMQ_VARIABLE, REDIS_VARIABLE, RabbitMq, RabbitMqPrograms,
    Redis, RedisOptions, RedisPrograms, memory_or_temp,
};

use crate::step;

/// The packages that `server/tests/clients` runs, with their versions.
pub(crate) const CLIENT_MANIFESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/tests/clients/tools");

/// The folder in which they are kept; the test looks for them there.
pub(crate) const CLIENT_CACHE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/client-tools");

/// One server of each kind, for all tests that only want a database, a virtual host or a prefix of keys of their own on
/// it. They end with this value.
pub(crate) struct SharedServers {
    postgres: Postgres,
    rabbitmq: RabbitMq,
    redis: Redis,
    /// The folder of everything that tests write.
    temporary: TempDir,
}

impl SharedServers {
    pub fn start() -> Result<Self> {
        Ok(Self {
            temporary: temporary()?,
            postgres: Options::shared().start()?,
            rabbitmq: RabbitMq::try_start()?,
            redis: RedisOptions::default().try_start()?,
        })
    }

    /// The tests, which find the servers by their environment.
    pub fn used_by(&self, mut tests: Command) -> Command {
        tests.env(POSTGRES_VARIABLE, self.postgres.url("postgres"));
        tests.env("TMPDIR", self.temporary.path());
        tests.env(RABBITMQ_VARIABLE, self.rabbitmq.shared()).env(REDIS_VARIABLE, self.redis.url());
        tests
    }
}

/// A folder as `/tmp` is: a server that runs as another user removes its own.
fn temporary() -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("tradepost-tests-").tempdir_in(memory_or_temp())?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o1777))?;
    Ok(folder)
}

/// Makes sure that there are the programs of PostgreSQL, RabbitMQ and Redis, a browser, and the tool that tries the alert rules: nothing
/// is tested in part because something is missing. The packages have the names that Debian and Ubuntu give them.
pub(crate) fn find_or_install() -> Result<()> {
    if Programs::find().is_err() {
        install("PostgreSQL", "postgresql")?;
    }
    Programs::find()?;
    if RabbitMqPrograms::find().is_err() {
        install("RabbitMQ", "rabbitmq-server")?;
    }
    RabbitMqPrograms::find()?;
    if RedisPrograms::find().is_err() {
        install("Redis", "redis-server")?;
    }
    RedisPrograms::find()?;
    if !promtool_is_there() {
        install("promtool", "prometheus")?;
    }
    ensure!(promtool_is_there(), "promtool is not on PATH, though the package prometheus is installed");
    if !has_browser() {
        install("Chromium", "chromium")?;
    }
    ensure!(has_browser(), "chromium is not on PATH, though its package is installed");
    client_tools()
}

/// The tools that make clients from the API's description.
fn client_tools() -> Result<()> {
    for needed in Packages::missing_programs() {
        install(needed.name, needed.package)?;
    }
    let missing = Packages::missing_programs().next();
    ensure!(missing.is_none(), "{missing:?} does not run, though its package is installed");
    Packages::find_or_install(Path::new(CLIENT_MANIFESTS), Path::new(CLIENT_CACHE))
        .context("the tools that make clients from the API's description can't be installed")?;
    Ok(())
}

fn has_browser() -> bool {
    let asked = Command::new("chromium").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn promtool_is_there() -> bool {
    let asked = Command::new("promtool").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn install(needed: &str, package: &str) -> Result<()> {
    eprintln!("    the tests need {needed}, which is not installed: apt-get is asked for it");
    // Where the lists of packages are old or were never fetched, the first try fails and the second does not.
    let remedy = format!("if it lacks the right, run `sudo apt-get install {package}`");
    let installed = step::run("install", apt_get(&["install", "-y", package]), &remedy).or_else(|_| {
        step::run("package lists", apt_get(&["update"]), &remedy)?;
        step::run("install", apt_get(&["install", "-y", package]), &remedy)
    });
    installed.with_context(|| {
        format!("the tests need {needed}, and it can't be installed here: install the package {package} yourself")
    })
}

/// As root, or by a sudo that asks for nothing.
fn apt_get(arguments: &[&str]) -> Command {
    let sets = "DEBIAN_FRONTEND=noninteractive";
    let mut command = if is_root() {
        let mut env = Command::new("env");
        env.arg(sets);
        env
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "env", sets]);
        sudo
    };
    command.arg("apt-get").args(arguments).stdin(Stdio::null());
    command
}

fn is_root() -> bool {
    let printed = Command::new("id").arg("-u").output();
    printed.is_ok_and(|printed| printed.stdout.trim_ascii() == b"0")
}
