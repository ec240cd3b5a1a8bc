//! The failure of a reaction or a timer, and its consequence.

/// The answer of a handler of deliveries or timers instead of a commit.
///
/// A business "no" is no failure: it is an event, or a batch that changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// May pass: try again later, on the durable schedule. The last attempt parks.
    Retry(String),
    /// Won't pass by itself: park it as a dead letter at once.
    Park(String),
    /// A row had changed since it was read: read and decide again. No attempt is counted.
    Conflict(String),
    /// The cause was dealt with before.
    AlreadyDone,
    /// The store can't work now: nothing is acknowledged, and consumption pauses.
    StoreUnavailable(String),
}

impl Failure {
    /// A failure that may pass.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry(reason.into())
    }

    /// A failure that won't pass by itself.
    pub fn park(reason: impl Into<String>) -> Self {
        Self::Park(reason.into())
    }
}

impl From<storage::Error> for Failure {
    fn from(error: storage::Error) -> Self {
        use storage::Error;
        match error {
            Error::Conflict { .. } => Self::Conflict(error.to_string()),
            Error::AlreadyDone { .. } | Error::LeaseLost { .. } => Self::AlreadyDone,
            // After an unknown outcome the delivery is redelivered, and the inbox knows if it was handled.
            Error::Unavailable { .. } | Error::Unknown { .. } | Error::Unusable { .. } | Error::OutboxFull { .. } => {
                Self::StoreUnavailable(error.to_string())
            }
            Error::Corrupt { .. } | Error::Broken { .. } | Error::Newer { .. } => Self::Park(error.to_string()),
        }
    }
}
