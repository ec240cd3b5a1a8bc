//! The data folder: one process at a time, and never one that is older than what wrote it.

use std::fs::{DirBuilder, File, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use service::AnyService;
use service::storage::Location;

use super::manifest::{MANIFEST, Manifest};

/// The rights of anybody but the owner.
const OTHERS: u32 = 0o077;

/// The folder, locked for this process.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    location: Location,
    manifest: Manifest,
    /// Held for its lock, which the operating system drops with the process, however that ends.
    _lock: File,
}

/// Decision about stores that the manifest lists and that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingStores {
    /// Refuse to go on.
    Refuse,
    /// Make them anew, without what they held.
    Accept,
    /// Make anew that of one service, and refuse to go on if another is missing.
    AcceptOf(&'static str),
}

impl Folder {
    /// Opens or makes the folder for these services, whose stores are at `location`.
    pub fn open(
        data: &Path,
        location: &Location,
        services: &[Box<dyn AnyService>],
        missing: MissingStores,
    ) -> anyhow::Result<Self> {
        Manifest::read(data, location, services)?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data)
            .with_context(|| format!("the data folder {} can't be made: choose another with --data", data.display()))?;
        let lock = lock(data)?;
        // Once more: the process that had the folder until now may have written it.
        let manifest = Manifest::read(data, location, services)?;
        match missing {
            MissingStores::Refuse => manifest.refuse_missing(data, location, services)?,
            MissingStores::AcceptOf(made) => manifest.refuse_missing_but(data, location, services, Some(made))?,
            MissingStores::Accept => {}
        }
        manifest.write(data)?;
        keep_private(data);
        Ok(Self { path: data.to_owned(), location: location.clone(), manifest, _lock: lock })
    }

    /// Lists the stores that were made: from now on, they are there at each start.
    pub fn list_stores(&mut self) -> anyhow::Result<()> {
        self.manifest.list_stores(&self.path, &self.location);
        self.manifest.write(&self.path)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Takes from other users of the machine what earlier versions let them read: addresses, order tokens, the signing key.
/// The folder itself keeps its rights, for somebody may have given them.
fn keep_private(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| is_ours(&entry.file_name().to_string_lossy()));
    for entry in ours {
        let Ok(metadata) = entry.metadata() else { continue };
        let mode = if metadata.is_dir() { 0o700 } else { 0o600 };
        let is_private = metadata.permissions().mode() & OTHERS == 0;
        if is_private {
            continue;
        }
        if let Err(error) = std::fs::set_permissions(entry.path(), Permissions::from_mode(mode)) {
            tracing::warn!(file = %entry.path().display(), %error, "other users of this machine may read the file");
        }
    }
}

/// True of what a shop makes in its folder, and not of what lies there beside it.
fn is_ours(name: &str) -> bool {
    [MANIFEST, "lock", super::token::FILE, super::PROVIDER_FOLDER].contains(&name)
        || [".db", ".db-wal", ".db-shm"].iter().any(|end| name.ends_with(end))
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let file = path.join("lock");
    let lock = File::options().create(true).truncate(false).write(true).mode(0o600).open(&file);
    let lock = lock.with_context(|| format!("{} can't be opened for writing", file.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => bail!(
            "another Tradepost is using the data folder {}: stop it, or choose another folder with --data",
            path.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("{} can't be locked", file.display())),
    }
}

/// Writes a file so that a crash leaves the old one or the new one.
pub(super) fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    let beside = path.with_extension("new");
    let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&beside);
    let written = file
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&beside, path))
        .and_then(|()| File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all());
    written.with_context(|| format!("{} can't be written", path.display()))
}
