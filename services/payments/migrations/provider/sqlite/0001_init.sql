-- The books of the simulated provider: one row for each key it was ever asked to charge.
create table charges (
    key             blob    not null primary key,
    amount          integer not null,
    currency        text    not null,
    status          text    not null check (status in ('charged', 'declined')),
    error           text,
    is_final        integer not null check (is_final in (0, 1)),
    refunded_amount integer not null check (refunded_amount between 0 and amount),
    calls           integer not null,
    version         integer not null
) strict;
