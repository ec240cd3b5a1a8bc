//! `tradepost bench disk`: how often in a second the disk makes a write durable.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::probe::Probe;
use crate::cli::{Failure, Output};

#[derive(Debug, Args)]
pub struct Disk {
    #[command(flatten)]
    probe: ProbeFolder,
}

#[derive(Debug, Args)]
pub struct ProbeFolder {
    /// The folder whose disk is probed [default: the current one, or that of temporary files]
    #[arg(long, value_name = "DIR")]
    probe_dir: Option<PathBuf>,
}

impl ProbeFolder {
    pub fn probe(&self) -> Result<Probe, Failure> {
        Probe::of(self.probe_dir.as_deref()).map_err(cannot_probe)
    }
}

impl Disk {
    pub async fn run(self, out: &mut Output) -> Result<(), Failure> {
        let probe = self.probe.probe()?;
        let per_s = probe.flushes_per_s().await.map_err(cannot_probe)?;
        if out.is_json() {
            return out.document(&json!({"flushes_per_s": per_s.round(), "probed": probe.folder}));
        }
        out.text(format_args!("{per_s:.0} flushes/s in {}", probe.folder.display()))
    }
}

pub fn cannot_probe(error: std::io::Error) -> Failure {
    Failure::failed(format!("the disk can't be probed: {error}"))
        .with_help("--probe-dir names a folder on the server's disk where a file can be written")
}
