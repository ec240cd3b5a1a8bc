-- The public keys by which the service checks access tokens, as it was told of them.
create table published_keys (
    key_id     uuid        not null primary key,
    public_key bytea       not null,
    not_after  timestamptz not null
);
