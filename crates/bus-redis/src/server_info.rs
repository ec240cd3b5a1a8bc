//! The server's own words: its version, its role, and its settings that decide what survives.

use std::collections::HashMap;
use std::fmt;

use redis::Value;
use redis::aio::MultiplexedConnection;

use crate::address::Address;
use crate::connection::{call, call_all, text};
use crate::error::{CallError, Unusable};

/// The oldest version that has all commands that are used.
const OLDEST: (u32, u32) = (6, 2);

/// A Redis: its name, its version, and what it promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// `Redis` or `Valkey`.
    pub product: String,
    /// Such as `7.0.15`.
    pub version: String,
    /// The durability of what it confirmed.
    pub durability: Durability,
}

/// The durability of what a Redis confirmed, as its settings say. Displays as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durability {
    /// True if it appends what changes its data to a file.
    pub appends: bool,
    /// The flushing of that file to the disk, such as `everysec`; `None` if it may not be looked at.
    pub flush: Option<String>,
    /// True if the user `default` may not do everything. As this user a server reads its file again, and before Redis 8.4
    /// it drops every transaction that the user may not do, so what scripts wrote
    /// (<https://github.com/redis/redis/issues/14541>).
    pub forgets_scripts: bool,
    /// Connected replicas.
    pub replicas: u32,
    /// Replicas that must have an event before it counts as stored.
    pub wait_replicas: u32,
}

impl Durability {
    /// True if everything that was stored survives the end of the process.
    pub fn survives_restart(&self) -> bool {
        self.appends && self.flush.as_deref() == Some("always") && !self.forgets_scripts
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let promise = match (self.appends, self.flush.as_deref()) {
            _ if self.forgets_scripts => {
                "a restart loses the events that wait, for the user `default` may not do everything, and as this user Redis \
                 reads its file again: `ACL SETUSER default off ~* &* +@all`"
            }
            (false, _) => "events are in memory only, and a restart loses those that wait (`appendonly no`)",
            (true, Some("always")) => "events that are stored survive kill -9 and power loss (`appendfsync always`)",
            (true, Some("everysec")) => {
                "power loss can lose the last second, and `tradepost events republish` brings it back \
                 (`appendfsync everysec`)"
            }
            (true, Some(_)) => "power loss can lose what the system has not written yet (`appendfsync no`)",
            (true, None) => {
                "events are appended to a file, and how often that is flushed can't be looked at: CONFIG is forbidden"
            }
        };
        f.write_str(promise)?;
        match (self.replicas, self.wait_replicas) {
            (0, 0) => Ok(()),
            (replicas, 0) => write!(
                f,
                "; {replicas} replicas follow, and a failover can lose what they do not have yet (`wait_replicas` waits)"
            ),
            (replicas, wanted) => write!(f, "; stored means that {wanted} of {replicas} replicas have it too"),
        }
    }
}

/// Asks a server what it is. An error if it can't be used.
pub(crate) async fn ask(connection: &MultiplexedConnection, address: &Address) -> Result<ServerInfo, Unusable> {
    let asked = call(connection, "asking for INFO", &redis::cmd("INFO")).await;
    let info = asked.map_err(|error| Unusable::calling(address, &error))?;
    let info = text(&info).unwrap_or_default();
    let settings = Settings::ask(connection).await.map_err(|error| Unusable::calling(address, &error))?;
    judge(&parse(&info), settings, address)
}

/// Settings that this user or this service may be forbidden to look at.
#[derive(Clone, Debug, Default)]
struct Settings {
    /// The value of `appendfsync`, if it may be looked at.
    flush: Option<String>,
    /// True if the user `default` is seen to have less than all rights.
    default_is_limited: bool,
}

impl Settings {
    async fn ask(connection: &MultiplexedConnection) -> Result<Self, CallError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("CONFIG").arg("GET").arg("appendfsync");
        pipeline.cmd("ACL").arg("GETUSER").arg("default");
        let answers = call_all(connection, "asking for settings", &pipeline).await?;
        let list = |at: usize| match answers.get(at) {
            Some(Value::Array(parts)) => parts.as_slice(),
            _ => &[],
        };
        Ok(Self { flush: list(0).get(1).and_then(text), default_is_limited: is_limited(list(1)) })
    }
}

/// True if a user may not do every command with every key. The answer has names and values in turn; the rights
/// are flags in Redis 6, and rules since 7.
fn is_limited(user: &[Value]) -> bool {
    let texts = |value: &Value| match value {
        Value::Array(values) => values.iter().filter_map(text).collect::<Vec<_>>(),
        value => text(value).into_iter().collect(),
    };
    let of = |name: &str| {
        let values = user.chunks(2).filter(|pair| pair.first().and_then(text).as_deref() == Some(name));
        values.filter_map(|pair| pair.get(1)).flat_map(texts).collect::<Vec<_>>()
    };
    let (flags, commands, keys) = (of("flags"), of("commands"), of("keys"));
    let has = |flag: &str| flags.iter().any(|it| it == flag);
    let all_commands = has("allcommands") || commands.iter().any(|rules| rules == "+@all");
    let all_keys = has("allkeys") || keys.iter().any(|rules| rules == "~*");
    // That it is off matters to nobody but who would connect.
    let is_known = !user.is_empty();
    is_known && (!all_commands || !all_keys)
}

