-- The books of the simulated provider: one row for each key it was ever asked to charge.
create table charges (
    key             uuid    not null primary key,
    amount          bigint  not null,
    currency        text    not null,
    status          text    not null check (status in ('charged', 'declined')),
    error           text,
    is_final        boolean not null,
    refunded_amount bigint  not null check (refunded_amount between 0 and amount),
    calls           bigint  not null,
    version         bigint  not null
);
