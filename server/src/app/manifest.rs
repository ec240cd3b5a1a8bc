//! The manifest of a data folder: the program that wrote it, and the stores that must be there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use service::AnyService;
use service::storage::Location;

use super::folder::write_whole;
use super::{PROVIDER_FOLDER, PROVIDER_STORE};

/// The layout of the folder. Another number means that files lie elsewhere.
const FORMAT: u32 = 1;

/// The file's name.
pub(super) const MANIFEST: &str = "manifest.json";

/// The name of the tables that all stores have.
const KIT: &str = "kit";

/// The name under which the manifest lists the ledger of the simulated provider.
const PROVIDER: &str = "payment-provider";

/// The folder's description of itself, by which an older program can refuse it without opening a database.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    format: u32,
    /// The version of each service's tables, and of the kit's, which all stores have.
    tables: BTreeMap<String, i64>,
    /// The stores that were made, each a file that is there from then on. Versions before listed none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stores: Option<BTreeSet<String>>,
}

impl Manifest {
    /// That of this program, of which no store was made yet.
    fn of(services: &[Box<dyn AnyService>]) -> Self {
        let tables = services
            .iter()
            .map(|it| (it.name().to_owned(), it.migrations().newest()))
            .chain([(KIT.to_owned(), service::storage::kit_version())])
            .collect();
        Self { format: FORMAT, tables, stores: Some(BTreeSet::new()) }
    }

    /// The manifest of a folder as this program writes it: with the stores that were listed before. A folder that a newer
    /// program has written is refused, without a look into its stores.
    pub(super) fn read(data: &Path, location: &Location, services: &[Box<dyn AnyService>]) -> anyhow::Result<Self> {
        let known = Self::of(services);
        let file = data.join(MANIFEST);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(known),
            Err(error) => return Err(error).with_context(|| format!("{} can't be read", file.display())),
        };
        let found: Self = serde_json::from_str(&text).with_context(|| {
            format!("{} is not what Tradepost writes there: restore it, or use another folder", file.display())
        })?;
        let newer = found.tables.iter().find(|(name, version)| known.tables.get(*name).is_none_or(|it| it < *version));
        if found.format > known.format || newer.is_some() {
            bail!(
                "the data folder {} was written by a newer Tradepost, and was left as it is: \
                 start that version, or choose another folder with --data",
                data.display()
            );
        }
        let stores = found.stores.unwrap_or_else(|| stores_of_earlier(data, location, found.tables.keys()));
        Ok(Self { stores: Some(stores), ..known })
    }

    /// Refuses a folder in which a listed store is missing: made anew in silence, its service would begin without what it
    /// knew, and handle the whole history as if it were live.
    pub(super) fn refuse_missing(
        &self,
        data: &Path,
        location: &Location,
        services: &[Box<dyn AnyService>],
    ) -> anyhow::Result<()> {
        self.refuse_missing_but(data, location, services, None)
    }

    /// The same, for whoever is about to make one of the stores.
    pub(super) fn refuse_missing_but(
        &self,
        data: &Path,
        location: &Location,
        services: &[Box<dyn AnyService>],
        made: Option<&str>,
    ) -> anyhow::Result<()> {
        let mut missing = self.missing(data, location);
        missing.retain(|(name, _)| Some(*name) != made);
        let Some((name, file)) = missing.first() else { return Ok(()) };
        let service = services.iter().find(|service| service.name() == *name);
        if missing.len() == 1 && service.is_some_and(|service| service.refuse_rebuild().is_none()) {
            bail!(
                "the store {} is missing or empty, and nothing was changed. Run `tradepost rebuild {name}`, which builds \
                 it from the archives of the other services, or restore it from a backup.",
                file.display()
            );
        }
        let others = missing[1..].iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let more = if others.is_empty() { others } else { format!(" (and those of {others})") };
        bail!(
            "the store {}{more} is missing or empty, and nothing was changed. Restore it from a backup. \
             Or start once with --accept-loss: {name} then begins anew, without what it knew, and handles all events \
             of the past again, such as by mailing customers once more.",
            file.display()
        );
    }

    /// The stores that are listed and are not there, by name, with their files.
    fn missing(&self, data: &Path, location: &Location) -> Vec<(&str, PathBuf)> {
        let listed = self.stores.iter().flatten();
        let files = listed.filter_map(|name| Some((name.as_str(), file_of(data, location, name)?)));
        files.filter(|(_, file)| !is_there(file)).collect()
    }

    /// Lists all stores that are there.
    pub(super) fn list_stores(&mut self, data: &Path, location: &Location) {
        let made = made(data, location, self.tables.keys());
        self.stores.get_or_insert_default().extend(made);
    }

    /// Writes it into the folder.
    pub(super) fn write(&self, data: &Path) -> anyhow::Result<()> {
        write_whole(&data.join(MANIFEST), &serde_json::to_string_pretty(self)?)
    }
}

/// The stores of a folder of a version whose manifest listed none: that of each service, for it opened all of them at each
/// start. A first start that was cut short has none yet.
fn stores_of_earlier<'a>(
    data: &Path,
    location: &Location,
    services: impl Iterator<Item = &'a String> + Clone,
) -> BTreeSet<String> {
    let made = made(data, location, services.clone());
    if made.is_empty() {
        return made;
    }
    files(data, location, services).map(|(name, _)| name).collect()
}

/// The stores that are there.
fn made<'a>(data: &Path, location: &Location, sets: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    files(data, location, sets).filter(|(_, file)| is_there(file)).map(|(name, _)| name).collect()
}

/// The stores that are files, of these sets of tables: the kit's are in every store.
fn files<'a>(
    data: &Path,
    location: &Location,
    sets: impl Iterator<Item = &'a String>,
) -> impl Iterator<Item = (String, PathBuf)> {
    let names = sets.filter(|set| *set != KIT).cloned().chain([PROVIDER.to_owned()]);
    names.filter_map(|name| file_of(data, location, &name).map(|file| (name, file)))
}

/// The file of a store; none where it is in a database.
fn file_of(data: &Path, location: &Location, name: &str) -> Option<PathBuf> {
    match location {
        _ if name == PROVIDER => Some(data.join(PROVIDER_FOLDER).join(PROVIDER_STORE)),
        Location::Folder(stores) => Some(stores.join(format!("{name}.db"))),
        Location::Postgres(_) => None,
    }
}

/// False also for an empty file: a store that was made is never empty.
fn is_there(file: &Path) -> bool {
    file.metadata().is_ok_and(|it| it.len() > 0)
}
