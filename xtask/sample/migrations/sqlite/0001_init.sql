-- Orders that were paid. A row never changes.
create table sample_orders (
    order_id blob    not null primary key,
    amount   integer not null,
    currency text    not null
) strict, without rowid;
