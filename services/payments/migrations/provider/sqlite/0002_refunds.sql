-- What the charge's token says about refunds.
alter table charges add column refunds_are text not null default 'done' check
    (refunds_are in ('done', 'refused', 'slow', 'unanswered'));

-- One row for each key under which money was to go back.
create table refunds (
    key     blob    not null primary key,
    -- The key of the charge.
    charge  blob    not null,
    amount  integer not null check (amount > 0),
    status  text    not null check (status in ('done', 'refused')),
    error   text,
    calls   integer not null,
    version integer not null
) strict;
-- Before this step money went back under the charge's own key.
insert into refunds (key, charge, amount, status, error, calls, version)
    select key, key, refunded_amount, 'done', null, 1, 1 from charges where refunded_amount > 0;
