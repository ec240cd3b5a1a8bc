-- Events of the sources' archives that the service has to handle before what is live: see `backlog.rs`.
create table backlog (
    lane           text        not null,
    shard          bigint      not null,
    source         text        not null,
    -- In the archive of the source.
    position       bigint      not null,
    event_id       uuid        not null,
    type           text        not null,
    key            uuid        not null,
    sequence       bigint      not null,
    time           timestamptz not null,
    correlation_id uuid        not null,
    causation_id   uuid        not null,
    traceparent    text,
    body           bytea       not null,
    -- Handling has begun: if the row is still there after a restart, it may be what ended the process.
    is_delivered   boolean     not null,
    primary key (lane, shard, source, position, event_id)
);

-- The event types that the service has subscribed to, each since a position in the archive of its source: what is up
-- to there was copied to the backlog, what is behind it arrives live once `is_live` is set.
create table subscriptions (
    type     text    not null primary key,
    position bigint  not null,
    is_live  boolean not null
);

-- An earlier version kept one list, of types whose events had all been delivered.
insert into subscriptions (type, position, is_live)
select jsonb_array_elements_text(value::jsonb), 0, true from facts where name = 'subscribed';
delete from facts where name = 'subscribed';
