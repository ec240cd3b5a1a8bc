-- Products of which there was too little, of an order that waits for stock.
alter table orders add column waits_for text not null default '[]';

-- The same as rows, for the place of an order among those that wait for the same products.
create table waiting (
    product_id blob    not null,
    order_id   blob    not null,
    version    integer not null,
    primary key (product_id, order_id)
) strict;
