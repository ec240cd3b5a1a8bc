-- What was answered to a request that came with an idempotency key.
create table idempotency (
    scope        text    not null,
    key          text    not null,
    digest       blob    not null,
    answer       blob    not null,
    committed_at integer not null,
    expires_at   integer not null,
    primary key (scope, key)
) strict, without rowid;
create index idempotency_by_expiry on idempotency (expires_at);

-- A commit of unknown outcome is looked up by its group; requests need no row of their own for that.
drop table requests;
