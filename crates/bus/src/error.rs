//! Errors of a broker: of its preparation and of its subscriptions.

/// The reason why a broker can't be used. Its text states the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdapterError {
    /// Somebody must change the settings or the broker: waiting does not help.
    #[error("{0}")]
    Unusable(String),
    /// It may pass without anybody doing anything, such as a broker that is still starting.
    #[error("{0}")]
    Unavailable(String),
}

/// The reason why a subscription could not be made or broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The broker can't be reached now.
    #[error("the broker is unavailable: {0}")]
    Unavailable(String),
    /// The broker said no.
    #[error("the broker refused: {0}")]
    Rejected(String),
}
