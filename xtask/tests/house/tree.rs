//! The files of this repository, as they are on disk.

use std::fs;
use std::path::{Path, PathBuf};

/// Hidden folders that belong to the repository; the others are tools' own.
const HIDDEN_BUT_OURS: [&str; 3] = [".cargo", ".ci", ".config"];

/// The services.
const SERVICES: &str = "services/";

/// The service that `cargo xtask new-service` copies.
pub const SAMPLE: &str = "xtask/sample";

pub struct File {
    /// From the root, with `/` between its parts.
    pub path: String,
    pub text: String,
}

impl File {
    /// The folder of the file's service, and its name inside: `("services/orders", "src/store.rs")`.
    pub fn in_service(&self) -> Option<(&str, &str)> {
        if let Some(inside) = self.path.strip_prefix(SAMPLE).and_then(|inside| inside.strip_prefix('/')) {
            return Some((SAMPLE, inside));
        }
        let end = SERVICES.len() + self.path.strip_prefix(SERVICES)?.find('/')?;
        Some((&self.path[..end], &self.path[end + 1..]))
    }

    pub fn is_rust(&self) -> bool {
        has_extension(&self.path, "rs")
    }

    pub fn is_sql(&self) -> bool {
        has_extension(&self.path, "sql")
    }

    /// Numbered lines without their `//` comments, down to the unit tests, which stand at the bottom of a file.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().take_while(|line| *line != "#[cfg(test)]");
        let code = lines.map(|line| line.split_once("//").map_or(line, |(code, _comment)| code));
        (1..).zip(code)
    }

    /// A place in this file, as a compiler would print it.
    pub fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {}", self.path, what.trim())
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository")
}

/// Every text file that is not ignored. Files on disk, not in the index: a rule applies before the first commit.
pub fn files() -> Vec<File> {
    let ignored = fs::read_to_string(root().join(".gitignore")).expect("the repository has a .gitignore");
    let ignored: Vec<PathBuf> = ignored.lines().filter_map(|line| Some(root().join(line.strip_prefix('/')?))).collect();
    let mut files = Vec::new();
    collect(root(), &ignored, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn collect(folder: &Path, ignored: &[PathBuf], files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository can be read") {
        let path = entry.expect("a folder of the repository can be read").path();
        let name = path.file_name().expect("an entry of a folder has a name").to_string_lossy();
        // In a further work tree `.git` is a file.
        let is_a_tools_own =
            name == ".git" || name.starts_with('.') && path.is_dir() && !HIDDEN_BUT_OURS.contains(&&*name);
        if is_a_tools_own || ignored.contains(&path) {
            continue;
        }
        if path.is_dir() {
            collect(&path, ignored, files);
        } else if let Ok(text) = fs::read_to_string(&path) {
            // What is no UTF-8 is an image or the like, and no rule speaks of those.
            let inside = path.strip_prefix(root()).expect("the walk begins at the root");
            files.push(File { path: inside.to_string_lossy().replace('\\', "/"), text });
        }
    }
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}
