//! Services in processes of their own, on PostgreSQL and a broker: each case is a run of `tradepost-bench`, which
//! starts private servers and checks that every event took effect once.

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Bench;
use super::baseline::between_probes;
use super::case::Case;
use super::process::output;
use super::report::Row;

pub(crate) fn run(bench: &Bench, case: Case, arguments: &[&str]) -> Result<Row> {
    let mut command = Command::new(&bench.split);
    command.args(arguments).args(bench.is_quick.then_some("--part-of=4"));
    let (printed, flushes) = between_probes(bench, || output(&mut command))?;
    let result: Value = serde_json::from_str(&printed).context("tradepost-bench prints no JSON")?;
    let per_s = result["per_s"].as_f64().context("the rate is missing")?;
    let ratio = result["ratio"]["is"].as_f64().zip(result["ratio"]["to"].as_str());
    let ratio = ratio.map(|(is, to)| (is, to.to_owned()));
    let words = |field: &str| result[field].as_str().unwrap_or_default().to_owned();
    Ok(Row::new(case, per_s, &words("unit"), flushes).with_words(words("more"), ratio))
}
