-- Deliveries of suppliers whose units are on hand: each counts once, also if it is reported by another event.
create table receipts (
    receipt_id        uuid        not null primary key,
    purchase_order_id uuid        not null,
    lines             jsonb       not null,
    received_at       timestamptz not null
);
