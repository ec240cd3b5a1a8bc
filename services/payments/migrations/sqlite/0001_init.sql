create table payments (
    payment_id      blob    not null primary key,
    order_id        blob    not null,
    number          integer not null,
    email           text    not null,
    amount          integer not null,
    currency        text    not null,
    -- Kept only until the charge is decided.
    token           text,
    status          text    not null check
        (status in ('requested', 'charging', 'captured', 'failed', 'voided', 'refunding', 'refunded')),
    error           text,
    looked_up       integer not null check (looked_up in (0, 1)),
    refunded_amount integer not null check (refunded_amount between 0 and amount),
    created_at      integer not null,
    updated_at      integer not null,
    version         integer not null
) strict;
create index payments_by_order on payments (order_id, payment_id);
