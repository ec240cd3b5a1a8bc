//! Points in a whole shop, and in a program of their own that joins one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod flow;
mod guide;
mod joins;
mod process;
mod running_shop;
