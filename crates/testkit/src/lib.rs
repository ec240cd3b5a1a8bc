//! A whole shop in one process, for tests.
//!
//! [`TestShop`] starts every service on a temporary folder, with a clock that stands still.
//! A test sends requests, calls [`TestShop::settle`], which returns once nothing is in flight, and asserts.
//! A test never sleeps: [`TestShop::advance`] moves the clock and settles what came due.

mod broker_variant;
mod customer;
mod on_servers;
mod response;
mod shop;
mod shop_location;
mod tables;
mod unknown;

pub use broker_variant::BrokerVariant;
pub use customer::{Customer, PASSWORD};
pub use on_servers::{options_on, settings_at};
pub use response::TestResponse;
pub use shop::{ADMIN_TOKEN, Call, SETTLED, Setup, TestShop, unlimited};
pub use shop_location::{SHARDS, ShopLocation};
pub use test_servers::BrokerKind;
pub use unknown::{emit, emit_about_an_unknown_order};
