-- A shortage that was emitted, until it is over. What is short already at this step is emitted once at its next change:
-- it may never have been.
alter table stock add column is_low boolean not null default false;
