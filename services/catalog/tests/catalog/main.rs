//! The catalogue in a whole shop.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod external;
mod reviews;
