-- Accounts: who there is, and who of them is an admin or banned now. Neither names nor addresses.
-- version counts bans and their ends, and is that of their events; roles_version is that of what users says.
-- The row of an account that was closed stays, so that what is reported of it late makes no new one.
create table users (
    user_id       uuid    not null primary key,
    is_admin      boolean not null,
    roles_version bigint  not null,
    is_deleted    boolean not null,
    ban_id        uuid,
    version       bigint  not null
);
create index users_admin on users (user_id) where is_admin;

-- Bans, the ones that ended too. Those of an account that was closed are deleted.
create table bans (
    ban_id      uuid        not null primary key,
    user_id     uuid        not null,
    reason      text        not null,
    banned_by   text        not null,
    banned_at   timestamptz not null,
    unbanned_by text,
    unbanned_at timestamptz,
    version     bigint      not null,
    check ((unbanned_by is null) = (unbanned_at is null))
);
create index bans_by_user on bans (user_id, ban_id);

-- A row that each ban of an admin changes, so that of two who ban the last two at once, one decides again.
create table guards (
    name    text   not null primary key,
    version bigint not null
);
insert into guards (name, version) values ('admins', 1);
