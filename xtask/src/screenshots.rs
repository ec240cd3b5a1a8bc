//! `cargo xtask screenshots`: the pictures of the documents.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};
use test_servers::packages::Packages;

use crate::check::EVERYTHING;
use crate::servers::{CLIENT_CACHE, CLIENT_MANIFESTS, find_or_install};
use crate::step::{self, cargo};

/// The folder of the pictures, which the documents name.
const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/images");

/// The script that makes them.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/tests/clients/dashboard/screenshots.mjs");

/// The program as it is built for development.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/debug/tradepost");

/// The pictures of the dashboard in README and docs, from a demo shop with some traffic.
///
/// Needs a browser, which it installs where apt-get may.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// A shop that ends with this value.
struct Shop(Child);

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn run(Args {}: Args) -> Result<ExitCode> {
    find_or_install()?;
    step::run(
        "program",
        cargo(&[&["build"], &EVERYTHING[..], &["--bin=tradepost"]].concat()),
        "repair what is reported above",
    )?;
    let packages = Packages::find_or_install(Path::new(CLIENT_MANIFESTS), Path::new(CLIENT_CACHE))?;
    let folder = tempfile::tempdir()?;
    symlink(packages.node_modules(), folder.path().join("node_modules"))?;
    let script = folder.path().join("screenshots.mjs");
    std::fs::copy(SCRIPT, &script)?;
    let mut command = Command::new(PROGRAM);
    command.args(["up", "--demo", "--port", "0"]).current_dir(folder.path()).stdin(Stdio::null());
    let mut shop = Shop(command.stderr(Stdio::piped()).spawn().context("the shop can't be started")?);
    let mut lines = BufReader::new(shop.0.stderr.take().context("its output is piped")?).lines().map_while(Result::ok);
    let link = lines.find_map(|line| Some(line.split_once("console  ")?.1.trim().to_owned()));
    let link = link.context("the shop ended before it was ready")?;
    std::thread::spawn(move || lines.for_each(drop));
    let mut node = Command::new("node");
    node.arg(script).env("LINK", link).env("PICTURES", PICTURES).stdin(Stdio::null());
    let status = node.status().context("node can't be started")?;
    ensure!(status.success(), "the pictures were not made");
    Ok(ExitCode::SUCCESS)
}
