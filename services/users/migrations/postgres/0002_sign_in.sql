-- Sign-ins. A refresh token carries two secrets: one that its whole family shares, one that is good once.
-- Only their SHA-256 is kept.
create table sessions (
    session_id    uuid        not null primary key,
    user_id       uuid        not null,
    family_digest bytea       not null,
    token_digest  bytea       not null,
    created_at    timestamptz not null,
    expires_at    timestamptz not null,
    version       bigint      not null
);
create index sessions_by_user on sessions (user_id, session_id);

-- The keys that sign access tokens. The private ones are nowhere else.
create table signing_keys (
    key_id      uuid        not null primary key,
    generation  bigint      not null unique,
    private_key bytea       not null,
    public_key  bytea       not null,
    signs_from  timestamptz not null,
    rotates_at  timestamptz not null,
    not_after   timestamptz not null,
    version     bigint      not null
);
