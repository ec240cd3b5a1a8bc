-- Roles of an account, joined by spaces. None: a customer, as all accounts before.
alter table users add column roles text not null default '';
create index users_with_roles on users (roles, user_id) where roles <> '';

-- A row for each role that must not lose its last account: who takes it from one changes the row, so that of two who
-- take it from the last two at once, one decides again.
create table role_guards (
    role    text    not null primary key,
    version integer not null
) strict, without rowid;
insert into role_guards (role, version) values ('admin', 1);
