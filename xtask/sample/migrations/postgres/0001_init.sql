-- Orders that were paid. A row never changes.
create table sample_orders (
    order_id uuid   not null primary key,
    amount   bigint not null,
    currency text   not null
);
