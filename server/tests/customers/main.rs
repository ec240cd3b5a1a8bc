//! Customers all over the world: their words, their addresses, their mail.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod mails;
mod words;
