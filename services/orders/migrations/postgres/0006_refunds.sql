-- Refunds that the payment provider decided, with its reason if one failed. None are known from before this step.
alter table orders add column refunds jsonb not null default '[]';
