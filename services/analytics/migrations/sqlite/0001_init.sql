-- The time zone in which the days of `shop` are counted: one row, which never changes.
create table analytics_zone (
    zone_id integer not null primary key,
    name    text    not null
) strict, without rowid;

-- Orders, as far as they are counted: the status by the event with the highest sequence, and the steps that were reached.
create table analytics_orders (
    order_id     blob    not null primary key,
    status       text    not null,
    sequence     integer not null,
    is_placed    integer not null,
    is_paid      integer not null,
    is_shipped   integer not null,
    is_delivered integer not null,
    version      integer not null
) strict, without rowid;

-- Products by sku and name, as their newest event has them. A deleted one stays, for it was sold.
create table analytics_products (
    product_id blob    not null primary key,
    sku        text    not null,
    name       text    not null,
    version    integer not null
) strict, without rowid;

-- Sums are kept apart by bucket, which is the shard of the event's key, and added in reading: instances don't wait for one another.
-- Sales and refunds of a day, in days since 1970 of the zone `utc` or `shop`. Amounts are minor units.
create table analytics_days (
    zone     text    not null,
    day      integer not null,
    currency text    not null,
    bucket   integer not null,
    orders   integer not null,
    units    integer not null,
    sales    integer not null,
    refunds  integer not null,
    refunded integer not null,
    primary key (zone, day, currency, bucket)
) strict, without rowid;

-- Sales of a product on a day.
create table analytics_product_days (
    zone       text    not null,
    day        integer not null,
    product_id blob    not null,
    currency   text    not null,
    bucket     integer not null,
    orders     integer not null,
    units      integer not null,
    sales      integer not null,
    primary key (zone, day, product_id, currency, bucket)
) strict, without rowid;

-- Reviews of a product that count, by their stars.
create table analytics_ratings (
    product_id blob    not null,
    bucket     integer not null,
    ones       integer not null,
    twos       integer not null,
    threes     integer not null,
    fours      integer not null,
    fives      integer not null,
    primary key (product_id, bucket)
) strict, without rowid;

-- Plain counts: of orders by status and by step, of events by type, of paid orders and amounts by currency.
create table analytics_counts (
    measure text    not null,
    label   text    not null,
    bucket  integer not null,
    total   integer not null,
    primary key (measure, label, bucket)
) strict, without rowid;

-- Events of a minute by type, for two days: a minute, in minutes since 1970, shares its slot with the one two days later,
-- which takes its place.
create table analytics_minutes (
    slot       integer not null,
    event_type text    not null,
    bucket     integer not null,
    minute     integer not null,
    events     integer not null,
    primary key (slot, event_type, bucket)
) strict, without rowid;
