//! Building a store anew beside the one that is there, and replacing that one when the new one is complete.
//!
//! A rebuild that ends before its replacement changes nothing; its place is cleared by the next one.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::{Error, Location};

/// The folder in which files are built, inside of the folder of the stores.
const FOLDER: &str = "rebuild";

/// A place beside a service's store. No process may use that store meanwhile.
#[derive(Debug)]
pub struct Rebuild {
    service: &'static str,
    location: Location,
}

impl Rebuild {
    /// Clears the place.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`] on PostgreSQL while a process serves the service's schema. Of files, the process has the
    /// folder for itself.
    pub async fn begin(location: &Location, service: &'static str) -> Result<Self, Error> {
        let location = location.of(service)?;
        match &location {
            Location::Folder(stores) => clear(stores).map_err(|error| unavailable(stores, &error))?,
            Location::Postgres(server) => server.begin_rebuild(service).await?,
        }
        Ok(Self { service, location })
    }

    /// The location at which the new store is to be opened.
    pub fn location(&self) -> Location {
        match &self.location {
            Location::Folder(stores) => Location::Folder(stores.join(FOLDER)),
            Location::Postgres(server) => Location::Postgres(server.beside()),
        }
    }

    /// Replaces the service's store by the new one, all of it or nothing. The new one must be closed.
    pub async fn replace(self) -> Result<(), Error> {
        match &self.location {
            Location::Folder(stores) => {
                let file = format!("{}.db", self.service);
                let replaced = replace(&stores.join(FOLDER).join(&file), &stores.join(&file));
                replaced.and_then(|()| remove_folder(stores)).map_err(|error| unavailable(stores, &error))
            }
            Location::Postgres(server) => server.end_rebuild(self.service).await,
        }
    }
}

/// Makes the folder anew, empty.
fn clear(stores: &Path) -> io::Result<()> {
    remove_folder(stores)?;
    DirBuilder::new().mode(0o700).create(stores.join(FOLDER))
}

fn remove_folder(stores: &Path) -> io::Result<()> {
    match fs::remove_dir_all(stores.join(FOLDER)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Puts a file in the place of another. The other is moved aside first: its log must not be found beside the new file,
/// and a start between any two steps finds the old store, none, or the new one, and refuses where there is none.
fn replace(new: &Path, at: &Path) -> io::Result<()> {
    if beside(new, "-wal").metadata().is_ok_and(|log| log.len() > 0) {
        return Err(io::Error::other(format!("{} was not closed", new.display())));
    }
    let old = beside(new, ".old");
    rename_if_there(at, &old)?;
    for log in ["-wal", "-shm"] {
        rename_if_there(&beside(at, log), &beside(&old, log))?;
    }
    fs::rename(new, at)?;
    File::open(at.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn unavailable(stores: &Path, error: &io::Error) -> Error {
    Error::Unavailable { store: stores.display().to_string(), detail: error.to_string() }
}
