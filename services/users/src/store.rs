//! Users, their sign-ins and links, and the keys that sign their tokens, in the database.

use kernel::{SessionId, Timestamp, UserId, Uuid, Version, email};
use service::TimerKind;
use service::storage::{self, Batch, Db, Error, Row, params};

use crate::domain::{self, Link, PrivateKey, Role, SESSIONS_MAX, Session, SigningKey, Times, User};
use crate::password::PasswordHash;

/// Set when a user signs in, removed when they sign out.
pub(crate) const EXPIRE_SESSION: TimerKind = TimerKind::internal("expire_session");

/// Set with each key that signs.
pub(crate) const ROTATE_SIGNING_KEY: TimerKind = TimerKind::internal("rotate_signing_key");

/// Set when somebody asks for a new password.
pub(crate) const SEND_RESET_LINK: TimerKind = TimerKind::internal("send_reset_link");

/// Sign-ins of a user that are read at the most: more than the bound, so that what went beyond it is seen.
const SESSIONS_READ: i64 = 100;

storage::statements! {
    lookup USER "select user_id, username, email, email_verified_at, created_at, roles, version from users
        where user_id = $1";

    query HOLDERS "select user_id, username, email, email_verified_at, created_at, roles, version from users
        where username_key = $1 or email_key = $2";

    lookup USER_WITH_EMAIL "select user_id, username, email, email_verified_at, created_at, roles, version from users
        where email_key = $1";

    query USERS_BEFORE "select user_id, username, email, email_verified_at, created_at, roles, version from users
        where user_id < $1 order by user_id desc limit $2";

    change SET_ROLES "update users set roles = $1, version = version + 1 where user_id = $2 and version = $3";

    query OTHER_HOLDER "select user_id from users
        where roles <> '' and roles = $1 and user_id <> $2 and not exists (
            select 1 from accounts where accounts.user_id = users.user_id and accounts.is_banned = $3)
        limit 1";

    lookup ROLE_GUARD "select version from role_guards where role = $1";

    change CHANGE_ROLE_GUARD "update role_guards set version = version + 1 where role = $1 and version = $2";

    insert INSERT_USER into users (
        user_id uuid, username text, username_key text, email text, email_key text,
        password_hash text, created_at time, version int,
    );

    change UPDATE_USER "update users
        set username = $1, username_key = $2, email = $3, email_key = $4, email_verified_at = $5,
            version = version + 1
        where user_id = $6 and version = $7";

    lookup CLOSED_ACCOUNT "select user_id from closed_accounts where user_id = $1";

    upsert CLOSE_ACCOUNT "insert into closed_accounts (user_id) values ($1) on conflict (user_id) do nothing";

    change DELETE_USER "delete from users where user_id = $1 and version = $2";

    lookup ACCOUNT "select user_id, password_hash from users where email_key = $1";

    change SET_PASSWORD_HASH "update users set password_hash = $1 where user_id = $2 and version = $3";

    change RESET_PASSWORD "update users set password_hash = $1, email_verified_at = $2, version = version + 1
        where user_id = $3 and version = $4";

    lookup LINK "select link_id, user_id, purpose, email, digest, created_at, expires_at, version
        from links where link_id = $1";

    lookup LINKS_OF_USER "select link_id, user_id, purpose, email, digest, created_at, expires_at, version
        from links where user_id = $1 order by link_id";

    insert INSERT_LINK into links (
        link_id uuid, user_id uuid, purpose text, email text, digest bytes,
        created_at time, expires_at time, version int,
    );

    change DELETE_LINK "delete from links where link_id = $1 and version = $2";

    lookup RESET_REQUEST "select request_id, email, version from reset_requests where request_id = $1";

    insert INSERT_RESET_REQUEST into reset_requests (request_id uuid, email text, version int);

    change DELETE_RESET_REQUEST "delete from reset_requests where request_id = $1 and version = $2";

    lookup SESSION "select session_id, user_id, family_digest, token_digest, created_at, expires_at, version
        from sessions where session_id = $1";

    query SESSIONS_OF_USER "select session_id, user_id, family_digest, token_digest, created_at, expires_at, version
        from sessions where user_id = $1 order by session_id limit $2";

    insert INSERT_SESSION into sessions (
        session_id uuid, user_id uuid, family_digest bytes, token_digest bytes,
        created_at time, expires_at time, version int,
    );

    change RENEW_SESSION "update sessions set token_digest = $1, version = version + 1
        where session_id = $2 and version = $3";

    change DELETE_SESSION "delete from sessions where session_id = $1 and version = $2";

    query SIGNING_KEYS "select key_id, generation, private_key, public_key, signs_from, rotates_at, not_after, version
        from signing_keys order by generation";

    insert INSERT_SIGNING_KEY into signing_keys (
        key_id uuid, generation int, private_key bytes, public_key bytes,
        signs_from time, rotates_at time, not_after time, version int,
    );

    change DELETE_SIGNING_KEY "delete from signing_keys where key_id = $1 and version = $2";
}

