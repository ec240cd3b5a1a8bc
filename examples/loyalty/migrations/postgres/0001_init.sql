-- Payments, with the points that are left of them. A refund may arrive before its order is known to be paid.
create table payments (
    payment_id uuid   not null primary key,
    user_id    uuid,
    paid       bigint not null,
    given      bigint not null,
    refunded   bigint not null,
    points     bigint not null,
    version    bigint not null
);
create index payments_by_user on payments (user_id);
