//! Payments in a whole shop, and the tables that hold them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod migration;
mod refunds;
