-- Whose order it is, for orders of customers who had signed in. Null: a guest's, as all were before.
alter table orders add column user_id uuid;
create index orders_by_user on orders (user_id, order_id) where user_id is not null;

-- What users told: the addresses of accounts, for orders that name none.
create table users (
    user_id uuid   not null primary key,
    email   text   not null,
    version bigint not null
);
