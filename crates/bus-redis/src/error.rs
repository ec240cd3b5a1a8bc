//! Errors of the broker: of its configuration, of its use, and of single calls.

use redis::{ErrorKind, RedisError};

use crate::address::Address;

/// Words with which Redis says that a script lacks a right: the code of such an answer is that of any error.
const FORBIDDEN: [&str; 2] = ["The user executing the script", "ACL failure in script"];

/// The reason why there can be no such broker, whatever the network does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The URL can't be read.
    #[error("the broker's URL is not like redis://USER:PASSWORD@HOST:6379/DATABASE?prefix=PREFIX: {detail}")]
    Url {
        /// Its defect, without its contents.
        detail: String,
    },
    /// The URL asks for encryption, and this program has none for Redis.
    #[error("this program was built without TLS for Redis: use redis://, or build it with the feature `redis-tls`")]
    NoTls,
    /// The URL names certificates that can't be had, or has no use for them.
    #[error("cacertfile {path}: {detail}")]
    Certificates {
        /// The file.
        path: String,
        /// The defect.
        detail: String,
    },
}

/// The reason why the broker can't be used. Its text states the remedy, on one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Nothing answers.
    #[error("no Redis can be reached at {place} ({detail}): is it running, and are host and port of the URL right?")]
    Unreachable {
        /// Host and port.
        place: String,
        /// The network's error.
        detail: String,
    },
    /// Something takes connections and says nothing.
    #[error("what listens at {place} does not answer: is Redis overloaded or held, or is it another port?")]
    Silent {
        /// Host and port.
        place: String,
    },
    /// Something answers, and it is no Redis.
    #[error("what answers at {place} does not speak Redis's protocol: its port is 6379, as a rule")]
    NotRedis {
        /// Host and port.
        place: String,
    },
    /// Nobody who is trusted says that it is the host of the URL.
    #[error(
        "the certificate of Redis at {place} is not trusted ({detail}): name the host as it does, and the file of its \
         authority by `cacertfile=FILE` at the end of the URL"
    )]
    Untrusted {
        /// Host and port.
        place: String,
        /// The defect of the certificate.
        detail: String,
    },
    /// The user or the password is wrong.
    #[error("Redis refuses the user {user:?} with this password: correct the URL, or `ACL SETUSER`")]
    Password {
        /// The user.
        user: String,
    },
    /// There is no such database.
    #[error("Redis has no database {database}: correct the end of the URL, or the setting `databases` of Redis")]
    NoDatabase {
        /// Its number.
        database: i64,
    },
    /// The user lacks a right.
    #[error(
        "the user {user:?} lacks a right: `ACL SETUSER {user} {rights}` gives those that are needed, for the keys that \
         are used ({detail})"
    )]
    Permission {
        /// The user.
        user: String,
        /// The rights that are needed, as Redis writes them.
        rights: String,
        /// The missing right, as Redis states it.
        detail: String,
    },
    /// It lacks what is needed.
    #[error("it is Redis {version}, and 6.2 is the oldest that can be used: install a newer one")]
    TooOld {
        /// Its version.
        version: String,
    },
    /// It is a node of a cluster.
    #[error(
        "Redis at {place} is a node of a cluster, and clusters are not supported, for an event is stored for all its \
         consumers at once: use a server with `cluster-enabled no`"
    )]
    Cluster {
        /// Host and port.
        place: String,
    },
    /// It removes data when its memory is full.
    #[error(
        "Redis removes data when its memory is full (`maxmemory-policy {policy}`): set `maxmemory-policy noeviction`"
    )]
    Evicts {
        /// Its policy.
        policy: String,
    },
    /// It is a copy of another server, as it is for a while when servers change roles.
    #[error("Redis at {place} is a read-only replica: use the address of its primary")]
    Replica {
        /// Host and port.
        place: String,
    },
    /// Too few servers have copies.
    #[error("the URL asks for {wanted} replicas, and Redis has {connected}: start them, or correct `wait_replicas`")]
    TooFewReplicas {
        /// As many as the URL asks for.
        wanted: u32,
        /// As many as there are.
        connected: u32,
    },
    /// A key has a name of ours and is something else.
    #[error(
        "a key of another type has a name of ours: rename or delete it, or choose another `prefix` in the URL ({detail})"
    )]
    WrongType {
        /// The key, as Redis states it.
        detail: String,
    },
    /// A stream or its group is not there.
    #[error("{name} is not there: run `tradepost migrate`, which makes it")]
    Missing {
        /// Its name.
        name: String,
    },
    /// Something else went wrong.
    #[error("Redis at {place} can't be used: {detail}")]
    Other {
        /// Host and port.
        place: String,
        /// The last observation.
        detail: String,
    },
}

