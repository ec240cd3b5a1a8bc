//! RabbitMQ's programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::error::Error;

/// Folder in which Debian's and Ubuntu's packages install the scripts that run as their caller.
const FOLDER: &str = "/usr/lib/rabbitmq/bin";

/// Folders in which Erlang's own programs are searched, beside the caller's PATH.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The installed RabbitMQ.
#[derive(Clone, Debug)]
pub struct RabbitMqPrograms {
    folder: PathBuf,
}

impl RabbitMqPrograms {
    /// The RabbitMQ that is installed.
    pub fn find() -> Result<&'static Self, Error> {
        static FOUND: OnceLock<RabbitMqPrograms> = OnceLock::new();
        if let Some(found) = FOUND.get() {
            return Ok(found);
        }
        let is_there = |folder: &PathBuf| folder.join("rabbitmq-server").exists();
        let on_path = || {
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path).find(is_there)
        };
        let folder = Some(PathBuf::from(FOLDER)).filter(is_there).or_else(on_path).ok_or_else(|| {
            Error::new(format!(
                "no RabbitMQ server is installed: there is no {FOLDER}/rabbitmq-server, nor one on PATH. \
                 Install it (Debian, Ubuntu: apt-get install rabbitmq-server)"
            ))
        })?;
        Ok(FOUND.get_or_init(|| Self { folder }))
    }

    /// One of RabbitMQ's own programs, with none of the caller's settings and this folder as its home.
    pub(crate) fn command(&self, program: &str, home: &Path) -> Command {
        plain(&self.folder.join(program), home)
    }
}

/// Any program, with none of the caller's settings and this folder as its home, where it finds Erlang's cookie.
pub(crate) fn plain(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8").env("HOME", home);
    command.current_dir("/").stdin(Stdio::null());
    command
}
