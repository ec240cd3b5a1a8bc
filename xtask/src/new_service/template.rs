//! The files of a new service: those of the sample under another name.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::name::Name;

/// The last lines of the sample's test, which put the sample into a shop: a new service stands in one.
const SAMPLE_ALONE: &str = "\n// From here on the sample alone";

/// The lines of the sample's test, and those of a service's test in their place.
const IN_TESTS: [(&str, &str); 2] = [
    (
        "use server::shop::Shop;\nuse testkit::{Setup, ShopLocation, TestShop};",
        "use testkit::{ShopLocation, TestShop};",
    ),
    ("TestShop::start_on_with(place, setup())", "TestShop::start_on(place)"),
];

/// The line of the sample's manifest that only its test needs.
const SERVER: &str = "server.workspace = true\n";

/// Copies a folder with all that is in it, under the name of the service.
pub(super) fn copy(from: &Path, to: &Path, name: &Name) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("{} can't be made", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("{} can't be read", from.display()))? {
        let entry = entry?.path();
        let file_name = entry.file_name().expect("an entry of a folder has a name").to_string_lossy();
        let to = to.join(file_name.replace("sample", name.as_str()));
        if entry.is_dir() {
            copy(&entry, &to, name)?;
        } else {
            let text = fs::read_to_string(&entry).with_context(|| format!("{} can't be read", entry.display()))?;
            fs::write(&to, renamed(&text, name)).with_context(|| format!("{} can't be written", to.display()))?;
        }
    }
    Ok(())
}

fn renamed(text: &str, name: &Name) -> String {
    let text = text.split(SAMPLE_ALONE).next().unwrap_or_default().replace(SERVER, "");
    let text = IN_TESTS.iter().fold(text, |text, (of_sample, of_service)| text.replace(of_sample, of_service));
    let text = text.replace("/v1/sample", &format!("/v1/{}", name.path()));
    let text = text.replace("Sample:", &format!("{}:", name.title())).replace("Sample", &name.camel());
    text.replace("sample", name.as_str())
}
