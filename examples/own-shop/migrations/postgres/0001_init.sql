-- How many units of each product were sold.
create table sales (
    product_id uuid   not null primary key,
    name       text   not null,
    units      bigint not null,
    version    bigint not null
);
create index sales_units on sales (units);
