//! The files of `deploy/`, `compose.yaml` and `Dockerfile` are held to the binary: settings, ports, commands, routes,
//! metrics, events. Nothing here starts a container.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alerts;
mod broker;
mod commands;
mod files;
mod generated;
mod hardening;
mod ports;
mod proxy;
mod rights;
mod secrets;
mod variables;
