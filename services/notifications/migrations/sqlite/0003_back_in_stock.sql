-- Products, as far as requests for mails need them: the catalogue and the inventory each report a part.
create table products (
    product_id      blob    not null primary key,
    name            text    not null,
    is_deleted      integer not null check (is_deleted in (0, 1)),
    product_version integer not null,
    is_in_stock     integer not null check (is_in_stock in (0, 1)),
    stock_version   integer not null,
    version         integer not null
) strict;

-- Requests for a mail when a product is in stock again. One is open until its mail is written, and then kept as long as
-- the link in the mail is good.
create table requests (
    request_id  blob    not null primary key,
    product_id  blob    not null,
    email       text    not null,
    -- The address without what does not distinguish two, such as the case of letters.
    email_key   text    not null,
    created_at  integer not null,
    mailed_at   integer,
    -- Of the token in the mail that ends all requests of the address.
    link_digest blob,
    version     integer not null
) strict;
create unique index requests_open on requests (product_id, email_key) where mailed_at is null;
create index requests_of_product on requests (product_id, request_id) where mailed_at is null;
create index requests_of_email on requests (email_key, mailed_at);
create index requests_by_link on requests (link_digest) where link_digest is not null;

-- The addresses of accounts, whose requests end with them. Empty: the account is closed.
create table addresses (
    user_id blob    not null primary key,
    email   text    not null,
    version integer not null
) strict;
