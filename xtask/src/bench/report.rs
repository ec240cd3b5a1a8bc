//! The table.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::case::Case;
use super::machine::{Machine, Memory};

/// Columns of the table.
const COLUMNS: usize = 8;

/// The disk's rate before a run and after it: it changes from minute to minute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flushes {
    pub before: f64,
    pub after: f64,
}

/// The result of one case.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    case: Case,
    per_s: f64,
    unit: String,
    flushes: Flushes,
    shop: Option<Shop>,
    /// Further figures that the case reports itself.
    words: String,
    /// A rate as a multiple of another that was measured in the same case.
    own_ratio: Option<(f64, String)>,
}

/// Figures that only Tradepost has.
#[derive(Clone, Debug)]
struct Shop {
    memory: Memory,
    started_in: Duration,
    /// The report of `bench orders`.
    report: Value,
}

/// All rows, on one machine.
pub(crate) struct Report {
    machine: Machine,
    rows: Vec<Row>,
}

impl Row {
    pub fn new(case: Case, per_s: f64, unit: &str, flushes: Flushes) -> Self {
        Self { case, per_s, unit: unit.to_owned(), flushes, shop: None, words: String::new(), own_ratio: None }
    }

    pub fn with_words(self, words: String, own_ratio: Option<(f64, String)>) -> Self {
        Self { words, own_ratio, ..self }
    }

    pub fn of_shop(self, memory: Memory, started_in: Duration, report: Value) -> Self {
        Self { shop: Some(Shop { memory, started_in, report }), ..self }
    }

    fn is_balanced(&self) -> bool {
        self.shop.as_ref().is_none_or(|shop| shop.report["books"]["balanced"] == true)
    }

    /// Further figures, in words.
    fn more(&self) -> String {
        let Some(shop) = &self.shop else { return self.words.clone() };
        let number = |pointer: &str| shop.report.pointer(pointer).and_then(Value::as_f64).unwrap_or_default();
        let decided = format!(
            "{} of {} got it; decided in {:.2} s, final in {:.2} s",
            number("/completed"),
            number("/accepted"),
            number("/decided_in_ms") / 1_000.0,
            number("/final_in_ms") / 1_000.0,
        );
        let confirmed = format!(
            "{:.0} confirmed/s; accept p50 {:.1} ms, p99 {:.1} ms; confirm p99 {:.0} ms",
            number("/completed_per_s"),
            number("/accept_ms/p50"),
            number("/accept_ms/p99"),
            number("/confirm_ms/p99"),
        );
        let lived = format!(
            "{} of {} delivered; from the order to its arrival p50 {:.0} ms, p99 {:.0} ms",
            number("/delivered"),
            number("/accepted"),
            number("/life_ms/p50"),
            number("/life_ms/p99"),
        );
        let errors = number("/errors") + number("/unknown");
        let errors = if errors > 0.0 { format!("; {errors} not as asked") } else { String::new() };
        let books = if self.is_balanced() { "" } else { "; BOOKS DON'T BALANCE" };
        let figures = match self.case {
            Case::Hot | Case::PostgresHot => decided,
            Case::Life => lived,
            _ => confirmed,
        };
        format!("{figures}{errors}{books}")
    }

    fn memory(&self) -> String {
        let memory = self.shop.as_ref().map(|shop| shop.memory);
        memory.map_or_else(String::new, |it| format!("{:.0} → {:.0} MiB", it.idle_mib, it.peak_mib))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} {}", self.per_s, self.unit)?;
        if let Some(shop) = &self.shop {
            write!(f, "; {}; {}; started in {:.2} s", self.more(), self.memory(), shop.started_in.as_secs_f64())?;
        }
        if let Some((ratio, against)) = &self.own_ratio {
            write!(f, "; {ratio:.2} × {against}")?;
        }
        if !self.words.is_empty() {
            write!(f, "; {}", self.words)?;
        }
        write!(f, "; {:.0} and {:.0} flushes/s", self.flushes.before, self.flushes.after)
    }
}

impl Report {
    pub fn new(machine: Machine) -> Self {
        Self { machine, rows: Vec::new() }
    }

    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub fn is_balanced(&self) -> bool {
        self.rows.iter().all(Row::is_balanced)
    }

    pub fn print(&self, json: bool, markdown: bool) -> Result<()> {
        let text = if json { format!("{:#}\n", self.to_json()) } else { self.table(markdown) };
        Ok(std::io::stdout().write_all(text.as_bytes())?)
    }

    /// Its rate as a multiple of its baseline.
    fn ratio(&self, row: &Row) -> Option<(f64, String)> {
        let of_rows = || {
            let against = row.case.held_against()?;
            let baseline = self.rows.iter().find(|row| row.case == against)?;
            Some((row.per_s / baseline.per_s, against.name().to_owned()))
        };
        row.own_ratio.clone().or_else(of_rows)
    }

