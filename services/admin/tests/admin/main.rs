//! The console for admins in a whole shop.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod alerts;
