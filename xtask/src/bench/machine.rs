//! The machine that measures.

use anyhow::{Context, Result};
use serde::Serialize;

/// Figures mean little without these.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub cores: usize,
    pub memory_gib: u64,
    pub cpu: String,
}

impl Machine {
    pub fn read() -> Result<Self> {
        let cores = std::thread::available_parallelism().context("the cores can't be counted")?.get();
        let memory = read("/proc/meminfo", "MemTotal:")?;
        let kib: u64 = memory.trim_end_matches("kB").trim().parse().context("MemTotal is no number")?;
        // Some architectures name no model.
        let cpu = read("/proc/cpuinfo", "model name").unwrap_or_default();
        Ok(Self { cores, memory_gib: kib.div_ceil(1 << 20), cpu: cpu.trim_start_matches([':', ' ', '\t']).to_owned() })
    }
}

/// The memory of a server's process.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Memory {
    pub idle_mib: f64,
    pub peak_mib: f64,
}

/// MiB that a process holds now, `VmRSS`, or held at most, `VmHWM`.
pub(crate) fn resident_mib(id: u32, what: &str) -> Result<f64> {
    let text = read(&format!("/proc/{id}/status"), what)?;
    let kib: f64 = text.trim_end_matches("kB").trim().parse().with_context(|| format!("{what} is no number"))?;
    Ok(kib / 1024.0)
}

fn read(file: &str, field: &str) -> Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{file} can't be read: is this Linux?"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("{file}: no {field}"))?;
    Ok(line.trim_start_matches(':').trim().to_owned())
}
