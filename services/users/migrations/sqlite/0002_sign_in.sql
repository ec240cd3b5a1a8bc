-- Sign-ins. A refresh token carries two secrets: one that its whole family shares, one that is good once.
-- Only their SHA-256 is kept.
create table sessions (
    session_id    blob    not null primary key,
    user_id       blob    not null,
    family_digest blob    not null,
    token_digest  blob    not null,
    created_at    integer not null,
    expires_at    integer not null,
    version       integer not null
) strict;
create index sessions_by_user on sessions (user_id, session_id);

-- The keys that sign access tokens. The private ones are nowhere else.
create table signing_keys (
    key_id      blob    not null primary key,
    generation  integer not null unique,
    private_key blob    not null,
    public_key  blob    not null,
    signs_from  integer not null,
    rotates_at  integer not null,
    not_after   integer not null,
    version     integer not null
) strict;
