-- Products, as far as requests for mails need them: the catalogue and the inventory each report a part.
create table products (
    product_id      uuid    not null primary key,
    name            text    not null,
    is_deleted      boolean not null,
    product_version bigint  not null,
    is_in_stock     boolean not null,
    stock_version   bigint  not null,
    version         bigint  not null
);

-- Requests for a mail when a product is in stock again. One is open until its mail is written, and then kept as long as
-- the link in the mail is good.
create table requests (
    request_id  uuid    not null primary key,
    product_id  uuid    not null,
    email       text    not null,
    -- The address without what does not distinguish two, such as the case of letters.
    email_key   text    not null,
    created_at  timestamptz not null,
    mailed_at   timestamptz,
    -- Of the token in the mail that ends all requests of the address.
    link_digest bytea,
    version     bigint  not null
);
create unique index requests_open on requests (product_id, email_key) where mailed_at is null;
create index requests_of_product on requests (product_id, request_id) where mailed_at is null;
create index requests_of_email on requests (email_key, mailed_at);
create index requests_by_link on requests (link_digest) where link_digest is not null;

-- The addresses of accounts, whose requests end with them. Empty: the account is closed.
create table addresses (
    user_id uuid    not null primary key,
    email   text    not null,
    version bigint  not null
);
