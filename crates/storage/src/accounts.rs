//! Accounts as the service knows them from events: who is banned, and who is an admin.
//!
//! A ban and its end count up one version of a user, roles another: an older event that arrives late changes nothing.

use kernel::{ADMIN_ROLE, Timestamp, UserId};

use crate::{Db, Error, Row, params};

crate::statements! {
    lookup ACCOUNT "select is_banned, ban_version, tokens_from, roles, roles_version from accounts where user_id = $1";

    claim KEEP_BAN "insert into accounts (user_id, is_banned, ban_version, tokens_from, roles, roles_version)
        values ($1, $2, $3, $4, '', 0)
        on conflict (user_id) do update set is_banned = excluded.is_banned, ban_version = excluded.ban_version,
            tokens_from = excluded.tokens_from
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
    /// The first second whose tokens are good: those of before ended with a ban, which may have ended too. `None` if no
    /// time of a ban is known.
    pub tokens_from: Option<Timestamp>,
}

impl Standing {
    /// True if a token that was issued in this second since 1970 ended with a ban.
    pub fn has_ended(&self, issued: i64) -> bool {
        self.tokens_from.is_some_and(|from| issued < from.as_second())
    }
}

/// An account as one store knows it, and how new that is: of two stores, the one with the higher version knows more of
/// its bans, or of its roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its standing there.
    pub standing: Standing,
    /// Of the newest ban or end of one; 0 if none is known.
    pub ban_version: i64,
    /// Of the newest roles; 0 if none are known.
    pub roles_version: i64,
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
        /// Of the event.
        time: Timestamp,
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
pub async fn account(db: &Db, user_id: UserId) -> Result<Account, Error> {
    let account = |row: &Row<'_>| {
        let roles: String = row.get("roles")?;
        let is_admin = roles.split(' ').any(|role| role == ADMIN_ROLE);
        let standing = Standing { is_banned: row.get("is_banned")?, is_admin, tokens_from: row.get("tokens_from")? };
        Ok(Account { standing, ban_version: row.get("ban_version")?, roles_version: row.get("roles_version")? })
    };
    Ok(db.query_one(&ACCOUNT, params![user_id], account).await?.unwrap_or_default())
}

/// Its standing alone.
pub async fn standing(db: &Db, user_id: UserId) -> Result<Standing, Error> {
    account(db, user_id).await.map(|account| account.standing)
}

/// Keeps the change at once, apart from any commit. Repeated, it changes nothing, and a newer one that is known stays.
pub async fn keep(db: &Db, change: &Change) -> Result<(), Error> {
    match change {
        Change::Ban { user_id, is_banned, version, time } => {
            let row = params![*user_id, *is_banned, *version, second_after(*time)];
            db.claim(&KEEP_BAN, row, |_| Ok(())).await?;
        }
        Change::Roles { user_id, roles, version } => {
            db.claim(&KEEP_ROLES, params![*user_id, roles.join(" "), *version, false], |_| Ok(())).await?;
        }
    }
    Ok(())
}

/// The first second whose tokens are good after a ban or its end at this time: the next one.
///
/// Tokens carry whole seconds. One from before the ban is of the second of the ban's end or of an earlier one, and so is
/// one from after it that was issued where the ban was not known yet: neither is good again. A sign-in may follow the
/// end within its second, or by a clock that is behind; its token is dated to this second, by whoever issues it.
fn second_after(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second().saturating_add(1)).unwrap_or(Timestamp::MAX)
}
