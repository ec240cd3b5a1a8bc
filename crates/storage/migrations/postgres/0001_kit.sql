-- The tables that every service's schema has beside its own.

-- What the service told the others: immutable, kept as the archive.
create table events (
    position       bigint      generated always as identity primary key,
    event_id       uuid        not null unique,
    type           text        not null,
    key            uuid        not null,
    lane           text        not null,
    sequence       bigint      not null,
    time           timestamptz not null,
    correlation_id uuid        not null,
    causation_id   uuid        not null,
    traceparent    text,
    -- `json`, not `jsonb`: the bytes are told as they were committed.
    body           json        not null,
    -- The transaction that wrote it: positions become visible out of order, and a reader that follows them must not
    -- pass over one that is still to come.
    written_by     xid8        not null default pg_current_xact_id()
);
create index events_by_key on events (key, position);

-- What is still to be sent, and where to: one small row, deleted when the destination has the event.
create table outbox (
    destination text   not null,
    lane        text   not null,
    position    bigint not null,
    primary key (destination, lane, position)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

-- What the service has handled. Event ids are UUIDv7, so the oldest rows are those with the smallest ids.
create table inbox (
    event_id   uuid        not null primary key,
    digest     bytea       not null,
    attempts   bigint      not null,
    handled_at timestamptz not null
);

-- Deliveries that failed, that wait behind one that did, or that were parked as dead letters.
create table held (
    position        bigint      generated always as identity primary key,
    dead_letter_id  uuid        not null unique,
    event_id        uuid        not null,
    source          text        not null,
    lane            text        not null,
    key             uuid        not null,
    type            text        not null,
    sequence        bigint      not null,
    time            timestamptz not null,
    correlation_id  uuid        not null,
    causation_id    uuid        not null,
    traceparent     text,
    -- Bytes, for what a broker delivers may be no JSON.
    body            bytea       not null,
    digest          bytea       not null,
    state           text        not null check (state in ('due', 'waiting', 'parked')),
    due_at          timestamptz,
    attempts        bigint      not null,
    reason          text,
    first_failed_at timestamptz,
    -- The same id with other bytes is no duplicate: it is kept, and parked when its turn comes.
    unique (event_id, digest)
);
create index held_by_key on held (source, lane, key, position);
create index held_due on held (lane, due_at) where state = 'due';
create index held_parked on held (dead_letter_id) where state = 'parked';

-- What is to happen later. A lease moves `due_at` to its end, so a lost lease comes due by itself.
create table timers (
    name           text        not null,
    key            uuid        not null,
    due_at         timestamptz not null,
    fence          bigint      not null,
    attempts       bigint      not null,
    is_leased      boolean     not null,
    correlation_id uuid        not null,
    causation_id   uuid        not null,
    traceparent    text,
    primary key (name, key)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
create index timers_due on timers (name, due_at);

-- Facts about the store itself, such as whether its process ended cleanly.
create table facts (
    name  text not null primary key,
    value text not null
);

-- Groups of commits whose outcome may have to be looked up, because the connection died: one row each, deleted by the
-- next group once the outcome is known. Whoever wants to know the outcome claims the id: who gets it, decides.
create table commits (
    commit_id    uuid        not null primary key,
    committed_at timestamptz not null
);
