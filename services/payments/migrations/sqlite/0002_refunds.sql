-- The lines that a payment pays for, as its order had them. Payments from before this step have none.
alter table payments add column lines text not null default '[]';
-- The order was cancelled after the money was taken: what can go back, goes back.
alter table payments add column order_was_cancelled integer not null default 0 check (order_was_cancelled in (0, 1));
-- Money that is held for refunds whose outcome is not known yet. Together they never exceed the capture.
alter table payments add column pending_refunds integer not null default 0 check
    (pending_refunds >= 0 and refunded_amount + pending_refunds <= amount);

-- Intents to give money back. The key at the provider is the refund's id.
create table refunds (
    refund_id    blob    not null primary key,
    payment_id   blob    not null,
    order_id     blob    not null,
    amount       integer not null check (amount > 0),
    currency     text    not null,
    reason       text,
    -- Units that are to be sold again.
    restock      text    not null,
    -- An admin, or the service for which it was made.
    requested_by text    not null,
    status       text    not null check (status in ('pending', 'succeeded', 'failed')),
    error        text,
    looked_up    integer not null check (looked_up in (0, 1)),
    created_at   integer not null,
    updated_at   integer not null,
    version      integer not null
) strict;
create index refunds_by_payment on refunds (payment_id, refund_id);

-- Before this step all of a payment went back, because its order was cancelled, under the payment's own id: the timers
-- of those that are not back yet have that key.
insert into refunds (refund_id, payment_id, order_id, amount, currency, reason, restock, requested_by, status, error,
    looked_up, created_at, updated_at, version)
    select payment_id, payment_id, order_id, amount, currency, 'order_cancelled', '[]', 'orders',
        case when status = 'refunded' then 'succeeded' else 'pending' end, null, 0, updated_at, updated_at, 1
    from payments where status in ('refunding', 'refunded') and amount > 0;
update payments set order_was_cancelled = 1 where status in ('refunding', 'refunded');
update payments set pending_refunds = amount where status = 'refunding';
