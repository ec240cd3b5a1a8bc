-- The time at which the order was reported as stuck in the status that it has.
alter table orders add column stuck_at integer;
