-- When the owner of the address last showed that they read its mail. Null: never, as of all accounts before.
alter table users add column email_verified_at integer;

-- Links that were mailed: good once, until they expire. Only the SHA-256 of their secret is kept.
create table links (
    link_id    blob    not null primary key,
    user_id    blob    not null,
    purpose    text    not null check (purpose in ('password_reset', 'verification')),
    -- The address that it was mailed to.
    email      text    not null,
    digest     blob    not null,
    created_at integer not null,
    expires_at integer not null,
    version    integer not null
) strict;
create index links_by_user on links (user_id, link_id);

-- Requests to reset a password that are still to be looked at, whether or not there is such an account.
create table reset_requests (
    request_id blob    not null primary key,
    email      text    not null,
    version    integer not null
) strict;
