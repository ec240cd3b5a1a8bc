create table stock (
    product_id          blob    not null primary key,
    sku                 text    not null,
    name                text    not null,
    on_hand             integer not null check (on_hand >= reserved),
    reserved            integer not null check (reserved >= 0),
    low_stock_threshold integer not null,
    is_closed           integer not null check (is_closed in (0, 1)),
    product_version     integer not null,
    version             integer not null
) strict;

-- What is held for an order. A row outlives its hold, so that a late or repeated event finds what was decided.
create table reservations (
    order_id blob    not null primary key,
    status   text    not null check (status in ('held', 'sold', 'released', 'rejected')),
    lines    text    not null,
    version  integer not null
) strict;
