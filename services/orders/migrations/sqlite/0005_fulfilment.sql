-- An order goes on after it is paid: it is shipped, delivered, or cancelled; and its money may go back in parts.
-- The names of statuses are the program's to check from here on. A check can't be dropped: the table is made anew.
create table orders_made_anew (
    order_id        blob    not null primary key,
    number          integer not null,
    email           text    not null,
    ship_to         text,
    lines           text    not null,
    total_amount    integer not null,
    total_currency  text    not null,
    status          text    not null,
    reason          text,
    payment_status  text    not null,
    payment_id      blob,
    -- The customer's payment token, from the placement until the stock is held.
    payment_token   text,
    -- SHA-256 of the token with which a guest reads the order.
    access_digest   blob    not null,
    created_at      integer not null,
    updated_at      integer not null,
    version         integer not null,
    user_id         blob,
    -- The provider's reason, if the current payment was declined.
    payment_error   text,
    -- Payments that were declined.
    declines        integer not null default 0,
    -- The address of the client that placed the order. Null: placed before it was kept.
    placed_from     text,
    units           integer not null default 0,
    -- Its units are held and nothing is paid or being paid for them. Orders from before this column are not counted.
    awaits_customer integer not null default 0 check (awaits_customer in (0, 1)),
    -- Minor units that went back.
    refunded        integer not null default 0 check (refunded between 0 and total_amount),
    -- Those that left.
    shipments       text    not null default '[]',
    cancellation    text,
    cancelled_by    text,
    -- The e-mail address is that of the account, and changes with it. Orders from before this step keep theirs.
    follows_account integer not null default 0 check (follows_account in (0, 1))
) strict;
insert into orders_made_anew (order_id, number, email, ship_to, lines, total_amount, total_currency, status, reason,
    payment_status, payment_id, payment_token, access_digest, created_at, updated_at, version, user_id,
    payment_error, declines, placed_from, units, awaits_customer, refunded)
    select order_id, number, email, ship_to, lines, total_amount, total_currency, status, reason,
        payment_status, payment_id, payment_token, access_digest, created_at, updated_at, version, user_id,
        payment_error, declines, placed_from, units, awaits_customer,
        case payment_status when 'refunded' then total_amount else 0 end
    from orders;
drop table orders;
alter table orders_made_anew rename to orders;
create index orders_by_access on orders (access_digest);
create index orders_by_user on orders (user_id, order_id) where user_id is not null;
create index orders_unpaid_of_email on orders (email) where awaits_customer;
create index orders_unpaid_of_address on orders (placed_from) where awaits_customer;
create index orders_by_number on orders (number);
