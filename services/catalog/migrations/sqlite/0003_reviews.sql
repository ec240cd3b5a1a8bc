-- Which products were delivered to whom: these may be reviewed. The version counts reviews, so that a review and the end
-- of the account that writes it exclude each other.
create table deliveries (
    user_id    blob    not null,
    product_id blob    not null,
    -- An admin hid this customer's review, and the customer removed it: no other follows.
    is_barred  integer not null check (is_barred in (0, 1)),
    version    integer not null,
    primary key (user_id, product_id)
) strict, without rowid;

-- Accounts that were closed: what is delivered to them later is not kept.
create table closed_accounts (
    user_id blob not null primary key
) strict, without rowid;

-- One review for each customer and product. That of a closed account keeps its rating, under a user id of its own.
create table reviews (
    review_id     blob    not null primary key,
    product_id    blob    not null,
    user_id       blob    not null,
    rating        integer not null check (rating between 1 and 5),
    comment       text    not null,
    hidden_by     text,
    hidden_reason text,
    created_at    integer not null,
    updated_at    integer not null,
    version       integer not null
) strict;
create unique index reviews_of_user on reviews (user_id, product_id);
create index reviews_newest on reviews (product_id, review_id);
create index reviews_by_rating on reviews (product_id, rating, review_id);

-- How many reviews that count gave a product 1, 2, 3, 4 and 5. Apart from the products, so that a review neither changes
-- a product nor disturbs those who edit it.
create table ratings (
    product_id blob    not null primary key,
    ones       integer not null check (ones >= 0),
    twos       integer not null check (twos >= 0),
    threes     integer not null check (threes >= 0),
    fours      integer not null check (fours >= 0),
    fives      integer not null check (fives >= 0),
    version    integer not null
) strict, without rowid;
