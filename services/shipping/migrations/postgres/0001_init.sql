create table shipments (
    shipment_id     uuid        not null primary key,
    order_id        uuid        not null,
    -- Of the order's shipments, by which a second first one, or a second rest, is refused.
    part            bigint      not null check (part >= 1),
    number          bigint      not null,
    user_id         uuid,
    status          text        not null check (status in ('pending', 'dispatched', 'delivered', 'stopped')),
    -- Null if the order is collected.
    ship_to         jsonb,
    lines           jsonb       not null,
    -- Empty until it leaves, and of one that is collected.
    carrier         text        not null,
    tracking_number text        not null,
    dispatched_by   text,
    delivered_by    text,
    dispatched_at   timestamptz,
    delivered_at    timestamptz,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    version         bigint      not null
) with (fillfactor = 80);
create unique index shipments_by_order on shipments (order_id, part);

-- The shipments that are to be sent: few of all that were.
create index pending_shipments on shipments (status, shipment_id) where status = 'pending';
