//! The commands against a server that answers what a test wants: requests, output and exit codes.

#![expect(clippy::unwrap_used, reason = "a test that can't go on says where it stopped")]

mod alerts;
mod analytics;
mod operations;
mod orders;
mod payments;
mod process;
mod products;
mod reviews;
mod shipments;
mod shop;
mod suppliers;
mod users;
mod webhooks;
