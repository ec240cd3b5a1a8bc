-- Units that orders wait for: the sum of what the rows of `waiting` want.
alter table stock add column waiting bigint not null default 0 check (waiting >= 0);

-- An order may wait for units. The names of statuses are the program's to check from here on.
alter table reservations drop constraint reservations_status_check;
-- Of an order that waits, or waited: the units that it got until then.
alter table reservations add column held jsonb not null default '[]';

-- Orders that want more of a product than they hold. Their ids begin with their time: the order in which they are served.
create table waiting (
    product_id uuid   not null,
    order_id   uuid   not null,
    version    bigint not null,
    primary key (product_id, order_id)
);
