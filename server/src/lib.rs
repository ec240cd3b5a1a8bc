//! The process: which services run, on which broker, with which settings.
//!
//! `services.rs` is the list of services, `app` starts and stops them, `config` says with which settings.
//! Not here: business.

pub mod app;
pub mod config;
pub mod services;
