-- What was answered to a request that came with an idempotency key.
create table idempotency (
    scope        text        not null,
    key          text        not null,
    digest       bytea       not null,
    answer       bytea       not null,
    committed_at timestamptz not null,
    expires_at   timestamptz not null,
    primary key (scope, key)
);
create index idempotency_by_expiry on idempotency (expires_at);
