-- The contract by which an order came that was placed elsewhere and is settled there, and its id there, if it was said.
-- Null: an order of this shop, as all before.
alter table orders add column contract text;
alter table orders add column foreign_id text;
