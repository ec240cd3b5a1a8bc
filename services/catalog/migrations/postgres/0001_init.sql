-- Products. A deleted one keeps its row, for orders still name it; its sku may be used again.
create table products (
    product_id          uuid        not null primary key,
    sku                 text        not null,
    name                text        not null,
    description         text        not null,
    category            text,
    price_amount        bigint      not null,
    price_currency      text        not null,
    low_stock_threshold bigint      not null,
    -- Name, sku and description in lower case, for search.
    search_text         text        not null,
    deleted_at          timestamptz,
    version             bigint      not null
);
create unique index products_sku on products (sku) where deleted_at is null;

-- What the inventory said last, under the version of its stock. Apart from the products,
-- so that sales neither change a product nor disturb those who edit it.
create table stock_flags (
    product_id uuid    not null primary key,
    in_stock   boolean not null,
    version    bigint  not null
) with (fillfactor = 80);
