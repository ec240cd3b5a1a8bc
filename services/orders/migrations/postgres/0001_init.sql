-- What the catalogue told: prices and names for placing orders.
create table products (
    product_id     uuid    not null primary key,
    sku            text    not null,
    name           text    not null,
    price_amount   bigint  not null,
    price_currency text    not null,
    is_deleted     boolean not null,
    version        bigint  not null
);

create table orders (
    order_id       uuid        not null primary key,
    number         bigint      not null,
    email          text        not null,
    ship_to        jsonb,
    lines          jsonb       not null,
    total_amount   bigint      not null,
    total_currency text        not null,
    status         text        not null check (status in ('placed', 'reserved', 'paid', 'rejected', 'cancelled')),
    reason         text,
    payment_status text        not null check (payment_status in ('none', 'requested', 'captured', 'failed', 'refunded')),
    payment_id     uuid,
    -- The customer's payment token, from the placement until the stock is held.
    payment_token  text,
    -- SHA-256 of the token with which a guest reads the order.
    access_digest  bytea       not null,
    created_at     timestamptz not null,
    updated_at     timestamptz not null,
    version        bigint      not null
) with (fillfactor = 80);
create index orders_by_access on orders (access_digest);

-- The next order number that no instance has reserved.
create table order_numbers (
    name        text   not null primary key,
    next_number bigint not null
);
insert into order_numbers (name, next_number) values ('orders', 1);
