//! The data folder: one process at a time, and never one that is older than what wrote it.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, Permissions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use service::AnyService;

/// The layout of the folder. Another number means that files lie elsewhere.
const FORMAT: u32 = 1;

/// The rights of anybody but the owner.
const OTHERS: u32 = 0o077;

/// The file that says what wrote the folder.
pub(super) const MANIFEST: &str = "manifest.json";

/// The description of the folder, by which an older program refuses it without opening a database.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    /// The version of each service's tables, and of the kit's, which all stores have.
    tables: BTreeMap<String, i64>,
}

/// The folder, locked for this process.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Held for its lock, which the operating system drops with the process, however that ends.
    _lock: File,
}

impl Folder {
    /// Opens or makes the folder for these services.
    pub fn open(path: &Path, services: &[Box<dyn AnyService>]) -> anyhow::Result<Self> {
        refuse_newer(path, services)?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("the data folder {} can't be made: choose another with --data", path.display()))?;
        let lock = lock(path)?;
        let text = serde_json::to_string_pretty(&Manifest::of(services))?;
        write_whole(&path.join(MANIFEST), &text)?;
        keep_private(path);
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Manifest {
    fn of(services: &[Box<dyn AnyService>]) -> Self {
        let tables = services
            .iter()
            .map(|it| (it.name().to_owned(), it.migrations().newest()))
            .chain([("kit".to_owned(), service::storage::kit_version())])
            .collect();
        Self { format: FORMAT, tables }
    }
}

/// Refuses a folder that a newer program has written, without a look into its stores.
pub(super) fn refuse_newer(path: &Path, services: &[Box<dyn AnyService>]) -> anyhow::Result<()> {
    let known = Manifest::of(services);
    let file = path.join(MANIFEST);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("{} can't be read", file.display())),
    };
    let found: Manifest = serde_json::from_str(&text).with_context(|| {
        format!("{} is not what Tradepost writes there: restore it, or use another folder", file.display())
    })?;
    let newer = found.tables.iter().find(|(name, version)| known.tables.get(*name).is_none_or(|it| it < *version));
    if found.format > known.format || newer.is_some() {
        bail!(
            "the data folder {} was written by a newer Tradepost, and was left as it is: \
             start that version, or choose another folder with --data",
            path.display()
        );
    }
    Ok(())
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
