-- Accounts as the service was told of them: who is banned, and who has which roles, joined by spaces.
-- The versions are those of the events: of bans and of roles, each counted for itself. 0 is before the first.
create table accounts (
    user_id       blob    not null primary key,
    is_banned     integer not null check (is_banned in (0, 1)),
    ban_version   integer not null,
    roles         text    not null,
    roles_version integer not null
) strict, without rowid;
