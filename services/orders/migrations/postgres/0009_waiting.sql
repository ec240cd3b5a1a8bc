-- Products of which there was too little, of an order that waits for stock.
alter table orders add column waits_for jsonb not null default '[]';

-- The same as rows, for the place of an order among those that wait for the same products.
create table waiting (
    product_id uuid   not null,
    order_id   uuid   not null,
    version    bigint not null,
    primary key (product_id, order_id)
);
