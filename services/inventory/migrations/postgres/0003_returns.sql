-- Units of a sold order that are on hand again.
alter table reservations add column returned jsonb not null default '[]';

-- Corrections of what is on hand, and who made them.
create table adjustments (
    adjustment_id uuid    not null primary key,
    product_id    uuid    not null,
    delta         bigint  not null,
    reason        text    not null,
    adjusted_by   text    not null,
    created_at    timestamptz not null
);
create index adjustments_by_product on adjustments (product_id, adjustment_id);
