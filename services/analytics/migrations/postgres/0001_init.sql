-- The time zone in which the days of `shop` are counted: one row, which never changes.
create table analytics_zone (
    zone_id bigint not null primary key,
    name    text   not null
);

-- Orders, as far as they are counted: the status by the event with the highest sequence, and the steps that were reached.
create table analytics_orders (
    order_id     uuid    not null primary key,
    status       text    not null,
    sequence     bigint  not null,
    is_placed    boolean not null,
    is_paid      boolean not null,
    is_shipped   boolean not null,
    is_delivered boolean not null,
    version      bigint  not null
);

-- Products by sku and name, as their newest event has them. A deleted one stays, for it was sold.
create table analytics_products (
    product_id uuid   not null primary key,
    sku        text   not null,
    name       text   not null,
    version    bigint not null
);

-- Sums are kept apart by bucket, which is the shard of the event's key, and added in reading: instances don't wait for one another.
-- Sales and refunds of a day, in days since 1970 of the zone `utc` or `shop`. Amounts are minor units.
create table analytics_days (
    zone     text   not null,
    day      bigint not null,
    currency text   not null,
    bucket   bigint not null,
    orders   bigint not null,
    units    bigint not null,
    sales    bigint not null,
    refunds  bigint not null,
    refunded bigint not null,
    primary key (zone, day, currency, bucket)
);

-- Sales of a product on a day.
create table analytics_product_days (
    zone       text   not null,
    day        bigint not null,
    product_id uuid   not null,
    currency   text   not null,
    bucket     bigint not null,
    orders     bigint not null,
    units      bigint not null,
    sales      bigint not null,
    primary key (zone, day, product_id, currency, bucket)
);

-- Reviews of a product that count, by their stars.
create table analytics_ratings (
    product_id uuid   not null,
    bucket     bigint not null,
    ones       bigint not null,
    twos       bigint not null,
    threes     bigint not null,
    fours      bigint not null,
    fives      bigint not null,
    primary key (product_id, bucket)
);

-- Plain counts: of orders by status and by step, of events by type, of paid orders and amounts by currency.
create table analytics_counts (
    measure text   not null,
    label   text   not null,
    bucket  bigint not null,
    total   bigint not null,
    primary key (measure, label, bucket)
);

-- Events of a minute by type, for two days: a minute, in minutes since 1970, shares its slot with the one two days later,
-- which takes its place.
create table analytics_minutes (
    slot       bigint not null,
    event_type text   not null,
    bucket     bigint not null,
    minute     bigint not null,
    events     bigint not null,
    primary key (slot, event_type, bucket)
);
