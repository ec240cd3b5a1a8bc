-- Units that a shipment has lost, because they were refunded before it left. A shipment with the number 0 stands for an
-- order of which nothing but a refund is known.
alter table shipments add column withheld text not null default '[]';

-- Refunds with units that are to be sold again: those that have not left are withheld, once.
create table refunds (
    refund_id  blob    not null primary key,
    order_id   blob    not null,
    -- As the refund has them, whatever of them had left.
    restock    text    not null,
    created_at integer not null
) strict;
create index refunds_by_order on refunds (order_id);
