//! The machinery at work: a few small services in one process, whose handlers do what each test's script says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod catch_up;
mod crashes;
mod deliveries;
mod http;
mod relay;
mod retries;
mod selections;
mod support;
mod timers;
mod traces;
