//! The three lines that name a service.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::name::Name;

/// Ports of services are given from here on, those of the first services included.
const FIRST_PORT: u16 = 7081;

/// A line that is to stand in a file.
pub(super) struct Edit {
    /// From the root.
    pub file: &'static str,
    pub line: String,
    path: PathBuf,
    text: String,
}

impl Edit {
    pub fn write(&self) -> Result<()> {
        fs::write(&self.path, &self.text).with_context(|| format!("{} can't be written", self.file))
    }

    /// The line in its place: before the line that this answers with, by its number.
    fn new(
        root: &Path,
        file: &'static str,
        place: &str,
        line: impl FnOnce(&str) -> String,
        before: impl FnOnce(&[&str]) -> Option<usize>,
    ) -> Result<Self> {
        let path = root.join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("{file} can't be read"))?;
        let mut lines: Vec<&str> = text.lines().collect();
        let at = before(&lines).with_context(|| format!("{file} has no place for the service: no {place}"))?;
        let line = line(&text);
        lines.insert(at, &line);
        let text = format!("{}\n", lines.join("\n"));
        Ok(Self { file, line, path, text })
    }
}

/// The edits that name the service, none of them written yet.
pub(super) fn edits(name: &Name, root: &Path) -> Result<[Edit; 3]> {
    let (package, folder, name) = (name.package(), name.folder(), name.as_str());
    let member = |_: &str| format!("{name} = {{ package = \"{package}\", path = \"{folder}\" }}");
    let dependency = format!("{name}.workspace = true");
    Ok([
        Edit::new(root, "Cargo.toml", "crate of services/", member, |lines| {
            lines.iter().rposition(|line| line.contains("path = \"services/")).map(|last| last + 1)
        })?,
        Edit::new(
            root,
            "server/Cargo.toml",
            "[dependencies]",
            |_| dependency.clone(),
            |lines| {
                let first = lines.iter().position(|line| *line == "[dependencies]")? + 1;
                let later = lines[first..].iter().position(|line| line.is_empty() || *line > dependency.as_str())?;
                Some(first + later)
            },
        )?,
        Edit::new(
            root,
            "server/src/shop.rs",
            ".broker( line",
            |text| format!("            .service({}, |_| {name}::service())", free_port(text)),
            |lines| lines.iter().position(|line| line.trim_start().starts_with(".broker(&")),
        )?,
    ])
}

/// The first port that the shop's source doesn't name.
fn free_port(shop: &str) -> u16 {
    let named: Vec<u16> = shop.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
    (FIRST_PORT..=u16::MAX).find(|port| !named.contains(port)).expect("a shop has fewer services than there are ports")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_if_the_shop_does_not_name_it() {
        assert_eq!(free_port(".service(7081, …).service(7083, …) const CONSOLE_PORT: u16 = 7082;"), 7084);
        assert_eq!(free_port(""), FIRST_PORT);
    }
}