/// A user who signs in, and the hash of the password.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub user_id: UserId,
    pub password_hash: PasswordHash,
}

/// The account with this address.
pub(crate) async fn account(db: &Db, address: &str) -> Result<Option<Account>, Error> {
    let account = |row: &Row<'_>| {
        let hash: String = row.get("password_hash")?;
        Ok(Account { user_id: row.get("user_id")?, password_hash: PasswordHash::from_stored(hash) })
    };
    db.query_one(&ACCOUNT, params![email::key(address)], account).await
}

/// Keeps a hash with other costs of the same password: for others nothing changed, so the version stays.
pub(crate) fn set_password_hash(user: &User, hash: &PasswordHash) -> Batch {
    Batch::new().change(&SET_PASSWORD_HASH, user.version, params![hash.as_str(), user.user_id])
}

pub(crate) async fn session(db: &Db, session_id: SessionId) -> Result<Option<Session>, Error> {
    db.query_one(&SESSION, params![Uuid::from(session_id)], session_of).await
}

/// The oldest sign-ins of a user, as many as must end before one more begins.
pub(crate) async fn sessions_to_end(db: &Db, user_id: UserId) -> Result<Vec<Session>, Error> {
    let mut sessions = sessions_of(db, user_id).await?;
    let kept = SESSIONS_MAX - 1;
    sessions.truncate(sessions.len().saturating_sub(kept));
    Ok(sessions)
}

/// The sign-ins of a user, the oldest first.
pub(crate) async fn sessions_of(db: &Db, user_id: UserId) -> Result<Vec<Session>, Error> {
    db.query(&SESSIONS_OF_USER, params![user_id, SESSIONS_READ], session_of).await
}

pub(crate) fn begin_session(session: &Session) -> Batch {
    let row = params![
        Uuid::from(session.session_id),
        session.user_id,
        session.family_digest.as_slice(),
        session.token_digest.as_slice(),
        session.created_at,
        session.expires_at,
        session.version,
    ];
    Batch::new().insert(&INSERT_SESSION, row).schedule(EXPIRE_SESSION.name, session.session_id, session.expires_at)
}

/// The session has another newest token.
pub(crate) fn renew_session(session: &Session) -> Batch {
    let row = params![session.token_digest.as_slice(), Uuid::from(session.session_id)];
    Batch::new().change(&RENEW_SESSION, session.version, row)
}

/// The session ends before its time.
pub(crate) fn end_session(session: &Session) -> Batch {
    delete_session(session).unschedule(EXPIRE_SESSION.name, session.session_id)
}

pub(crate) fn delete_session(session: &Session) -> Batch {
    Batch::new().change(&DELETE_SESSION, session.version, params![Uuid::from(session.session_id)])
}

/// All keys, the newest last.
pub(crate) async fn signing_keys(db: &Db) -> Result<Vec<SigningKey>, Error> {
    db.query(&SIGNING_KEYS, params![], signing_key_of).await
}

