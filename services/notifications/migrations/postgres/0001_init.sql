create table mails (
    mail_id    uuid        not null primary key,
    message_id text        not null,
    -- What the mail is about: an order, a payment or a user. About each there is one mail of a template.
    topic_id   uuid        not null,
    order_id   uuid,
    template   text        not null check (template in ('welcome', 'confirmation', 'rejection', 'payment_failed', 'cancelled')),
    recipient  text        not null,
    subject    text        not null,
    text       text        not null,
    html       text        not null,
    status     text        not null check (status in ('queued', 'sent', 'captured', 'failed')),
    attempts   bigint      not null,
    error      text,
    created_at timestamptz not null,
    sent_at    timestamptz,
    version    bigint      not null,
    unique (topic_id, template)
);
create index mails_by_order on mails (order_id, mail_id) where order_id is not null;
