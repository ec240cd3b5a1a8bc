-- Payments, with the points that are left of them. A refund may arrive before its order is known to be paid.
create table payments (
    payment_id blob    not null primary key,
    user_id    blob,
    paid       integer not null,
    given      integer not null,
    refunded   integer not null,
    points     integer not null,
    version    integer not null
) strict, without rowid;
create index payments_by_user on payments (user_id);
