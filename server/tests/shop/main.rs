//! The shop with all its services, in the test's own process: what needs no second one.
//!
//! One program, because each is the whole shop to link and 140 MB to keep.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod alerts;
mod analytics;
mod back_in_stock;
mod bad_input;
mod conditions;
mod customers;
mod dashboard;
mod description;
mod dropped;
mod flows;
mod fulfilment;
mod fulfilment_refunds;
mod idempotency;
mod numbers;
mod operations;
mod owners;
mod peers;
mod rebuild;
mod replenishment;
mod republish;
mod roles;
mod schemas;
mod selections;
mod settled;
mod takeover;
mod waiting;
mod webhooks;
