-- Accounts as the service was told of them: who is banned, and who has which roles, joined by spaces.
-- The versions are those of the events: of bans and of roles, each counted for itself. 0 is before the first.
create table accounts (
    user_id       uuid    not null primary key,
    is_banned     boolean not null,
    ban_version   bigint  not null,
    roles         text    not null,
    roles_version bigint  not null
);
