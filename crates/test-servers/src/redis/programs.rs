//! Redis's programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::error::Error;

/// Folders in which programs are searched, beside the caller's PATH.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The installed Redis.
#[derive(Clone, Debug)]
pub struct RedisPrograms {
    folder: PathBuf,
}

impl RedisPrograms {
    /// The Redis that is installed.
    pub fn find() -> Result<&'static Self, Error> {
        static FOUND: OnceLock<RedisPrograms> = OnceLock::new();
        if let Some(found) = FOUND.get() {
            return Ok(found);
        }
        let is_there = |folder: &PathBuf| folder.join("redis-server").exists() && folder.join("redis-cli").exists();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(PATH).chain(std::env::split_paths(&path)).find(is_there);
        let folder = folders.ok_or_else(|| {
            Error::new(
                "no Redis server is installed: there are no redis-server and redis-cli on PATH. \
                 Install them (Debian, Ubuntu: apt-get install redis-server)"
                    .to_owned(),
            )
        })?;
        Ok(FOUND.get_or_init(|| Self { folder }))
    }

    /// The server, with none of the caller's settings.
    pub(crate) fn server(&self) -> Command {
        plain(&self.folder.join("redis-server"))
    }

    /// The client, with none of the caller's settings.
    pub(crate) fn client(&self) -> Command {
        plain(&self.folder.join("redis-cli"))
    }
}

/// Any program, with none of the caller's settings.
pub(crate) fn plain(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8");
    command.current_dir("/").stdin(Stdio::null());
    command
}
