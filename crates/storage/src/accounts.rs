//! Accounts as the service knows them from events: who is banned, and who is an admin.
//!
//! A ban and its end count up one version of a user, roles another: an older event that arrives late changes nothing.

use kernel::UserId;

use crate::{Db, Error, Row, params};

/// The role of those who may do what the admin token may.
const ADMIN: &str = "admin";

crate::statements! {
    lookup STANDING "select is_banned, roles from accounts where user_id = $1";

    claim KEEP_BAN "insert into accounts (user_id, is_banned, ban_version, roles, roles_version)
        values ($1, $2, $3, '', 0)
        on conflict (user_id) do update set is_banned = excluded.is_banned, ban_version = excluded.ban_version
        where accounts.ban_version < excluded.ban_version
        returning user_id";

    claim KEEP_ROLES "insert into accounts (user_id, roles, roles_version, is_banned, ban_version)
        values ($1, $2, $3, $4, 0)
        on conflict (user_id) do update set roles = excluded.roles, roles_version = excluded.roles_version
        where accounts.roles_version < excluded.roles_version
        returning user_id";
}

/// The rights of an account beyond those of any customer, or the loss of them. An account of which no event said
/// anything has neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Shut out.
    pub is_banned: bool,
    /// Has the role `admin`.
    pub is_admin: bool,
}

/// The part of an account that an event reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Banned, or no longer.
    Ban {
        /// The account.
        user_id: UserId,
        /// True if it is banned from now on.
        is_banned: bool,
        /// Of the ban: one count for bans and their ends.
        version: i64,
    },
    /// Other roles.
    Roles {
        /// The account.
        user_id: UserId,
        /// All of its roles.
        roles: Vec<String>,
        /// Of the roles.
        version: i64,
    },
}

/// The account as this store knows it now.
pub async fn standing(db: &Db, user_id: UserId) -> Result<Standing, Error> {
    let standing = |row: &Row<'_>| {
        let roles: String = row.get("roles")?;
        let is_admin = roles.split(' ').any(|role| role == ADMIN);
        Ok(Standing { is_banned: row.get("is_banned")?, is_admin })
    };
    Ok(db.query_one(&STANDING, params![user_id], standing).await?.unwrap_or_default())
}

/// Keeps the change at once, apart from any commit. Repeated, it changes nothing, and a newer one that is known stays.
pub async fn keep(db: &Db, change: &Change) -> Result<(), Error> {
    match change {
        Change::Ban { user_id, is_banned, version } => {
            db.claim(&KEEP_BAN, params![*user_id, *is_banned, *version], |_| Ok(())).await?;
        }
        Change::Roles { user_id, roles, version } => {
            db.claim(&KEEP_ROLES, params![*user_id, roles.join(" "), *version, false], |_| Ok(())).await?;
        }
    }
    Ok(())
}
