//! The scripts that run on the server. Each is done whole, with nothing of another client in between.

use redis::Cmd;

/// Appends an entry to every stream that receives its type.
pub(crate) const PUBLISH: &str = include_str!("lua/publish.lua");

/// Takes entries of a stream for the subscription that holds it.
pub(crate) const TAKE: &str = include_str!("lua/take.lua");

/// Removes settled entries.
pub(crate) const SETTLE: &str = include_str!("lua/settle.lua");

/// Renews leases.
pub(crate) const RENEW: &str = include_str!("lua/renew.lua");

/// Ends a lease.
pub(crate) const RELEASE: &str = include_str!("lua/release.lua");

/// Adds a generation to routes.
pub(crate) const BIND: &str = include_str!("lua/bind.lua");

/// Removes a generation from routes.
pub(crate) const UNBIND: &str = include_str!("lua/unbind.lua");

/// Runs a script with these keys; its arguments are to be added. The script goes with each call, for a server that was
/// restarted has forgotten those that it knew.
pub(crate) fn eval<'a>(script: &str, keys: impl IntoIterator<Item = &'a str>) -> Cmd {
    let keys: Vec<&str> = keys.into_iter().collect();
    let mut command = redis::cmd("EVAL");
    command.arg(script).arg(keys.len()).arg(keys);
    command
}
