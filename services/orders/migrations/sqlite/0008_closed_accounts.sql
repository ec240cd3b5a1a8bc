-- The version that closed the account, or 0. Its address stays until no order needs it: what changed it before may
-- arrive later. Accounts that were closed before this step have none.
alter table users add column closed_version integer not null default 0;
update users set closed_version = version where email = '';
