-- Which form `search_text` has. 0: lower case, letter by letter, as of all products before; the start of the service
-- writes them anew, for SQL can't fold case and normal form.
alter table products add column search_form bigint not null default 0;
create index products_in_another_form on products (product_id) where search_form = 0;
