//! A question of the operator: one type that says its path, its answer, and how a service answers.

use std::time::Duration;

use http::OPERATOR_PATH;
use serde::Serialize;
use serde::de::DeserializeOwned;
use storage::Error;

use super::Operator;

/// Events or dead letters of one answer at most. A longer limit counts as this one.
pub const ROWS_MAX: i64 = 1_000;

/// The longest wait of an answer for events to come: shorter than what any answer may take.
pub const WAIT_MAX: Duration = Duration::from_secs(20);

/// A question that a console asks a service, in its process or over HTTP.
///
/// Whichever instance of a service answers, it answers from the store that all of them share.
/// The forms of question and answer are for consoles and services of the same version, or of neighbouring ones.
pub trait Question: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The last part of its path, the same in all versions.
    const NAME: &'static str;

    /// The answer, which refuses to be read if it has fields that this version doesn't know.
    type Answer: Serialize + DeserializeOwned + Send;

    /// Answers it for a service.
    fn answer(self, operator: &Operator) -> impl Future<Output = Result<Self::Answer, Error>> + Send;

    /// The time that the answer may wait for something to happen, beyond what reading takes.
    fn may_wait(&self) -> Duration {
        Duration::ZERO
    }
}

/// The path at which a service answers a kind of question.
pub fn path<Q: Question>(service: &str) -> String {
    format!("{OPERATOR_PATH}{service}/{}", Q::NAME)
}

/// Rows that are read for a limit that was asked for.
pub(super) fn rows(limit: i64) -> i64 {
    limit.clamp(1, ROWS_MAX)
}
