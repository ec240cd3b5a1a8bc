-- Events of the sources' archives that the service has to handle before what is live: see `backlog.rs`.
create table backlog (
    lane           text    not null,
    shard          integer not null,
    source         text    not null,
    -- In the archive of the source.
    position       integer not null,
    event_id       blob    not null,
    type           text    not null,
    key            blob    not null,
    sequence       integer not null,
    time           integer not null,
    correlation_id blob    not null,
    causation_id   blob    not null,
    traceparent    text,
    body           blob    not null,
    -- Handling has begun: if the row is still there after a restart, it may be what ended the process.
    is_delivered   integer not null check (is_delivered in (0, 1)),
    primary key (lane, shard, source, position, event_id)
) strict;

-- The event types that the service has subscribed to, each since a position in the archive of its source: what is up
-- to there was copied to the backlog, what is behind it arrives live once `is_live` is set.
create table subscriptions (
    type     text    not null primary key,
    position integer not null,
    is_live  integer not null check (is_live in (0, 1))
) strict, without rowid;

-- An earlier version kept one list, of types whose events had all been delivered.
insert into subscriptions (type, position, is_live)
select json_each.value, 0, 1 from facts, json_each(facts.value) where facts.name = 'subscribed';
delete from facts where name = 'subscribed';
