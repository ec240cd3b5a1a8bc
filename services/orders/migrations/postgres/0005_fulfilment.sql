-- An order goes on after it is paid: it is shipped, delivered, or cancelled; and its money may go back in parts.
-- The names of statuses are the program's to check from here on.
alter table orders drop constraint orders_status_check;
alter table orders drop constraint orders_payment_status_check;
-- Minor units that went back.
alter table orders add column refunded bigint not null default 0 check (refunded between 0 and total_amount);
update orders set refunded = total_amount where payment_status = 'refunded';
-- Those that left.
alter table orders add column shipments jsonb not null default '[]';
alter table orders add column cancellation text;
alter table orders add column cancelled_by text;
-- The e-mail address is that of the account, and changes with it. Orders from before this step keep theirs.
alter table orders add column follows_account boolean not null default false;
