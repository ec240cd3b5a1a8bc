-- When the owner of the address last showed that they read its mail. Null: never, as of all accounts before.
alter table users add column email_verified_at timestamptz;

-- Links that were mailed: good once, until they expire. Only the SHA-256 of their secret is kept.
create table links (
    link_id    uuid        not null primary key,
    user_id    uuid        not null,
    purpose    text        not null check (purpose in ('password_reset', 'verification')),
    -- The address that it was mailed to.
    email      text        not null,
    digest     bytea       not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    version    bigint      not null
);
create index links_by_user on links (user_id, link_id);

-- Requests to reset a password that are still to be looked at, whether or not there is such an account.
create table reset_requests (
    request_id uuid   not null primary key,
    email      text   not null,
    version    bigint not null
);
