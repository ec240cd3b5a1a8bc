//! A disk that is soon full.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Sizes in which ballast is written: first large pieces, at last small ones.
const PIECES: [usize; 3] = [1024 * 1024, 4 * 1024, 1];

/// A file system of a few megabytes in memory, for as long as this lives. Mounting it takes root.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it on a folder that is there.
    ///
    /// # Panics
    /// Where it can't be mounted: then a test that asks for it shows nothing.
    pub fn mount(at: &Path, megabytes: u32) -> Self {
        let size = format!("size={megabytes}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        let mount = mount.expect("util-linux has `mount`");
        let said = String::from_utf8_lossy(&mount.stderr);
        assert!(mount.status.success(), "a small disk can't be mounted, so nothing is shown: run as root ({said})");
        Self(at.to_owned())
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Lets nothing be written any more, or again. Nobody may have a file open for writing meanwhile.
    ///
    /// # Panics
    /// Where somebody has.
    pub fn set_read_only(&self, is_read_only: bool) {
        let mode = if is_read_only { "remount,ro" } else { "remount,rw" };
        let mount = Command::new("mount").args(["-o", mode]).arg(&self.0).output();
        let mount = mount.expect("util-linux has `mount`");
        let said = String::from_utf8_lossy(&mount.stderr);
        assert!(mount.status.success(), "{} can't be mounted otherwise: {said}", self.0.display());
    }

    /// Takes all room that is left, until the ballast is dropped.
    ///
    /// # Panics
    /// If no file can be made there.
    pub fn fill(&self) -> Ballast {
        let path = self.0.join("ballast");
        let mut file = File::create(&path).expect("a file can be made on a disk that is not full");
        for piece in PIECES {
            let zeros = vec![0; piece];
            while file.write_all(&zeros).is_ok() {}
        }
        Ballast(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a failing test still has files open.
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(
            std::thread::panicking() || unmounted.is_ok_and(|status| status.success()),
            "{} stays",
            self.0.display()
        );
    }
}

/// A file that fills a [`SmallDisk`].
#[derive(Debug)]
#[must_use = "the room is there again when this is dropped"]
pub struct Ballast(PathBuf);

impl Drop for Ballast {
    fn drop(&mut self) {
        let removed = std::fs::remove_file(&self.0);
        assert!(std::thread::panicking() || removed.is_ok(), "{} stays", self.0.display());
    }
}
