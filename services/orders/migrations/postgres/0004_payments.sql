-- A payment that was given up before the provider was asked is `voided`.
alter table orders drop constraint orders_payment_status_check;
alter table orders add constraint orders_payment_status_check check
    (payment_status in ('none', 'requested', 'captured', 'failed', 'voided', 'refunded'));
-- The provider's reason, if the current payment was declined.
alter table orders add column payment_error text;
-- Payments that were declined.
alter table orders add column declines bigint not null default 0;
-- The address of the client that placed the order. Null: placed before this step.
alter table orders add column placed_from text;
alter table orders add column units bigint not null default 0;
-- Its units are held and nothing is paid or being paid for them. Orders from before this step are not counted.
alter table orders add column awaits_customer boolean not null default false;
create index orders_unpaid_of_email on orders (email) where awaits_customer;
create index orders_unpaid_of_address on orders (placed_from) where awaits_customer;
