//! Packages of Python and Node.js that tests run, in the versions that a folder of the repository names.
//!
//! They are installed once into a cache by `pip` and `npm`, from wherever those get their packages.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;
use crate::error::output;

/// Packages that are installed, each ecosystem in a folder of its own.
#[derive(Clone, Debug)]
pub struct Packages {
    python: PathBuf,
    node: PathBuf,
}

/// A program that installs or runs packages, and the package of Debian and Ubuntu that brings it.
#[derive(Clone, Copy, Debug)]
pub struct Needed {
    /// Name for people.
    pub name: &'static str,
    /// Package of the system.
    pub package: &'static str,
    asked: &'static [&'static str],
}

/// In this order: pip asks for Python, npm for Node.js.
const PROGRAMS: [Needed; 4] = [
    Needed { name: "Python", package: "python3", asked: &["python3", "--version"] },
    Needed { name: "pip", package: "python3-pip", asked: &["python3", "-m", "pip", "--version"] },
    Needed { name: "Node.js", package: "nodejs", asked: &["node", "--version"] },
    Needed { name: "npm", package: "npm", asked: &["npm", "--version"] },
];

impl Packages {
    /// The programs that are not installed and without which there are no packages.
    pub fn missing_programs() -> impl Iterator<Item = Needed> {
        PROGRAMS.into_iter().filter(|needed| {
            let [program, arguments @ ..] = needed.asked else { return true };
            let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
            !status.is_ok_and(|status| status.success())
        })
    }

    /// The packages of `requirements.txt`, `package.json` and `package-lock.json` in `manifests`, from `cache` if they
    /// were installed there before.
    pub fn find_or_install(manifests: &Path, cache: &Path) -> Result<Self, Error> {
        let python = cached(cache, "python", manifests, &["requirements.txt"], |folder| {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
            // Into a folder of its own: no virtual environment is needed, and nothing of the system is touched.
            pip.args(["--root-user-action=ignore", "--target", "packages", "--requirement", "requirements.txt"]);
            pip.current_dir(folder);
            pip
        })?;
        let node = cached(cache, "node", manifests, &["package.json", "package-lock.json"], |folder| {
            let mut npm = Command::new("npm");
            npm.args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(folder);
            npm
        })?;
        Ok(Self { python: python.join("packages"), node: node.join("node_modules") })
    }

    /// Python with these packages.
    pub fn python(&self) -> Command {
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", &self.python).env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
        python
    }

    /// A program that one of Node.js's packages brings.
    pub fn node_program(&self, name: &str) -> Command {
        let mut program = Command::new(self.node.join(".bin").join(name));
        program.stdin(Stdio::null());
        program
    }

    /// The folder in which Node.js looks for packages.
    pub fn node_modules(&self) -> &Path {
        &self.node
    }
}

/// A folder of the cache that holds what `install` makes of these manifests.
fn cached(
    cache: &Path,
    name: &str,
    manifests: &Path,
    files: &[&str],
    install: impl FnOnce(&Path) -> Command,
) -> Result<PathBuf, Error> {
    let mut version = DefaultHasher::new();
    for file in files {
        let path = manifests.join(file);
        fs::read(&path).map_err(Error::of(&path.to_string_lossy()))?.hash(&mut version);
    }
    let folder = cache.join(format!("{name}-{:016x}", version.finish()));
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(cache).map_err(Error::of(&cache.to_string_lossy()))?;
    let made = tempfile::tempdir_in(cache).map_err(Error::of(&cache.to_string_lossy()))?;
    for file in files {
        fs::copy(manifests.join(file), made.path().join(file)).map_err(Error::of(file))?;
    }
    output(&mut install(made.path()))?;
    // Whole or not at all. Of two that install at once the second finds the folder of the first.
    let moved = fs::rename(made.path(), &folder);
    if moved.is_err() && !folder.is_dir() {
        moved.map_err(Error::of(&folder.to_string_lossy()))?;
    }
    Ok(folder)
}

/// Runs a program to its end and answers with what it printed; with all of it in the error if it fails.
pub fn run(command: &mut Command) -> Result<String, Error> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    let done = command.output().map_err(Error::of(&line))?;
    let printed = [String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr)].concat();
    if done.status.success() {
        Ok(printed)
    } else {
        Err(Error::new(format!("`{line}` ended with {}:\n{printed}", done.status)))
    }
}
