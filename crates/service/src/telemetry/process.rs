//! The process, as those see it who watch several.

use kernel::{Timestamp, Uuid};
use serde::{Deserialize, Serialize};

/// A process of the shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// An id, made of its start to the nanosecond and its number: counts of a process begin anew with another one.
    pub id: Uuid,
    /// The version of the program.
    pub version: String,
    /// The start.
    pub started_at: Timestamp,
    /// Memory that it holds, in bytes, where the system says so.
    pub memory_bytes: Option<u64>,
}

/// Bytes of a page of memory, on all systems that have the file which is read here.
const PAGE_BYTES: u64 = 4_096;

impl Process {
    /// This one, which started then.
    pub(super) fn started(started_at: Timestamp) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let id = (started_at.as_nanosecond().cast_unsigned() << 32) | u128::from(std::process::id());
        Self { id: Uuid::from_u128(id), version, started_at, memory_bytes: None }
    }

    /// The same with the memory that it holds now.
    pub(super) fn now(&self) -> Self {
        Self { memory_bytes: memory_bytes(), ..self.clone() }
    }
}

/// The second field of Linux's `statm` counts pages in memory.
fn memory_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}
