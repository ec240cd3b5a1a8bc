create table shipments (
    shipment_id     blob    not null primary key,
    order_id        blob    not null,
    -- Of the order's shipments, by which a second first one, or a second rest, is refused.
    part            integer not null check (part >= 1),
    number          integer not null,
    user_id         blob,
    status          text    not null check (status in ('pending', 'dispatched', 'delivered', 'stopped')),
    -- Null if the order is collected.
    ship_to         text,
    lines           text    not null,
    -- Empty until it leaves, and of one that is collected.
    carrier         text    not null,
    tracking_number text    not null,
    dispatched_by   text,
    delivered_by    text,
    dispatched_at   integer,
    delivered_at    integer,
    created_at      integer not null,
    updated_at      integer not null,
    version         integer not null
) strict;
create unique index shipments_by_order on shipments (order_id, part);

-- The shipments that are to be sent: few of all that were.
create index pending_shipments on shipments (status, shipment_id) where status = 'pending';
