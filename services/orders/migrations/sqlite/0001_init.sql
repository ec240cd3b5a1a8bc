-- What the catalogue told: prices and names for placing orders.
create table products (
    product_id     blob    not null primary key,
    sku            text    not null,
    name           text    not null,
    price_amount   integer not null,
    price_currency text    not null,
    is_deleted     integer not null check (is_deleted in (0, 1)),
    version        integer not null
) strict;

create table orders (
    order_id       blob    not null primary key,
    number         integer not null,
    email          text    not null,
    ship_to        text,
    lines          text    not null,
    total_amount   integer not null,
    total_currency text    not null,
    status         text    not null check (status in ('placed', 'reserved', 'paid', 'rejected', 'cancelled')),
    reason         text,
    payment_status text    not null check (payment_status in ('none', 'requested', 'captured', 'failed', 'refunded')),
    payment_id     blob,
    -- The customer's payment token, from the placement until the stock is held.
    payment_token  text,
    -- SHA-256 of the token with which a guest reads the order.
    access_digest  blob    not null,
    created_at     integer not null,
    updated_at     integer not null,
    version        integer not null
) strict;
create index orders_by_access on orders (access_digest);

-- The next order number that no instance has reserved.
create table order_numbers (
    name        text    not null primary key,
    next_number integer not null
) strict;
insert into order_numbers (name, next_number) values ('orders', 1);
