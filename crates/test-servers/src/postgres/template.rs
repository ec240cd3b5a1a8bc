//! A data folder that is made once and copied for each server: `initdb` takes a second, a copy a tenth of one.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::USER;
use super::programs::Programs;
use crate::chance;
use crate::error::{Error, feed, output};
use crate::memory::memory_or_temp;

/// The shape of the folder: another shape needs another name, for older ones may still lie around.
const FORMAT: u32 = 1;

/// A data folder, and the password of its user.
pub(super) struct Template {
    folder: PathBuf,
}

impl Template {
    /// The one that an earlier run made, or a new one.
    pub fn find_or_make(programs: &Programs) -> Result<Self, Error> {
        let version = output(programs.command("postgres").arg("--version"))?;
        let version = version.split_whitespace().nth(2).unwrap_or("unknown").to_owned();
        let user = programs.user();
        let folder = std::env::temp_dir().join(format!("tradepost-postgres-{version}-{user}-{FORMAT}"));
        match fs::metadata(&folder) {
            Ok(found) if found.uid() == user => Ok(Self { folder }),
            Ok(_) => Err(Error::new(format!("{} belongs to somebody else: remove it", folder.display()))),
            Err(_) => Self::make(programs, folder),
        }
    }

    fn make(programs: &Programs, folder: PathBuf) -> Result<Self, Error> {
        let made = private_folder(programs)?;
        let data = made.path().join("data");
        let mut initdb = programs.command("initdb");
        // Without a sync: who copies the folder syncs nothing either, and a crash of the machine ends all tests.
        // Without a password for the superuser: by the lines below nobody can come as such by TCP.
        initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=trust", "--username=postgres"]);
        output(initdb.arg("--pgdata").arg(&data))?;

        let password = chance::word();
        let mut single = programs.command("postgres");
        single.args(["--single", "-D"]).arg(&data).arg("postgres");
        // No superuser: what the shop may do must be enough for it.
        feed(single, &format!("create role {USER} login createdb password '{password}'\n"))?;
        // The socket lies in a folder that is closed to others; all who come by TCP show a password.
        let access = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        write(&data.join("pg_hba.conf"), access)?;
        write(&made.path().join("password"), &password)?;
        match fs::rename(made.path(), &folder) {
            Ok(()) => drop(made.keep()),
            // Somebody else was faster, and theirs is as good.
            Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {}
            Err(error) => return Err(Error::of("the template of data folders")(error)),
        }
        Ok(Self { folder })
    }

    pub fn password(&self) -> Result<String, Error> {
        fs::read_to_string(self.folder.join("password")).map_err(Error::of("the template's password"))
    }

    pub fn copy(&self, programs: &Programs, to: &Path) -> Result<(), Error> {
        let mut copy = programs.run(Path::new("cp"));
        copy.arg("-R").arg("-p").arg(self.folder.join("data")).arg(to);
        output(&mut copy).map(drop)
    }
}

/// A temporary folder that the programs own and nobody else looks into.
pub(super) fn private_folder(programs: &Programs) -> Result<TempDir, Error> {
    private_folder_in(programs, &std::env::temp_dir())
}

/// The same in memory where the machine has room for it, else on the disk of temporary files.
///
/// A database is hundreds of small files: to make and delete one for each test takes the disk longer than the test.
pub(super) fn private_folder_in_memory(programs: &Programs) -> Result<TempDir, Error> {
    private_folder_in(programs, &memory_or_temp())
}

fn private_folder_in(programs: &Programs, parent: &Path) -> Result<TempDir, Error> {
    let folder = tempfile::Builder::new().prefix("tradepost-").tempdir_in(parent);
    let folder = folder.map_err(Error::of("a temporary folder"))?;
    if let Some((user, group)) = programs.owner() {
        std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).map_err(Error::of("a temporary folder"))?;
    }
    Ok(folder)
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::of(&path.display().to_string()))
}