/// Keeps a new key, and sets the time of its rotation.
pub(crate) fn insert_signing_key(key: &SigningKey) -> Batch {
    let row = params![
        Uuid::from(key.key_id),
        key.generation,
        key.private_key.0.as_slice(),
        key.public_key.as_slice(),
        key.times.signs_from,
        key.times.rotates_at,
        key.times.not_after,
        key.version,
    ];
    Batch::new().insert(&INSERT_SIGNING_KEY, row).schedule(ROTATE_SIGNING_KEY.name, key.key_id, key.times.rotates_at)
}

pub(crate) fn delete_signing_key(key: &SigningKey) -> Batch {
    Batch::new().change(&DELETE_SIGNING_KEY, key.version, params![Uuid::from(key.key_id)])
}

pub(crate) async fn user(db: &Db, user_id: UserId) -> Result<Option<User>, Error> {
    db.query_one(&USER, params![user_id], user_of).await
}

/// The user with this address.
pub(crate) async fn user_with_email(db: &Db, address: &str) -> Result<Option<User>, Error> {
    db.query_one(&USER_WITH_EMAIL, params![email::key(address)], user_of).await
}

/// Users with ids below `before`, newest first.
pub(crate) async fn users_before(db: &Db, before: UserId, rows: i64) -> Result<Vec<User>, Error> {
    db.query(&USERS_BEFORE, params![before, rows], user_of).await
}

/// `read` is the version on which the change was decided.
pub(crate) fn set_roles(changed: &User, read: Version) -> Batch {
    Batch::new().change(&SET_ROLES, read, params![changed.roles.joined(), changed.user_id])
}

/// True if a user beside this one has the role and is not banned.
pub(crate) async fn has_other_holder(db: &Db, role: Role, user_id: UserId) -> Result<bool, Error> {
    let found = db.query_one(&OTHER_HOLDER, params![role.as_str(), user_id, true], |row| row.get::<UserId>("user_id"));
    Ok(found.await?.is_some())
}

/// The version of what stands for all holders of a role.
pub(crate) async fn role_guard(db: &Db, role: Role) -> Result<Option<Version>, Error> {
    db.query_one(&ROLE_GUARD, params![role.as_str()], |row| row.get("version")).await
}

/// One of the holders loses the role: `read` is the version at which the others were looked for.
pub(crate) fn note_loss(role: Role, read: Version) -> Batch {
    Batch::new().change(&CHANGE_ROLE_GUARD, read, params![role.as_str()])
}

/// The users who hold the name or the address: at most one each.
pub(crate) async fn holders(db: &Db, username: &str, address: &str) -> Result<Vec<User>, Error> {
    db.query(&HOLDERS, params![domain::username_key(username), email::key(address)], user_of).await
}

pub(crate) fn insert(user: &User, hash: &PasswordHash) -> Batch {
    let row = params![
        user.user_id,
        &user.username,
        domain::username_key(&user.username),
        &user.email,
        email::key(&user.email),
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
        domain::username_key(&changed.username),
        &changed.email,
        email::key(&changed.email),
        changed.email_verified_at,
        changed.user_id,
    ];
    Batch::new().change(&UPDATE_USER, read, row)
}

/// The user has another password, and has verified the address by the way; `read` is the version on which it was
/// decided.
pub(crate) fn reset_password(changed: &User, read: Version, hash: &PasswordHash) -> Batch {
    Batch::new().change(&RESET_PASSWORD, read, params![hash.as_str(), changed.email_verified_at, changed.user_id])
}

/// The account is closed. Its id is kept, so that nobody opens it again from elsewhere.
pub(crate) fn delete(user: &User) -> Batch {
    let deleted = Batch::new().change(&DELETE_USER, user.version, params![user.user_id]);
    deleted.upsert(&CLOSE_ACCOUNT, params![user.user_id])
}

/// True if the account was closed.
pub(crate) async fn is_closed(db: &Db, user_id: UserId) -> Result<bool, Error> {
    let closed = db.query_one(&CLOSED_ACCOUNT, params![user_id], |row| row.get::<UserId>("user_id")).await?;
    Ok(closed.is_some())
}

