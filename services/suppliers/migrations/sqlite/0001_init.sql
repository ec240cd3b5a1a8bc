-- Products as the catalogue has them. A purchase order that is placed counts up the version, and so does the end of a
-- product: of the two, one decides again.
create table products (
    product_id      blob    not null primary key,
    sku             text    not null,
    name            text    not null,
    is_deleted      integer not null check (is_deleted in (0, 1)),
    -- That of the catalogue.
    product_version integer not null,
    version         integer not null
) strict;

create table suppliers (
    supplier_id    blob    not null primary key,
    name           text    not null,
    email          text    not null,
    lead_time_days integer not null check (lead_time_days >= 1),
    auto_replenish integer not null check (auto_replenish in (0, 1)),
    created_at     integer not null,
    updated_at     integer not null,
    -- The row stays, for its purchase orders name it.
    deleted_at     integer,
    -- A purchase order that is placed counts it up, so that no supplier is deleted at the same instant.
    version        integer not null
) strict;

-- What a supplier delivers, at which cost.
create table offers (
    supplier_id        blob    not null,
    product_id         blob    not null,
    -- Its place in the supplier's list.
    position           integer not null,
    unit_cost_amount   integer not null check (unit_cost_amount >= 1),
    unit_cost_currency text    not null,
    order_quantity     integer not null check (order_quantity >= 1),
    version            integer not null,
    primary key (supplier_id, product_id)
) strict;
create index offers_by_product on offers (product_id, supplier_id);

create table purchase_orders (
    purchase_order_id blob    not null primary key,
    supplier_id       blob    not null,
    status            text    not null check (status in ('placed', 'partially_received', 'received', 'cancelled')),
    lines             text    not null,
    receipts          text    not null,
    -- An admin's account, `automation`, or `replenishment`.
    placed_by         text    not null,
    expected_at       integer not null,
    -- The time at which it was reported as overdue.
    overdue_at        integer,
    created_at        integer not null,
    updated_at        integer not null,
    version           integer not null
) strict;
create index purchase_orders_by_supplier on purchase_orders (supplier_id, purchase_order_id);
create index purchase_orders_by_status on purchase_orders (status, purchase_order_id);

-- Lines of which units are still to come. The first open line of a product has the place 0, and replenishment takes no
-- other: two orders for one shortage would need one key twice.
create table open_lines (
    product_id        blob    not null,
    place             integer not null check (place >= 0),
    purchase_order_id blob    not null,
    version           integer not null,
    primary key (product_id, place)
) strict;

-- The purchase order by which a shortage is covered, forever: a shortage that is replayed has its order already.
create table replenishments (
    product_id        blob    not null,
    -- The version of the stock level that ran low.
    shortage          integer not null,
    purchase_order_id blob    not null,
    primary key (product_id, shortage)
) strict;
