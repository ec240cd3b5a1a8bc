//! `cargo xtask bench`: Tradepost and its baselines, in turn, on the same disk.

mod baseline;
mod case;
mod machine;
mod process;
mod report;
mod shop;
mod split;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::step::{self, cargo};
use case::Case;
use machine::Machine;
use report::Report;

/// Tradepost and its baselines, in turn, on the same disk.
///
/// Builds in release mode, starts every server privately in a temporary folder, and stops it.
/// PostgreSQL and RabbitMQ must be installed for what runs on them; `--only` leaves it out.
/// The temporary folder is where TMPDIR says: that disk is measured.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only this; may be given several times
    #[arg(long, value_name = "NAME", value_enum)]
    only: Vec<Case>,
    /// Shorter runs, for a first look
    #[arg(long)]
    quick: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the table of the README
    #[arg(long)]
    markdown: bool,
}

/// The options of a run.
pub(crate) struct Bench {
    tradepost: PathBuf,
    bare_writer: PathBuf,
    split: PathBuf,
    folder: TempDir,
    is_quick: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let bench = Bench::prepare(args.quick)?;
    let mut report = Report::new(Machine::read()?);
    for case in Case::all().iter().filter(|case| args.only.is_empty() || args.only.contains(case)) {
        eprintln!("==> {}: {}", case.name(), case.about());
        let row = case.run(&bench).with_context(|| format!("{} can't be measured", case.name()))?;
        eprintln!("    {row}");
        report.add(row);
    }
    report.print(args.json, args.markdown)?;
    Ok(if report.is_balanced() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Bench {
    fn prepare(is_quick: bool) -> Result<Self> {
        let mut release = vec!["build", "--release"];
        release.extend(["--package", "tradepost", "--package", "tradepost-storage", "--package", "tradepost-bench"]);
        release.extend(["--bin", "tradepost", "--bin", "tradepost-bench", "--example", "bare_writer"]);
        let build = cargo(&release);
        step::run("build", build, "the release build fails as shown above")?;
        let target = target_folder()?.join("release");
        let (tradepost, bare_writer) = (target.join("tradepost"), target.join("examples/bare_writer"));
        let split = target.join("tradepost-bench");
        let folder = tempfile::Builder::new().prefix("tradepost-bench-").tempdir();
        let folder = folder.context("no temporary folder can be made: TMPDIR says where")?;
        Ok(Self { tradepost, bare_writer, split, folder, is_quick })
    }

    /// An empty folder on the disk that is measured.
    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
        Ok(folder)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Seconds of a run, fewer if it is to be quick.
    fn seconds(&self, full: u32) -> u32 {
        if self.is_quick { (full / 4).max(2) } else { full }
    }
}

/// The folder in which cargo builds: not always `target`.
fn target_folder() -> Result<PathBuf> {
    let output = cargo(&["metadata", "--format-version", "1", "--no-deps"]).output().context("cargo did not start")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let folder = metadata["target_directory"].as_str().context("cargo metadata names no target folder")?;
    Ok(folder.into())
}
