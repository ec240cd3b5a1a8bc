-- Addresses of others, and the events that they want.
create table endpoints (
    endpoint_id     uuid        not null primary key,
    url             text        not null,
    description     text,
    -- Types, `*`, or prefixes as in `orders.*`.
    event_types     jsonb       not null,
    -- It signs, so it is kept as it is. It leaves the table in one answer only.
    secret          text        not null,
    -- The secret before, which signs too until that time.
    previous_secret text,
    previous_until  timestamptz,
    is_enabled      boolean     not null,
    -- Events from this time on are sent.
    active_since    timestamptz not null,
    -- The oldest failure since the last success.
    failing_since   timestamptz,
    disabled_at     timestamptz,
    disabled_reason text,
    -- A resend in progress: of deliveries with ids between these.
    resend_after    uuid,
    resend_until    uuid,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    version         bigint      not null
);

-- Attempts in flight at one endpoint: of each slot there is one at a time, and a key has one slot. Whoever changes the
-- deliveries that wait in a slot counts up its version.
create table slots (
    slot_id     uuid    not null primary key,
    endpoint_id uuid    not null,
    number      bigint  not null,
    next_place  bigint  not null,
    -- True if its timer is due or handled, and will look for deliveries before it sleeps.
    is_awake    boolean not null,
    version     bigint  not null,
    unique (endpoint_id, number)
);

-- One event for one endpoint. Of a key that has any in the queue the first has a time at which it is due.
create table deliveries (
    delivery_id uuid        not null primary key,
    endpoint_id uuid        not null,
    slot_id     uuid        not null,
    key         uuid        not null,
    -- Its place in the slot.
    place       bigint      not null,
    event_id    uuid        not null,
    event_type  text        not null,
    -- As it is signed and sent.
    body        text        not null,
    status      text        not null check (status in ('queued', 'delivered', 'failed')),
    attempts    bigint      not null,
    due_at      timestamptz,
    queued_at   timestamptz not null,
    ended_at    timestamptz,
    version     bigint      not null
);
create index deliveries_by_key on deliveries (slot_id, key, place) where status = 'queued';
create index deliveries_by_due on deliveries (slot_id, due_at) where due_at is not null;
create index deliveries_by_first on deliveries (slot_id, key) where due_at is not null;
create index deliveries_by_endpoint on deliveries (endpoint_id, delivery_id);
create index deliveries_by_end on deliveries (endpoint_id, ended_at) where ended_at is not null;

-- One call of an endpoint. A row never changes.
create table attempts (
    attempt_id   uuid        not null primary key,
    endpoint_id  uuid        not null,
    delivery_id  uuid        not null,
    number       bigint      not null,
    url          text        not null,
    signature    text        not null,
    attempted_at timestamptz not null,
    duration_ms  bigint      not null,
    is_delivered boolean     not null,
    status       bigint,
    headers      jsonb,
    answer       text,
    error        text,
    version      bigint      not null
);
create index attempts_by_endpoint on attempts (endpoint_id, attempt_id);
create index attempts_by_delivery on attempts (delivery_id);
