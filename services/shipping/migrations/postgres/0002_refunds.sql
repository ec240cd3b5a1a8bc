-- Units that a shipment has lost, because they were refunded before it left. A shipment with the number 0 stands for an
-- order of which nothing but a refund is known.
alter table shipments add column withheld jsonb not null default '[]';

-- Refunds with units that are to be sold again: those that have not left are withheld, once.
create table refunds (
    refund_id  uuid        not null primary key,
    order_id   uuid        not null,
    -- As the refund has them, whatever of them had left.
    restock    jsonb       not null,
    created_at timestamptz not null
);
create index refunds_by_order on refunds (order_id);
