-- Accounts. The keys are the lower-cased texts: two names or addresses that differ only in case are the same.
create table users (
    user_id       uuid        not null primary key,
    username      text        not null,
    username_key  text        not null unique,
    email         text        not null,
    email_key     text        not null unique,
    password_hash text        not null,
    created_at    timestamptz not null,
    version       bigint      not null
);