    fn to_json(&self) -> Value {
        let row = |row: &Row| {
            let ratio = self.ratio(row).map(|(ratio, against)| json!({"to": against, "is": ratio}));
            let shop = row.shop.as_ref().map(|shop| {
                json!({"memory": shop.memory, "started_in_ms": shop.started_in.as_secs_f64() * 1_000.0, "report": shop.report})
            });
            json!({"name": row.case.name(), "about": row.case.about(), "per_s": row.per_s, "unit": row.unit, "ratio": ratio, "target": row.case.target(),
                "more": row.words, "flushes_per_s": {"before": row.flushes.before, "after": row.flushes.after}, "shop": shop})
        };
        json!({"machine": self.machine, "rows": self.rows.iter().map(row).collect::<Vec<_>>()})
    }

    fn table(&self, is_markdown: bool) -> String {
        let heading = ["what", "rate", "compared with", "target", "more", "memory idle → peak", "start", "flushes/s"];
        let mut rows = vec![heading.map(str::to_owned)];
        for row in &self.rows {
            let ratio = self.ratio(row).map(|(ratio, against)| format!("{ratio:.2} × {against}"));
            let start = row.shop.as_ref().map(|shop| format!("{:.2} s", shop.started_in.as_secs_f64()));
            rows.push([
                row.case.about().to_owned(),
                format!("{:.0} {}", row.per_s, row.unit),
                ratio.unwrap_or_default(),
                row.case.target().to_owned(),
                row.more(),
                row.memory(),
                start.unwrap_or_default(),
                format!("{:.0}, {:.0}", row.flushes.before, row.flushes.after),
            ]);
        }
        let Machine { cores, memory_gib, cpu } = &self.machine;
        let machine = format!("Measured with {cores} cores of {cpu}, {memory_gib} GiB of memory.");
        let table = if is_markdown { markdown(&rows) } else { aligned(&rows) };
        format!("{machine}\n\n{table}")
    }
}

fn markdown(rows: &[[String; COLUMNS]]) -> String {
    let line = |cells: &[String; COLUMNS]| format!("| {} |\n", cells.join(" | "));
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.insert(1, format!("|{}\n", "---|".repeat(COLUMNS)));
    lines.concat()
}

fn aligned(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let line = |cells: &[String; COLUMNS]| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLUSHES: Flushes = Flushes { before: 3_000.0, after: 3_100.0 };

    fn report() -> Report {
        let machine = Machine { cores: 2, memory_gib: 24, cpu: "a model".to_owned() };
        let mut report = Report::new(machine);
        report.add(Row::new(Case::BareSqlite, 16_000.0, "orders/s", FLUSHES));
        let shop = json!({"completed_per_s": 2_000, "accept_ms": {"p50": 4.0, "p99": 9.5}, "confirm_ms": {"p99": 800.0},
            "errors": 0, "unknown": 0, "books": {"balanced": true}});
        let memory = Memory { idle_mib: 30.0, peak_mib: 120.0 };
        let burst = Row::new(Case::Burst, 8_000.0, "accepted/s", FLUSHES);
        report.add(burst.of_shop(memory, Duration::from_millis(120), shop));
        report
    }

    #[test]
    fn a_rate_is_held_against_the_baseline_of_the_same_run() {
        let table = report().table(true);
        let last = "| Tradepost, embedded: as fast as it accepts | 8000 accepted/s | 0.50 × bare-sqlite | ≥ 8,000 accepted/s \
                    | 2000 confirmed/s; accept p50 4.0 ms, p99 9.5 ms; confirm p99 800 ms | 30 → 120 MiB | 0.12 s \
                    | 3000, 3100 |\n";
        assert!(table.starts_with("Measured with 2 cores of a model, 24 GiB of memory.\n"), "{table}");
        assert!(table.ends_with(last), "{table}");
        assert_eq!(report().to_json()["rows"][1]["ratio"], json!({"to": "bare-sqlite", "is": 0.5}));
    }

    #[test]
    fn what_a_case_measured_against_itself_is_its_ratio() {
        let mut report = report();
        let row = Row::new(Case::Backlog, 4_000.0, "effects/s", FLUSHES);
        report.add(row.with_words("100,000 events".to_owned(), Some((0.97, "its first tenth".to_owned()))));
        let last = "| 4000 effects/s | 0.97 × its first tenth | 0.8 to 1.2 × | 100,000 events |  |  | 3000, 3100 |\n";
        assert!(report.table(true).ends_with(last), "{}", report.table(true));
    }

    #[test]
    fn books_that_do_not_balance_are_no_success() {
        let mut report = report();
        assert!(report.is_balanced());
        report.rows[1].shop.as_mut().unwrap().report["books"]["balanced"] = json!(false);
        assert!(!report.is_balanced() && report.table(false).contains("BOOKS DON'T BALANCE"));
    }
}
