//! Optimistic versions of aggregates.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Number of changes of an aggregate: the guard of its next change, and the `sequence` of the event that reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = i64, example = 1)]
pub struct Version(i64);

impl Version {
    /// The version that an aggregate begins with.
    pub const FIRST: Self = Self(1);

    /// The version that a stored row or an event shows. To be read, never to be made up.
    pub const fn from_stored(version: i64) -> Self {
        Self(version)
    }

    /// The version after one more change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// As a number, for rows and events.
    pub const fn get(self) -> i64 {
        self.0
    }
}
