-- An order is found by its number, which is the name that people use.
create index orders_by_number on orders (number);
