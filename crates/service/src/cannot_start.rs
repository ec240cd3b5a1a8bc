//! The failure of a start: a store, or settings that contradict it.

/// The failure of a start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotStart {
    /// Its store can't be read or written.
    #[error(transparent)]
    Store(#[from] storage::Error),
    /// The settings contradict what is stored: the text says what to change. Waiting won't mend it.
    #[error("{0}")]
    Refused(String),
}

impl CannotStart {
    /// True if only a person can mend it: another try would end in the same way.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Store(storage::Error::Unusable { .. }))
    }
}
