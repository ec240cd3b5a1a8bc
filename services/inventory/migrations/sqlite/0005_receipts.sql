-- Deliveries of suppliers whose units are on hand: each counts once, also if it is reported by another event.
create table receipts (
    receipt_id        blob    not null primary key,
    purchase_order_id blob    not null,
    lines             text    not null,
    received_at       integer not null
) strict;
