-- Addresses of others, and the events that they want.
create table endpoints (
    endpoint_id     blob    not null primary key,
    url             text    not null,
    description     text,
    -- Types, `*`, or prefixes as in `orders.*`.
    event_types     text    not null,
    -- It signs, so it is kept as it is. It leaves the table in one answer only.
    secret          text    not null,
    -- The secret before, which signs too until that time.
    previous_secret text,
    previous_until  integer,
    is_enabled      integer not null check (is_enabled in (0, 1)),
    -- Events from this time on are sent.
    active_since    integer not null,
    -- The oldest failure since the last success.
    failing_since   integer,
    disabled_at     integer,
    disabled_reason text,
    -- A resend in progress: of deliveries with ids between these.
    resend_after    blob,
    resend_until    blob,
    created_at      integer not null,
    updated_at      integer not null,
    version         integer not null
) strict;

-- Attempts in flight at one endpoint: of each slot there is one at a time, and a key has one slot. Whoever changes the
-- deliveries that wait in a slot counts up its version.
create table slots (
    slot_id     blob    not null primary key,
    endpoint_id blob    not null,
    number      integer not null,
    next_place  integer not null,
    -- True if its timer is due or handled, and will look for deliveries before it sleeps.
    is_awake    integer not null check (is_awake in (0, 1)),
    version     integer not null,
    unique (endpoint_id, number)
) strict;

-- One event for one endpoint. Of a key that has any in the queue the first has a time at which it is due.
create table deliveries (
    delivery_id blob    not null primary key,
    endpoint_id blob    not null,
    slot_id     blob    not null,
    key         blob    not null,
    -- Its place in the slot.
    place       integer not null,
    event_id    blob    not null,
    event_type  text    not null,
    -- As it is signed and sent.
    body        text    not null,
    status      text    not null check (status in ('queued', 'delivered', 'failed')),
    attempts    integer not null,
    due_at      integer,
    queued_at   integer not null,
    ended_at    integer,
    version     integer not null
) strict;
create index deliveries_by_key on deliveries (slot_id, key, place) where status = 'queued';
create index deliveries_by_due on deliveries (slot_id, due_at) where due_at is not null;
create index deliveries_by_first on deliveries (slot_id, key) where due_at is not null;
create index deliveries_by_endpoint on deliveries (endpoint_id, delivery_id);
create index deliveries_by_end on deliveries (endpoint_id, ended_at) where ended_at is not null;

-- One call of an endpoint. A row never changes.
create table attempts (
    attempt_id   blob    not null primary key,
    endpoint_id  blob    not null,
    delivery_id  blob    not null,
    number       integer not null,
    url          text    not null,
    signature    text    not null,
    attempted_at integer not null,
    duration_ms  integer not null,
    is_delivered integer not null check (is_delivered in (0, 1)),
    status       integer,
    headers      text,
    answer       text,
    error        text,
    version      integer not null
) strict;
create index attempts_by_endpoint on attempts (endpoint_id, attempt_id);
create index attempts_by_delivery on attempts (delivery_id);
