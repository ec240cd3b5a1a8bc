create table stock (
    product_id          uuid    not null primary key,
    sku                 text    not null,
    name                text    not null,
    on_hand             bigint  not null check (on_hand >= reserved),
    reserved            bigint  not null check (reserved >= 0),
    low_stock_threshold bigint  not null,
    is_closed           boolean not null,
    product_version     bigint  not null,
    version             bigint  not null
) with (fillfactor = 80);

-- What is held for an order. A row outlives its hold, so that a late or repeated event finds what was decided.
create table reservations (
    order_id uuid   not null primary key,
    status   text   not null check (status in ('held', 'sold', 'released', 'rejected')),
    lines    jsonb  not null,
    version  bigint not null
) with (fillfactor = 80);
