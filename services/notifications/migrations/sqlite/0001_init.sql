create table mails (
    mail_id    blob    not null primary key,
    message_id text    not null,
    -- What the mail is about: an order, a payment or a user. About each there is one mail of a template.
    topic_id   blob    not null,
    order_id   blob,
    template   text    not null check (template in ('welcome', 'confirmation', 'rejection', 'payment_failed', 'cancelled')),
    recipient  text    not null,
    subject    text    not null,
    text       text    not null,
    html       text    not null,
    status     text    not null check (status in ('queued', 'sent', 'captured', 'failed')),
    attempts   integer not null,
    error      text,
    created_at integer not null,
    sent_at    integer,
    version    integer not null,
    unique (topic_id, template)
) strict;
create index mails_by_order on mails (order_id, mail_id) where order_id is not null;
