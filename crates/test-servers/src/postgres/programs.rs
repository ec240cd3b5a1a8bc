//! PostgreSQL's programs, and the user that may run them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::error::{Error, output};

/// Folder in which Debian's and Ubuntu's packages install each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The user that stands in for root, as whom PostgreSQL refuses to run.
const STAND_IN: &str = "postgres";

/// The installed PostgreSQL.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
    /// The user as whom they run.
    user: u32,
    /// User and group to change to; `None` where whoever runs this will do.
    run_as: Option<(u32, u32)>,
}

impl Programs {
    /// The newest PostgreSQL that is installed.
    pub fn find() -> Result<&'static Self, Error> {
        static FOUND: OnceLock<Programs> = OnceLock::new();
        if let Some(found) = FOUND.get() {
            return Ok(found);
        }
        let folder = installed().ok_or_else(|| {
            Error::new(format!(
                "no PostgreSQL server is installed: there is no {VERSIONS}/*/bin/postgres, nor a `postgres` on PATH. \
                 Install it (Debian, Ubuntu: apt-get install postgresql)"
            ))
        })?;
        let user = id(&["-u"])?;
        let run_as = if user == 0 { Some((id(&["-u", STAND_IN])?, id(&["-g", STAND_IN])?)) } else { None };
        let user = run_as.map_or(user, |(user, _)| user);
        Ok(FOUND.get_or_init(|| Self { folder, user, run_as }))
    }

    /// The folder of its programs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// One of PostgreSQL's own programs, as a user it accepts and with none of the caller's settings.
    pub fn command(&self, program: &str) -> Command {
        self.run(&self.folder.join(program))
    }

    /// Any program as that user.
    pub(super) fn run(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").stdin(Stdio::null());
        // The caller's folder may be closed to that user.
        command.current_dir("/");
        if let Some((user, group)) = self.run_as {
            use std::os::unix::process::CommandExt;
            command.uid(user).gid(group);
        }
        command
    }

    pub(super) fn user(&self) -> u32 {
        self.user
    }

    /// Owner of the files that the programs write, if it is another user than the current one.
    pub(super) fn owner(&self) -> Option<(u32, u32)> {
        self.run_as
    }
}

fn installed() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let folder = entry.path().join("bin");
            folder.join("postgres").exists().then_some((version, folder))
        })
        .max();
    newest.map(|(_, folder)| folder).or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| folder.join("postgres").exists())
    })
}

fn id(arguments: &[&str]) -> Result<u32, Error> {
    let printed = output(Command::new("id").args(arguments))?;
    printed.trim().parse().map_err(|_| Error::new(format!("`id {}` printed {printed:?}", arguments.join(" "))))
}
