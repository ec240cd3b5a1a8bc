-- Units that orders wait for: the sum of what the rows of `waiting` want.
alter table stock add column waiting integer not null default 0 check (waiting >= 0);

-- An order may wait for units. The names of statuses are the program's to check from here on. A check can't be dropped:
-- the table is made anew.
create table reservations_made_anew (
    order_id blob    not null primary key,
    status   text    not null,
    lines    text    not null,
    version  integer not null,
    -- Units of a sold order that are on hand again.
    returned text    not null default '[]',
    -- Of an order that waits, or waited: the units that it got until then.
    held     text    not null default '[]'
) strict;
insert into reservations_made_anew (order_id, status, lines, version, returned)
    select order_id, status, lines, version, returned from reservations;
drop table reservations;
alter table reservations_made_anew rename to reservations;

-- Orders that want more of a product than they hold. Their ids begin with their time: the order in which they are served.
create table waiting (
    product_id blob    not null,
    order_id   blob    not null,
    version    integer not null,
    primary key (product_id, order_id)
) strict;
