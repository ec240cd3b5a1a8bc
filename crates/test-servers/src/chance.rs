//! Words and numbers that nobody else has.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A number from the operating system's chance.
pub(crate) fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// 128 bits in hexadecimal digits.
pub(crate) fn word() -> String {
    format!("{:016x}{:016x}", number(), number())
}
