-- The tables that every service's store has beside its own.

-- What the service told the others: immutable, kept as the archive.
create table events (
    position       integer primary key autoincrement,
    event_id       blob    not null unique,
    type           text    not null,
    key            blob    not null,
    lane           text    not null,
    sequence       integer not null,
    time           integer not null,
    correlation_id blob    not null,
    causation_id   blob    not null,
    traceparent    text,
    body           blob    not null
) strict;
create index events_by_key on events (key, position);

-- What is still to be sent, and where to: one small row, deleted when the destination has the event.
create table outbox (
    destination text    not null,
    lane        text    not null,
    position    integer not null,
    primary key (destination, lane, position)
) strict, without rowid;

-- What the service has handled. Event ids are UUIDv7, so the oldest rows are those with the smallest ids.
create table inbox (
    event_id   blob    not null primary key,
    digest     blob    not null,
    attempts   integer not null,
    handled_at integer not null
) strict, without rowid;

-- Deliveries that failed, that wait behind one that did, or that were parked as dead letters.
create table held (
    position        integer primary key autoincrement,
    dead_letter_id  blob    not null unique,
    event_id        blob    not null,
    source          text    not null,
    lane            text    not null,
    key             blob    not null,
    type            text    not null,
    sequence        integer not null,
    time            integer not null,
    correlation_id  blob    not null,
    causation_id    blob    not null,
    traceparent     text,
    body            blob    not null,
    digest          blob    not null,
    state           text    not null check (state in ('due', 'waiting', 'parked')),
    due_at          integer,
    attempts        integer not null,
    reason          text,
    first_failed_at integer,
    -- The same id with other bytes is no duplicate: it is kept, and parked when its turn comes.
    unique (event_id, digest)
) strict;
create index held_by_key on held (source, lane, key, position);
create index held_due on held (lane, due_at) where state = 'due';
create index held_parked on held (dead_letter_id) where state = 'parked';

-- What is to happen later. A lease moves `due_at` to its end, so a lost lease comes due by itself.
create table timers (
    name           text    not null,
    key            blob    not null,
    due_at         integer not null,
    fence          integer not null,
    attempts       integer not null,
    is_leased      integer not null check (is_leased in (0, 1)),
    correlation_id blob    not null,
    causation_id   blob    not null,
    traceparent    text,
    primary key (name, key)
) strict, without rowid;
create index timers_due on timers (name, due_at);

-- Requests that were committed, so that a commit of unknown outcome can be looked up.
create table requests (
    request_id   blob    not null primary key,
    committed_at integer not null
) strict, without rowid;

-- Facts about the store itself, such as whether its process ended cleanly.
create table facts (
    name  text not null primary key,
    value text not null
) strict, without rowid;
