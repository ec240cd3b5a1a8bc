-- The lines that a payment pays for, as its order had them. Payments from before this step have none.
alter table payments add column lines jsonb not null default '[]';
-- The order was cancelled after the money was taken: what can go back, goes back.
alter table payments add column order_was_cancelled boolean not null default false;
-- Money that is held for refunds whose outcome is not known yet. Together they never exceed the capture.
alter table payments add column pending_refunds bigint not null default 0;
alter table payments add constraint payments_refunds_within_capture check
    (pending_refunds >= 0 and refunded_amount + pending_refunds <= amount);

-- Intents to give money back. The key at the provider is the refund's id.
create table refunds (
    refund_id    uuid        not null primary key,
    payment_id   uuid        not null,
    order_id     uuid        not null,
    amount       bigint      not null check (amount > 0),
    currency     text        not null,
    reason       text,
    -- Units that are to be sold again.
    restock      jsonb       not null,
    -- An admin, or the service for which it was made.
    requested_by text        not null,
    status       text        not null check (status in ('pending', 'succeeded', 'failed')),
    error        text,
    looked_up    boolean     not null,
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    version      bigint      not null
);
create index refunds_by_payment on refunds (payment_id, refund_id);

-- Before this step all of a payment went back, because its order was cancelled, under the payment's own id: the timers
-- of those that are not back yet have that key.
insert into refunds (refund_id, payment_id, order_id, amount, currency, reason, restock, requested_by, status, error,
    looked_up, created_at, updated_at, version)
    select payment_id, payment_id, order_id, amount, currency, 'order_cancelled', cast('[]' as jsonb), 'orders',
        case when status = 'refunded' then 'succeeded' else 'pending' end, null, false, updated_at, updated_at, 1
    from payments where status in ('refunding', 'refunded') and amount > 0;
update payments set order_was_cancelled = true where status in ('refunding', 'refunded');
update payments set pending_refunds = amount where status = 'refunding';