/// The lines of INFO: `name:value`.
fn parse(info: &str) -> HashMap<&str, &str> {
    info.lines().filter_map(|line| line.trim_end().split_once(':')).collect()
}

fn judge(info: &HashMap<&str, &str>, settings: Settings, address: &Address) -> Result<ServerInfo, Unusable> {
    let line = |name: &str| info.get(name).copied().unwrap_or_default();
    let version = line("redis_version");
    if !is_new_enough(version) {
        return Err(Unusable::TooOld { version: version.to_owned() });
    }
    if line("cluster_enabled") == "1" || line("redis_mode") == "cluster" {
        return Err(Unusable::Cluster { place: address.place() });
    }
    let policy = line("maxmemory_policy");
    if policy != "noeviction" {
        return Err(Unusable::Evicts { policy: policy.to_owned() });
    }
    if line("role") == "slave" {
        return Err(Unusable::Replica { place: address.place() });
    }
    let (product, version) = match line("valkey_version") {
        "" => ("Redis", version),
        valkey => ("Valkey", valkey),
    };
    let durability = Durability {
        appends: line("aof_enabled") == "1",
        flush: settings.flush,
        forgets_scripts: settings.default_is_limited,
        replicas: line("connected_slaves").parse().unwrap_or(0),
        wait_replicas: address.wait_replicas(),
    };
    Ok(ServerInfo { product: product.to_owned(), version: version.to_owned(), durability })
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= OLDEST
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nos:Linux 6.1\r\n\
        # Memory\r\nmaxmemory_policy:noeviction\r\n# Persistence\r\naof_enabled:1\r\n\
        # Replication\r\nrole:master\r\nconnected_slaves:1\r\n# Cluster\r\ncluster_enabled:0\r\n";

    fn judged(info: &str) -> Result<ServerInfo, Unusable> {
        let address = Address::parse("redis://localhost").unwrap();
        judge(&parse(info), Settings { flush: Some("always".to_owned()), ..Settings::default() }, &address)
    }

    #[test]
    fn a_server_that_can_be_used_is_named() {
        let info = judged(INFO).unwrap();
        assert_eq!((info.product.as_str(), info.version.as_str()), ("Redis", "7.0.15"));
        assert!(info.durability.survives_restart());
        assert_eq!(judged(&format!("{INFO}valkey_version:8.1.0\r\n")).unwrap().product, "Valkey");
    }

    #[test]
    fn a_server_that_loses_or_partitions_data_is_refused() {
        let with = |from: &str, to: &str| judged(&INFO.replace(from, to)).unwrap_err();
        assert!(matches!(with("7.0.15", "6.0.16"), Unusable::TooOld { version } if version == "6.0.16"));
        assert!(matches!(with("7.0.15", "5.0"), Unusable::TooOld { .. }));
        assert!(matches!(with("cluster_enabled:0", "cluster_enabled:1"), Unusable::Cluster { .. }));
        assert!(matches!(with("noeviction", "allkeys-lru"), Unusable::Evicts { policy } if policy == "allkeys-lru"));
        assert!(with("role:master", "role:slave").may_pass());
        assert!(judged(&INFO.replace("7.0.15", "6.2.0")).is_ok());
    }

    #[test]
    fn a_default_user_without_all_rights_is_seen_in_each_form_of_the_answer() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let user = |flags: &[&str], commands: &str, keys: Value| {
            let flags = Value::Array(flags.iter().map(|flag| text(flag)).collect());
            [text("flags"), flags, text("commands"), text(commands), text("keys"), keys]
        };
        let all = || Value::Array(vec![text("*")]);
        assert!(!is_limited(&user(&["on", "allkeys", "allcommands"], "+@all", all())));
        assert!(!is_limited(&user(&["on", "nopass"], "+@all", text("~*"))));
        assert!(!is_limited(&[]), "it may not be looked at");
        assert!(!is_limited(&user(&["off"], "+@all", text("~*"))));
        assert!(is_limited(&user(&["off"], "-@all", text("~*"))));
        assert!(is_limited(&user(&["on"], "+@all", text("~a:*"))));
    }

    #[test]
    fn the_promise_follows_from_the_settings() {
        let said = |appends, flush: Option<&str>, replicas, wait_replicas| {
            let flush = flush.map(str::to_owned);
            Durability { appends, flush, replicas, wait_replicas, forgets_scripts: false }.to_string()
        };
        assert!(said(false, Some("everysec"), 0, 0).contains("in memory only"));
        assert!(said(true, Some("always"), 0, 0).ends_with("survive kill -9 and power loss (`appendfsync always`)"));
        assert!(said(true, Some("everysec"), 0, 0).contains("events republish"));
        assert!(said(true, None, 0, 0).contains("CONFIG is forbidden"));
        assert!(said(true, Some("always"), 2, 0).contains("2 replicas follow"));
        assert!(said(true, Some("always"), 2, 1).contains("1 of 2 replicas"));
    }
}