pub(crate) async fn link(db: &Db, link_id: Uuid) -> Result<Option<Link>, Error> {
    db.query_one(&LINK, params![link_id], link_of).await
}

/// The links of a user, the oldest first: a few of each purpose at the most.
pub(crate) async fn links(db: &Db, user_id: UserId) -> Result<Vec<Link>, Error> {
    db.query(&LINKS_OF_USER, params![user_id], link_of).await
}

pub(crate) fn insert_link(link: &Link) -> Batch {
    let row = params![
        link.link_id,
        link.user_id,
        link.purpose.as_str(),
        &link.email,
        link.digest.as_slice(),
        link.created_at,
        link.expires_at,
        link.version,
    ];
    Batch::new().insert(&INSERT_LINK, row)
}

pub(crate) fn delete_links<'a>(links: impl IntoIterator<Item = &'a Link>) -> Batch {
    let delete = |batch: Batch, link: &Link| batch.change(&DELETE_LINK, link.version, params![link.link_id]);
    links.into_iter().fold(Batch::new(), delete)
}

/// Somebody asked for a new password of the account with this address.
#[derive(Clone, Debug)]
pub(crate) struct ResetRequest {
    pub request_id: Uuid,
    pub email: String,
    pub version: Version,
}

/// Keeps a request for a new password, to be handled at once.
pub(crate) fn request_reset(request_id: Uuid, email: &str, now: Timestamp) -> Batch {
    let row = params![request_id, email, Version::FIRST];
    Batch::new().insert(&INSERT_RESET_REQUEST, row).schedule(SEND_RESET_LINK.name, request_id, now)
}

pub(crate) async fn reset_request(db: &Db, request_id: Uuid) -> Result<Option<ResetRequest>, Error> {
    let request = |row: &Row<'_>| {
        Ok(ResetRequest { request_id: row.get("request_id")?, email: row.get("email")?, version: row.get("version")? })
    };
    db.query_one(&RESET_REQUEST, params![request_id], request).await
}

pub(crate) fn end_reset_request(request: &ResetRequest) -> Batch {
    Batch::new().change(&DELETE_RESET_REQUEST, request.version, params![request.request_id])
}

fn link_of(row: &Row<'_>) -> Result<Link, Error> {
    Ok(Link {
        link_id: row.get("link_id")?,
        user_id: row.get("user_id")?,
        purpose: row.parse("purpose")?,
        email: row.get("email")?,
        digest: bytes_of(row, "digest")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        version: row.get("version")?,
    })
}

fn user_of(row: &Row<'_>) -> Result<User, Error> {
    Ok(User {
        user_id: row.get("user_id")?,
        username: row.get("username")?,
        email: row.get("email")?,
        email_verified_at: row.get("email_verified_at")?,
        created_at: row.get("created_at")?,
        roles: row.parse("roles")?,
        version: row.get("version")?,
    })
}

fn session_of(row: &Row<'_>) -> Result<Session, Error> {
    Ok(Session {
        session_id: row.get::<Uuid>("session_id")?.into(),
        user_id: row.get("user_id")?,
        family_digest: bytes_of(row, "family_digest")?,
        token_digest: bytes_of(row, "token_digest")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        version: row.get("version")?,
    })
}

fn signing_key_of(row: &Row<'_>) -> Result<SigningKey, Error> {
    Ok(SigningKey {
        key_id: row.get::<Uuid>("key_id")?.into(),
        generation: row.get("generation")?,
        private_key: PrivateKey(bytes_of(row, "private_key")?),
        public_key: row.get("public_key")?,
        times: Times {
            signs_from: row.get("signs_from")?,
            rotates_at: row.get("rotates_at")?,
            not_after: row.get("not_after")?,
        },
        version: row.get("version")?,
    })
}

fn bytes_of(row: &Row<'_>, column: &str) -> Result<[u8; 32], Error> {
    let bytes: Vec<u8> = row.get(column)?;
    bytes.try_into().map_err(|_| row.corrupt(column, &"wanted 32 bytes"))
}
