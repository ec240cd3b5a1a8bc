//! Accounts and their bans in the database, and the statements of all tables.
//!
//! Alerts are written and read in `alerts`, conditions in `conditions`, by statements that stand here.

pub(crate) mod alerts;
pub(crate) mod conditions;

use kernel::{UserId, Uuid, Version};
use service::storage::{self, Batch, Db, Error, Row, params};

use crate::domain::{Ban, End, User};

/// The guard of what must hold for all admins together.
const ADMINS: &str = "admins";

storage::statements! {
    lookup USER "select user_id, is_admin, is_deleted, ban_id, version from users where user_id = $1";

    query OTHER_ADMIN "select user_id from users
        where is_admin and not is_deleted and ban_id is null and user_id <> $1 limit 1";

    upsert ADD_USER "insert into users (user_id, is_admin, roles_version, is_deleted, ban_id, version)
        values ($1, $2, 0, $3, null, $4)
        on conflict (user_id) do nothing";

    upsert PUT_ROLES "insert into users (user_id, is_admin, roles_version, is_deleted, ban_id, version)
        values ($1, $2, $3, $4, null, $5)
        on conflict (user_id) do update set is_admin = excluded.is_admin, roles_version = excluded.roles_version
        where users.roles_version < excluded.roles_version";

    upsert CLOSE_USER "insert into users (user_id, is_admin, roles_version, is_deleted, ban_id, version)
        values ($1, $2, $3, $4, null, $5)
        on conflict (user_id) do update set is_admin = excluded.is_admin, roles_version = excluded.roles_version,
            is_deleted = excluded.is_deleted
        where users.roles_version < excluded.roles_version";

    change SET_BAN "update users set ban_id = $1, version = version + 1 where user_id = $2 and version = $3";

    lookup BAN "select ban_id, user_id, reason, banned_by, banned_at, unbanned_by, unbanned_at, version
        from bans where ban_id = $1";

    query BANS_OF_USER "select ban_id, user_id, reason, banned_by, banned_at, unbanned_by, unbanned_at, version
        from bans where user_id = $1 order by ban_id desc limit $2";

    insert INSERT_BAN into bans (
        ban_id uuid, user_id uuid, reason text, banned_by text, banned_at time, version int,
    );

    change END_BAN "update bans set unbanned_by = $1, unbanned_at = $2, version = version + 1
        where ban_id = $3 and version = $4";

    change DELETE_BAN "delete from bans where ban_id = $1 and version = $2";

    lookup GUARD "select version from guards where name = $1";

    change CHANGE_GUARD "update guards set version = version + 1 where name = $1 and version = $2";

    lookup ALERTS "select alert_id, kind, subject, status, detail, since, acknowledged_by, acknowledged_at,
            resolved_at, mailed_at, version
        from alerts where alert_id = any($1)";

    query ALERT_PAGE "select alert_id, kind, subject, status, detail, since, acknowledged_by, acknowledged_at,
            resolved_at, mailed_at, version
        from alerts where (status = $1 or $1 is null) and (kind = $2 or $2 is null) and alert_id < $3
        order by alert_id desc limit $4";

    query UNMAILED "select alert_id, kind, subject, status, detail, since, acknowledged_by, acknowledged_at,
            resolved_at, mailed_at, version
        from alerts where status = 'open' and mailed_at is null order by alert_id limit $1";

    query EXPIRED_ALERTS "select alert_id, version from alerts where resolved_at < $1 order by resolved_at limit $2";

    insert INSERT_ALERT into alerts (
        alert_id uuid, kind text, subject text, status text, detail text, since time, version int,
    );

    change SET_ALERT "update alerts set status = $2, detail = $3, since = $4, acknowledged_by = $5,
            acknowledged_at = $6, resolved_at = $7, mailed_at = $8, version = version + 1
        where alert_id = $1 and version = $9";

    change DELETE_ALERT "delete from alerts where alert_id = $1 and version = $2";

    lookup CONDITIONS "select subject, state, alert_id, version from conditions
        where kind = $1 and subject = any($2)";

    query EXPIRED_CONDITIONS "select kind, subject, version from conditions
        where alert_id is null and changed_at < $1 order by changed_at limit $2";

    insert INSERT_CONDITION into conditions (
        kind text, subject text, state json, alert_id uuid, changed_at time, version int,
    );

    change SET_CONDITION "update conditions set state = $3, alert_id = $4, changed_at = $5, version = version + 1
        where kind = $1 and subject = $2 and version = $6";

    change DELETE_CONDITION "delete from conditions where kind = $1 and subject = $2 and version = $3";

    lookup LAST_DIGEST "select sent_at, version from digests where name = $1";

    change SET_LAST_DIGEST "update digests set sent_at = $2, version = version + 1 where name = $1 and version = $3";
}

