-- Mails have more templates than at first, so their names are the program's to check; a mail knows the account that it
-- is about, and may be held for a time. SQLite can't drop a check, so the table is made anew.
create table mails_anew (
    mail_id    blob    not null primary key,
    message_id text    not null,
    -- The occasion: an order, a payment, or what happened to an account. About each there is one mail of a template.
    topic_id   blob    not null,
    order_id   blob,
    template   text    not null,
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
    -- The account, of a mail that is about one and no order.
    user_id    blob,
    -- Until when it is held, because its recipient got too many.
    held_until integer,
    unique (topic_id, template)
) strict;
insert into mails_anew (mail_id, message_id, topic_id, order_id, template, recipient, subject, text, html, status,
        attempts, error, created_at, sent_at, version, user_id)
    select mail_id, message_id, topic_id, order_id, template, recipient, subject, text, html, status,
        attempts, error, created_at, sent_at, version, case template when 'welcome' then topic_id end
    from mails;
drop table mails;
alter table mails_anew rename to mails;
create index mails_by_order on mails (order_id, mail_id) where order_id is not null;
create index mails_by_user on mails (user_id, mail_id) where user_id is not null;
