-- Decisions about dead letters: who replayed or discarded which, and when. Forgotten once they are as old as what the
-- inbox forgets.
create table decisions (
    position       bigint      generated always as identity primary key,
    dead_letter_id uuid        not null,
    event_id       uuid        not null,
    decision       text        not null check (decision in ('replay', 'discard')),
    -- The id of an account, or `automation`.
    decided_by     text        not null,
    decided_at     timestamptz not null
);
create index decisions_by_event on decisions (event_id, position);
create index decisions_by_age on decisions (decided_at);