/// The reason why no broker could be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReachError {
    /// The URL names none.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It can't be used.
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

impl Unusable {
    /// True if it may pass by itself.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Silent { .. }
                | Self::Replica { .. }
                | Self::TooFewReplicas { .. }
                | Self::Other { .. }
        )
    }

    /// The meaning of a failed connection.
    pub(crate) fn connecting(address: &Address, error: &RedisError) -> Self {
        let (place, detail) = (address.place(), said(error));
        if error.is_timeout() {
            return Self::Silent { place };
        }
        match error.kind() {
            ErrorKind::AuthenticationFailed => Self::Password { user: address.user().to_owned() },
            ErrorKind::Parse => Self::NotRedis { place },
            _ if detail.contains("certificate") => Self::Untrusted { place, detail },
            ErrorKind::Io => Self::Unreachable { place, detail },
            // These are words of the client's library, which keeps no code of such an answer.
            _ if error.to_string().contains("refused to switch database") => Self::selecting(address, detail),
            _ => Self::answering(address, code(error), detail),
        }
    }

    /// The meaning of a failed call.
    pub(crate) fn calling(address: &Address, error: &CallError) -> Self {
        Self::answering(address, error.code(), error.to_string())
    }

    fn answering(address: &Address, code: Option<&str>, detail: String) -> Self {
        let user = address.user().to_owned();
        match code {
            Some("NOAUTH" | "WRONGPASS") => Self::Password { user },
            Some("NOPERM") => Self::Permission { user, rights: address.rights(), detail },
            Some("WRONGTYPE") => Self::WrongType { detail },
            Some("READONLY") => Self::Replica { place: address.place() },
            _ => Self::Other { place: address.place(), detail },
        }
    }

    /// The meaning of a refusal of the database.
    fn selecting(address: &Address, detail: String) -> Self {
        let (user, database) = (address.user().to_owned(), address.database());
        if detail.contains("out of range") || detail.contains("invalid DB index") {
            Self::NoDatabase { database }
        } else if detail.contains("Authentication required") {
            Self::Password { user }
        } else if detail.contains("permission") {
            Self::Permission { user, rights: address.rights(), detail }
        } else {
            Self::Other { place: address.place(), detail }
        }
    }
}

/// The reason why a call of the broker failed.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("{}", said(.0))]
    Failed(RedisError),
    /// Redis names the key only where a script does.
    #[error("{0}")]
    WrongType(String),
    #[error("{0}")]
    Late(String),
}

impl CallError {
    /// The code with which Redis said no, if it was Redis.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Failed(error) => code(error),
            Self::WrongType(_) => Some("WRONGTYPE"),
            Self::Late(_) => None,
        }
    }

    /// True if Redis would answer the same again: somebody must repair something.
    pub fn is_final(&self) -> bool {
        matches!(self.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM" | "WRONGTYPE"))
    }
}

/// The code with which Redis said no, if it was Redis: the first word of its answer.
fn code(error: &RedisError) -> Option<&str> {
    let is_forbidden = error.detail().is_some_and(|detail| FORBIDDEN.iter().any(|words| detail.contains(words)));
    if is_forbidden { Some("NOPERM") } else { error.code() }
}

/// The words of Redis, or of the network.
fn said(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    }
}
