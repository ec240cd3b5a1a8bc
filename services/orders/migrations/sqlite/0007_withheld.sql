-- Units that will not leave, by shipment: they were refunded before they did.
alter table orders add column withheld text not null default '[]';
