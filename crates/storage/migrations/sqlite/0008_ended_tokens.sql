-- The beginning of the second after the account's newest ban or the end of it: its tokens of before have ended. Null where
-- that time is not known: then none has.
alter table accounts add column tokens_from integer;
