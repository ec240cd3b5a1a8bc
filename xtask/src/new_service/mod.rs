//! `cargo xtask new-service`: a service to begin with.

mod edit;
mod name;
mod template;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::bless;
use crate::step::{self, cargo};
use name::Name;

/// The service that is copied. It is a member of the workspace, so it compiles and its test runs.
const SAMPLE: &str = "xtask/sample";

/// Writes a new service that works: a folder in `services/`, and the three lines that name it.
///
/// The folder has a route, a reaction, tables for SQLite and PostgreSQL, a README and a test, copied from
/// `xtask/sample`.
/// Then the generated files are written anew (`cargo xtask bless`), so that the service stands in the deployment
/// files, the API description and the documents.
/// Then replace the sample's table, route and reaction by those of the service.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name: lowercase words joined by underscores, as in `gift_cards`
    name: String,
    /// Leave the generated files as they are
    #[arg(long)]
    no_bless: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let root = root()?;
    let name = Name::new(&args.name, &root)?;
    // All edits are made before the first is written: a line that has no place leaves the work tree as it was.
    let edits = edit::edits(&name, &root)?;
    template::copy(&root.join(SAMPLE), &root.join(name.folder()), &name)?;
    for edit in edits {
        edit.write()?;
        eprintln!("{}: {}", edit.file, edit.line.trim());
    }
    // A longer name than the sample's breaks lines elsewhere.
    step::run("formatting", cargo(&["fmt", "--package", &name.package()]), "see above")?;
    eprintln!("{}: written; begin with src/lib.rs, and replace what the service does by what it is for", name.folder());
    if args.no_bless {
        eprintln!("next: cargo xtask bless");
        return Ok(ExitCode::SUCCESS);
    }
    bless::run(bless::Args {})
}

/// The work tree in which the command was called.
fn root() -> Result<PathBuf> {
    let here = env::current_dir().context("the current folder can't be found")?;
    let root = here.ancestors().find(|folder| folder.join(SAMPLE).is_dir());
    root.map(Path::to_owned).with_context(|| format!("{} is in no work tree of Tradepost", here.display()))
}
