-- The public keys by which the service checks access tokens, as it was told of them.
create table published_keys (
    key_id     blob    not null primary key,
    public_key blob    not null,
    not_after  integer not null
) strict, without rowid;
