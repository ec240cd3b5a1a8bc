-- Keys are parted into shards, so that instances of a service can share the work and keep each key together.
-- Null is what was stored before that, until the next start has given it its shard.
alter table outbox add column shard bigint;
alter table held add column shard bigint;

-- The instances of the service that run, each with a counter that it moves on while it lives. Who sees one stand still
-- for longer than a lease takes its shards over; nobody compares clocks.
create table instances (
    instance_id uuid   not null primary key,
    beat        bigint not null
);

-- Which instance has a shard; the fence grows with each new owner.
create table shards (
    lane  text   not null,
    shard bigint not null,
    owner uuid,
    fence bigint not null,
    primary key (lane, shard)
);
