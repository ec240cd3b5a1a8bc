//! The users' table.

use kernel::{UserId, Version};
use service::storage::{self, Batch, Db, Error, Row, params};

use crate::domain::{self, User};
use crate::password::PasswordHash;

storage::statements! {
    query USER "select user_id, username, email, created_at, version from users where user_id = $1";

    query HOLDERS "select user_id, username, email, created_at, version from users
        where username_key = $1 or email_key = $2";

    insert INSERT_USER into users (
        user_id uuid, username text, username_key text, email text, email_key text,
        password_hash text, created_at time, version int,
    );

    change UPDATE_USER "update users
        set username = $1, username_key = $2, email = $3, email_key = $4, version = version + 1
        where user_id = $5 and version = $6";
}

pub(crate) async fn user(db: &Db, user_id: UserId) -> Result<Option<User>, Error> {
    db.query_one(&USER, params![user_id], user_of).await
}

/// The users who hold the name or the address: at most one each.
pub(crate) async fn holders(db: &Db, username: &str, email: &str) -> Result<Vec<User>, Error> {
    db.query(&HOLDERS, params![domain::key(username), domain::key(email)], user_of).await
}

pub(crate) fn insert(user: &User, hash: &PasswordHash) -> Batch {
    let row = params![
        user.user_id,
        &user.username,
        domain::key(&user.username),
        &user.email,
        domain::key(&user.email),
        hash.as_str(),
        user.created_at,
        user.version,
    ];
    Batch::new().insert(&INSERT_USER, row)
}

/// `read` is the version on which the change was decided.
pub(crate) fn update(changed: &User, read: Version) -> Batch {
    let row = params![
        &changed.username,
        domain::key(&changed.username),
        &changed.email,
        domain::key(&changed.email),
        changed.user_id,
    ];
    Batch::new().change(&UPDATE_USER, read, row)
}

fn user_of(row: &Row<'_>) -> Result<User, Error> {
    Ok(User {
        user_id: row.get("user_id")?,
        username: row.get("username")?,
        email: row.get("email")?,
        created_at: row.get("created_at")?,
        version: row.get("version")?,
    })
}
