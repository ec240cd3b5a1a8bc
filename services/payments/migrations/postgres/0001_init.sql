create table payments (
    payment_id      uuid        not null primary key,
    order_id        uuid        not null,
    number          bigint      not null,
    email           text        not null,
    amount          bigint      not null,
    currency        text        not null,
    -- Kept only until the charge is decided.
    token           text,
    status          text        not null check
        (status in ('requested', 'charging', 'captured', 'failed', 'voided', 'refunding', 'refunded')),
    error           text,
    looked_up       boolean     not null,
    refunded_amount bigint      not null check (refunded_amount between 0 and amount),
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    version         bigint      not null
) with (fillfactor = 80);
create index payments_by_order on payments (order_id, payment_id);
