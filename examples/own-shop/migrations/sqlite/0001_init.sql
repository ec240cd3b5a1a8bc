-- How many units of each product were sold.
create table sales (
    product_id blob    not null primary key,
    name       text    not null,
    units      integer not null,
    version    integer not null
) strict, without rowid;
create index sales_units on sales (units);
