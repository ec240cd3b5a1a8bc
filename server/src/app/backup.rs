//! A copy of the whole shop, as it was at one instant, while it runs.
//!
//! It works on the files alone: it asks nothing of the process that uses them, and works as well when there is none.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use service::storage::{Location, Snapshots};

use super::manifest::{MANIFEST, Manifest};
use super::{PROVIDER_FOLDER, PROVIDER_STORE, token};
use crate::shop::Shop;

/// The extent and duration of a backup.
#[derive(Clone, Copy, Debug)]
pub struct Copied {
    /// The files that were copied, beside the small ones that say how to use them.
    pub stores: usize,
    /// The bytes of the copies.
    pub bytes: u64,
    /// The time for which commits were held up.
    pub paused: Duration,
}

/// Copies the data folder `data`, and the services' stores at `store`, into a new folder that `up` can start on.
///
/// The folder appears under its name when all of it is on the disk. Blocks its thread.
pub fn backup(shop: &Shop, data: &Path, store: &Location, to: &Path) -> anyhow::Result<Copied> {
    let Location::Folder(stores) = store else {
        bail!("the store is PostgreSQL, which brings its own tool for this: pg_dump, see docs/how-to/backup.md");
    };
    let services = shop.described();
    ensure!(data.join(MANIFEST).exists(), "there is no shop in {}: say where its data is with --data", data.display());
    Manifest::read(data, store, &services)?.refuse_missing(data, store, &services)?;
    ensure!(
        !to.exists(),
        "{} is there already, and a backup replaces nothing: choose a folder that is new",
        to.display()
    );
    let partial = Partial::make(to)?;
    let files: Vec<PathBuf> = services.iter().map(|it| stores.join(format!("{}.db", it.name()))).collect();
    let snapshots = Snapshots::take(&files)?;
    let paused = snapshots.paused();
    let mut bytes = snapshots.copy_to(&partial.path)?;

    // The provider's books are its own, and it takes no part in the instant. They are copied last, so that they hold
    // every charge that the payments know of; a restored shop looks up what they may hold beyond.
    let provider = partial.path.join(PROVIDER_FOLDER);
    DirBuilder::new().mode(0o700).create(&provider).with_context(|| unwritten(&provider))?;
    bytes += Snapshots::take(&[data.join(PROVIDER_FOLDER).join(PROVIDER_STORE)])?.copy_to(&provider)?;
    for name in [MANIFEST, token::FILE] {
        copy_if_there(&data.join(name), &partial.path.join(name))?;
    }
    sync(&provider)?;
    sync(&partial.path)?;
    partial.finish(to)?;
    Ok(Copied { stores: files.len() + 1, bytes, paused })
}

/// The folder while it is incomplete, which goes if it never becomes complete.
struct Partial {
    path: PathBuf,
    is_finished: bool,
}

impl Partial {
    fn make(to: &Path) -> anyhow::Result<Self> {
        let mut name = to.file_name().with_context(|| format!("{} names no folder", to.display()))?.to_owned();
        name.push(".partial");
        let path = to.with_file_name(name);
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Self { path, is_finished: false }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                bail!("{} is left from a backup that was cut short, or is being written: remove it", path.display())
            }
            Err(error) => Err(error).with_context(|| unwritten(&path)),
        }
    }

    fn finish(mut self, to: &Path) -> anyhow::Result<()> {
        fs::rename(&self.path, to).with_context(|| unwritten(to))?;
        self.is_finished = true;
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync(parent.unwrap_or(Path::new(".")))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_finished && fs::remove_dir_all(&self.path).is_err() {
            tracing::warn!("{} is incomplete and can't be removed", self.path.display());
        }
    }
}

fn copy_if_there(from: &Path, to: &Path) -> anyhow::Result<()> {
    match fs::copy(from, to) {
        Ok(_) => File::open(to).and_then(|file| file.sync_all()).with_context(|| unwritten(to)),
        // A shop whose token comes from its settings keeps none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| unwritten(to)),
    }
}

/// Names of files are on the disk once their folder is.
fn sync(folder: &Path) -> anyhow::Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(|| unwritten(folder))
}

fn unwritten(path: &Path) -> String {
    format!("{} can't be written", path.display())
}
