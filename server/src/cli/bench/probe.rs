//! The rate at which the disk makes writes durable, for which every commit waits.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The least that a small commit writes.
const BLOCK: usize = 4096;

/// Blocks that are written in turn, as a log is.
const BLOCKS: u64 = 256;

/// Long enough to level out, short enough to be asked twice.
const LASTS: Duration = Duration::from_secs(1);

/// The file with which the disk is probed.
#[derive(Clone, Debug)]
pub struct Probe {
    pub folder: PathBuf,
}

impl Probe {
    /// In the folder that was named, else in the current one, else where temporary files go.
    pub fn of(named: Option<&Path>) -> io::Result<Self> {
        if let Some(folder) = named {
            open(folder)?;
            return Ok(Self { folder: folder.to_owned() });
        }
        let current = PathBuf::from(".");
        if open(&current).is_ok() {
            return Ok(Self { folder: current });
        }
        let folder = std::env::temp_dir();
        open(&folder)?;
        Ok(Self { folder })
    }

    /// Flushes a second: 4 KiB written, then `fdatasync`, for a second.
    pub async fn flushes_per_s(&self) -> io::Result<f64> {
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || measure(&open(&folder)?)).await?
    }
}

/// A file without a name: it is gone with this process, however that ends.
fn open(folder: &Path) -> io::Result<File> {
    let path = folder.join(format!(".tradepost-probe-{}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn measure(file: &File) -> io::Result<f64> {
    let block = [0x5a; BLOCK];
    let at = |n: u64| n % BLOCKS * BLOCK as u64;
    // The blocks are there before the clock starts, for a log is written over, and a file that grows costs more.
    for n in 0..BLOCKS {
        file.write_all_at(&block, at(n))?;
    }
    file.sync_all()?;
    let began = Instant::now();
    let mut flushes = 0;
    while began.elapsed() < LASTS {
        file.write_all_at(&block, at(flushes))?;
        file.sync_data()?;
        flushes += 1;
    }
    Ok(flushes as f64 / began.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let file = open(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        file.write_all_at(&[1], 0).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_and_no_other_is_taken() {
        assert!(Probe::of(Some(Path::new("/nowhere/at/all"))).is_err());
    }
}
