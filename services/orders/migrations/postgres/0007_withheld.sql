-- Units that will not leave, by shipment: they were refunded before they did.
alter table orders add column withheld jsonb not null default '[]';
