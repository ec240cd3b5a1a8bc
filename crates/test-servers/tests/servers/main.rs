//! The servers and the proxy do what tests rely on.

mod holder;
mod postgres;
mod proxy;
mod rabbitmq;
mod redis;
