-- The mark by which this shop knows its own messages when a broker brings them back.
create table identity (
    identity_id blob    not null primary key,
    version     integer not null
) strict;

-- The contracts in force, each since the start that it came with: what happened before is not sent on.
create table in_force (
    contract text    not null primary key,
    since    integer not null,
    version  integer not null
) strict;

-- Our names for what others call by ids of theirs. `foreign_key` is the contract, the kind and the foreign id.
create table foreign_ids (
    foreign_key text not null primary key,
    contract    text not null,
    our_id      blob not null
) strict;
create index foreign_ids_by_ours on foreign_ids (our_id);

-- Messages that were taken in and have an identity: the contract and the identity.
create table taken (
    message_key text    not null primary key,
    taken_at    integer not null,
    version     integer not null
) strict;
create index taken_by_time on taken (taken_at);

-- Messages that could not be taken in, with their bytes.
create table parked (
    parked_id blob    not null primary key,
    contract  text    not null,
    queue     text    not null,
    reason    text    not null,
    body      blob    not null,
    message   text    not null,
    parked_at integer not null,
    version   integer not null
) strict;

-- Messages that are to be sent, in the order of their ids.
create table outgoing (
    message_id  blob    not null primary key,
    contract    text    not null,
    exchange    text    not null,
    keys        text    not null,
    is_optional integer not null check (is_optional in (0, 1)),
    is_json     integer not null check (is_json in (0, 1)),
    body        blob    not null,
    queued_at   integer not null,
    version     integer not null
) strict;
create index outgoing_by_contract on outgoing (contract, message_id);

-- The instance that sends the messages of a contract, until its time is over.
create table senders (
    contract text    not null primary key,
    holder   blob    not null,
    until    integer not null,
    version  integer not null
) strict;

-- What the catalogue says of products.
create table products (
    product_id blob    not null primary key,
    sku        text    not null,
    name       text    not null,
    category   text    not null,
    price      integer not null,
    currency   text    not null,
    is_deleted integer not null check (is_deleted in (0, 1)),
    version    integer not null
) strict;
create index products_by_sku on products (sku);
create index products_by_name on products (name);

-- What the inventory says of them.
create table stock (
    product_id blob    not null primary key,
    available  integer not null,
    version    integer not null
) strict;

-- Orders that contracts may have to name.
create table orders (
    order_id blob    not null primary key,
    number   integer,
    email    text    not null,
    contract text,
    via      text,
    lines    text    not null,
    -- `taken` or `short`, once the inventory has said it of an order that was placed elsewhere.
    settled  text,
    version  integer not null
) strict;
