//! The tool that tries the alert rules: found, or installed.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::postgres::install;

/// Makes sure that there is promtool. It comes with Prometheus, which need not run.
pub(crate) fn find_or_install() -> Result<()> {
    if !is_there() {
        install("promtool", "prometheus")?;
    }
    ensure!(is_there(), "promtool is not on PATH, though the package prometheus is installed");
    Ok(())
}

fn is_there() -> bool {
    let asked = Command::new("promtool").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}
