-- Mails have more templates than at first, so their names are the program's to check; a mail knows the account that it
-- is about, and may be held for a time.
alter table mails drop constraint mails_template_check;
-- The account, of a mail that is about one and no order.
alter table mails add column user_id uuid;
-- Until when it is held, because its recipient got too many.
alter table mails add column held_until timestamptz;
update mails set user_id = topic_id where template = 'welcome';
create index mails_by_user on mails (user_id, mail_id) where user_id is not null;
