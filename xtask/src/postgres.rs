//! The PostgreSQL that the tests run on: what is installed, or what can be installed.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use test_servers::Programs;

use crate::step;

/// What Debian and Ubuntu call it.
const PACKAGE: &str = "postgresql";

/// Makes sure that there are PostgreSQL's programs: nothing is tested in part because something is missing.
pub(crate) fn find_or_install() -> Result<()> {
    if Programs::find().is_err() {
        install("PostgreSQL", PACKAGE)?;
    }
    Programs::find()?;
    Ok(())
}

/// Asks apt-get for what the tests need, by the name of its package.
pub(crate) fn install(needed: &str, package: &str) -> Result<()> {
    eprintln!("    the tests need {needed}, which is not installed: apt-get is asked for it");
    // Where the lists of packages are old or were never fetched, the first try fails and the second does not.
    let remedy = format!("if it lacks the right, run `sudo apt-get install {package}`");
    let installed = step::run("install", apt_get(&["install", "-y", package]), &remedy).or_else(|_| {
        step::run("package lists", apt_get(&["update"]), &remedy)?;
        step::run("install", apt_get(&["install", "-y", package]), &remedy)
    });
    installed.with_context(|| {
        format!("the tests need {needed}, and it can't be installed here: install the package {package} yourself")
    })
}

/// As root, or by a sudo that asks for nothing.
fn apt_get(arguments: &[&str]) -> Command {
    let sets = "DEBIAN_FRONTEND=noninteractive";
    let mut command = if is_root() {
        let mut env = Command::new("env");
        env.arg(sets);
        env
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "env", sets]);
        sudo
    };
    command.arg("apt-get").args(arguments).stdin(Stdio::null());
    command
}

fn is_root() -> bool {
    let printed = Command::new("id").arg("-u").output();
    printed.is_ok_and(|printed| printed.stdout.trim_ascii() == b"0")
}
