-- Accounts that were closed: nothing that is said of them elsewhere opens them again. None are known from before this
-- step.
create table closed_accounts (
    user_id blob not null primary key
) strict, without rowid;