/// The account, if there is one.
pub(crate) async fn user(db: &Db, user_id: UserId) -> Result<Option<User>, Error> {
    let found = db.query_one(&USER, params![user_id], user_of).await?;
    Ok(found.filter(|user| !user.is_deleted))
}

/// True if an account beside this one is an admin and not banned.
pub(crate) async fn has_other_admin(db: &Db, user_id: UserId) -> Result<bool, Error> {
    let found = db.query_one(&OTHER_ADMIN, params![user_id], |row| row.get::<UserId>("user_id"));
    Ok(found.await?.is_some())
}

/// The version of what stands for all admins together.
pub(crate) async fn admins_guard(db: &Db) -> Result<Option<Version>, Error> {
    db.query_one(&GUARD, params![ADMINS], |row| row.get("version")).await
}

/// An admin is banned: `read` is the version at which the others were looked for.
pub(crate) fn note_loss_of_admin(read: Version) -> Batch {
    Batch::new().change(&CHANGE_GUARD, read, params![ADMINS])
}

/// Somebody opened an account.
pub(crate) fn add(user_id: UserId) -> Batch {
    Batch::new().upsert(&ADD_USER, params![user_id, false, false, Version::FIRST])
}

/// The account is an admin from now on, or none. `version` is that of the report.
pub(crate) fn put_roles(user_id: UserId, is_admin: bool, version: i64) -> Batch {
    Batch::new().upsert(&PUT_ROLES, params![user_id, is_admin, version, false, Version::FIRST])
}

/// The account was closed. `version` is that of the report, which is the last.
pub(crate) fn close(user_id: UserId, version: i64) -> Batch {
    Batch::new().upsert(&CLOSE_USER, params![user_id, false, version, true, Version::FIRST])
}

/// The account after a ban or its end; `read` is the version on which it was decided.
pub(crate) fn set_ban(changed: &User, read: Version) -> Batch {
    Batch::new().change(&SET_BAN, read, params![changed.ban_id.map(Uuid::from), changed.user_id])
}

pub(crate) async fn ban(db: &Db, ban_id: Uuid) -> Result<Option<Ban>, Error> {
    db.query_one(&BAN, params![ban_id], ban_of).await
}

/// The bans of an account, the newest first.
pub(crate) async fn bans(db: &Db, user_id: UserId, limit: i64) -> Result<Vec<Ban>, Error> {
    db.query(&BANS_OF_USER, params![user_id, limit], ban_of).await
}

pub(crate) fn insert_ban(ban: &Ban) -> Batch {
    let row = params![Uuid::from(ban.ban_id), ban.user_id, &ban.reason, &ban.banned_by, ban.banned_at, ban.version];
    Batch::new().insert(&INSERT_BAN, row)
}

pub(crate) fn end_ban(ban: &Ban, end: &End) -> Batch {
    Batch::new().change(&END_BAN, ban.version, params![&end.unbanned_by, end.unbanned_at, Uuid::from(ban.ban_id)])
}

pub(crate) fn delete_ban(ban: &Ban) -> Batch {
    Batch::new().change(&DELETE_BAN, ban.version, params![Uuid::from(ban.ban_id)])
}

fn user_of(row: &Row<'_>) -> Result<User, Error> {
    Ok(User {
        user_id: row.get("user_id")?,
        is_admin: row.get("is_admin")?,
        is_deleted: row.get("is_deleted")?,
        ban_id: row.get::<Option<Uuid>>("ban_id")?.map(Into::into),
        version: row.get("version")?,
    })
}

fn ban_of(row: &Row<'_>) -> Result<Ban, Error> {
    let (unbanned_by, unbanned_at) = (row.get::<Option<String>>("unbanned_by")?, row.get("unbanned_at")?);
    Ok(Ban {
        ban_id: row.get::<Uuid>("ban_id")?.into(),
        user_id: row.get("user_id")?,
        reason: row.get("reason")?,
        banned_by: row.get("banned_by")?,
        banned_at: row.get("banned_at")?,
        end: unbanned_by.zip(unbanned_at).map(|(unbanned_by, unbanned_at)| End { unbanned_by, unbanned_at }),
        version: row.get("version")?,
    })
}
