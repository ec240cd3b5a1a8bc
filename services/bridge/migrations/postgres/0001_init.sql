-- The mark by which this shop knows its own messages when a broker brings them back.
create table identity (
    identity_id uuid   not null primary key,
    version     bigint not null
);

-- The contracts in force, each since the start that it came with: what happened before is not sent on.
create table in_force (
    contract text        not null primary key,
    since    timestamptz not null,
    version  bigint      not null
);

-- Our names for what others call by ids of theirs. `foreign_key` is the contract, the kind and the foreign id.
create table foreign_ids (
    foreign_key text not null primary key,
    contract    text not null,
    our_id      uuid not null
);
create index foreign_ids_by_ours on foreign_ids (our_id);

-- Messages that were taken in and have an identity: the contract and the identity.
create table taken (
    message_key text        not null primary key,
    taken_at    timestamptz not null,
    version     bigint      not null
);
create index taken_by_time on taken (taken_at);

-- Messages that could not be taken in, with their bytes.
create table parked (
    parked_id uuid        not null primary key,
    contract  text        not null,
    queue     text        not null,
    reason    text        not null,
    body      bytea       not null,
    message   jsonb       not null,
    parked_at timestamptz not null,
    version   bigint      not null
);

-- Messages that are to be sent, in the order of their ids.
create table outgoing (
    message_id  uuid        not null primary key,
    contract    text        not null,
    exchange    text        not null,
    keys        jsonb       not null,
    is_optional boolean     not null,
    is_json     boolean     not null,
    body        bytea       not null,
    queued_at   timestamptz not null,
    version     bigint      not null
);
create index outgoing_by_contract on outgoing (contract, message_id);

-- The instance that sends the messages of a contract, until its time is over.
create table senders (
    contract text        not null primary key,
    holder   uuid        not null,
    until    timestamptz not null,
    version  bigint      not null
);

-- What the catalogue says of products.
create table products (
    product_id uuid    not null primary key,
    sku        text    not null,
    name       text    not null,
    category   text    not null,
    price      bigint  not null,
    currency   text    not null,
    is_deleted boolean not null,
    version    bigint  not null
);
create index products_by_sku on products (sku);
create index products_by_name on products (name);

-- What the inventory says of them.
create table stock (
    product_id uuid   not null primary key,
    available  bigint not null,
    version    bigint not null
);

-- Orders that contracts may have to name.
create table orders (
    order_id uuid   not null primary key,
    number   bigint,
    email    text   not null,
    contract text,
    via      text,
    lines    jsonb  not null,
    -- `taken` or `short`, once the inventory has said it of an order that was placed elsewhere.
    settled  text,
    version  bigint not null
);
