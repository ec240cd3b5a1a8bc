//! Temporary files in memory: what a test writes is gone with it, and a disk would take its time for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::output;

/// The file system in memory that Linux mounts for all.
const MEMORY: &str = "/dev/shm";

/// Far more than the files of all tests that run at a time, and the logs that servers keep.
const MEGABYTES: u64 = 4_096;

/// The folder of temporary files in memory where the machine has room for them, else that on its disk.
///
/// A killed process leaves what it wrote on either.
pub fn memory_or_temp() -> PathBuf {
    if has_room(Path::new(MEMORY)) { PathBuf::from(MEMORY) } else { std::env::temp_dir() }
}

/// False too where nothing is mounted there.
fn has_room(folder: &Path) -> bool {
    let said = output(Command::new("df").args(["--output=fstype,avail", "--block-size=1M"]).arg(folder));
    let said = said.unwrap_or_default();
    let mut words = said.lines().last().unwrap_or_default().split_whitespace();
    let megabytes = |word: &str| word.parse::<u64>().ok();
    words.next() == Some("tmpfs") && words.next().and_then(megabytes) >= Some(MEGABYTES)
}
