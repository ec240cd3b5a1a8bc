-- A shortage that was emitted, until it is over. What is short already at this step is emitted once at its next change:
-- it may never have been.
alter table stock add column is_low integer not null default 0 check (is_low in (0, 1));
