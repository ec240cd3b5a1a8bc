//! The mails' table, and those of requests for mails.

pub(crate) mod back_in_stock;

use crate::MailId;
use events::OrderId;
use kernel::{UserId, Uuid, Version};
use service::storage::{self, Batch, Db, Error, Row, params};

use crate::domain::{Mail, Status, Template};
use crate::send_mail::SEND_MAIL;

storage::statements! {
    lookup MAIL "select mail_id, message_id, topic_id, order_id, template, recipient, subject, text, html, status,
            attempts, error, created_at, sent_at, version, user_id, held_until
        from mails where mail_id = $1";
    query PAGE "select mail_id, message_id, topic_id, order_id, template, recipient, subject, text, html, status,
            attempts, error, created_at, sent_at, version, user_id, held_until
        from mails where mail_id < $1 order by mail_id desc limit $2";
    query PAGE_OF_ORDER "select mail_id, message_id, topic_id, order_id, template, recipient, subject, text, html,
            status, attempts, error, created_at, sent_at, version, user_id, held_until
        from mails where order_id = $1 and mail_id < $2 order by mail_id desc limit $3";
    lookup QUEUED_OF_ORDERS "select mail_id, message_id, topic_id, order_id, template, recipient, subject, text, html,
            status, attempts, error, created_at, sent_at, version, user_id, held_until
        from mails where order_id = any($1) and status = $2";
    lookup OF_ORDER "select mail_id, version from mails where order_id = $1";
    lookup OF_USER "select mail_id, version from mails where user_id = $1";
    change DELETE "delete from mails where mail_id = $1 and version = $2";
    lookup WRITTEN "select topic_id, template from mails where topic_id = any($1)";
    insert INSERT into mails (
        mail_id uuid, message_id text, topic_id uuid, order_id uuid, template text, recipient text, subject text,
        text text, html text, status text, attempts int, error text, created_at time, sent_at time, version int,
        user_id uuid, held_until time,
    );
    lookup OF_TOPICS "select mail_id, version from mails where topic_id = any($1)";
    lookup RECIPIENTS "select distinct recipient from mails where user_id = $1";
    lookup ADDRESS "select email from addresses where user_id = $1";
    upsert PUT_ADDRESS "insert into addresses (user_id, email, version) values ($1, $2, $3)
        on conflict (user_id) do update set email = excluded.email, version = excluded.version
        where addresses.version < excluded.version";
    lookup PRODUCTS "select product_id, name, is_deleted, product_version, is_in_stock, stock_version, version
        from products where product_id = any($1)";
    insert INSERT_PRODUCT into products (product_id uuid, name text, is_deleted bool, product_version int,
        is_in_stock bool, stock_version int, version int);
    change SET_PRODUCT "update products set name = $2, is_deleted = $3, product_version = $4, is_in_stock = $5,
        stock_version = $6, version = version + 1 where product_id = $1 and version = $7";
    insert INSERT_REQUEST into requests (request_id uuid, product_id uuid, email text, email_key text, created_at time,
        version int);
    lookup REQUEST "select request_id, version from requests where request_id = $1";
    lookup REQUEST_OF_LINK "select request_id, product_id, email, created_at, version from requests
        where link_digest = $1";
    lookup OPEN_OF_EMAIL "select request_id, product_id, email, created_at, version from requests
        where email_key = $1 and mailed_at is null";
    query OPEN_OF_PRODUCT "select request_id, product_id, email, created_at, version from requests
        where product_id = $1 and mailed_at is null order by request_id limit $2";
    query REQUESTS_OF_EMAILS "select request_id, version from requests where email_key = any($1)";
    change MAILED "update requests set mailed_at = $2, link_digest = $3, version = version + 1
        where request_id = $1 and version = $4";
    change DELETE_REQUEST "delete from requests where request_id = $1 and version = $2";
    change UPDATE "update mails set status = $2, attempts = $3, error = $4, sent_at = $5, version = version + 1
        where mail_id = $1 and version = $6";
}

pub(crate) async fn mail(db: &Db, mail_id: MailId) -> Result<Option<Mail>, Error> {
    db.query_one(&MAIL, params![mail_id], mail_of).await
}

/// Mails below an id, newest first.
pub(crate) async fn page(db: &Db, order_id: Option<OrderId>, before: MailId, rows: i64) -> Result<Vec<Mail>, Error> {
    match order_id {
        Some(order_id) => db.query(&PAGE_OF_ORDER, params![order_id, before, rows], mail_of).await,
        None => db.query(&PAGE, params![before, rows], mail_of).await,
    }
}

/// The existing mails about these topics.
pub(crate) async fn written(db: &Db, topics: Vec<Uuid>) -> Result<Vec<(Uuid, Template)>, Error> {
    db.query(&WRITTEN, params![topics], |row| Ok((row.get("topic_id")?, row.parse("template")?))).await
}

/// A new mail. If there is one of its topic and template, the commit is a conflict.
pub(crate) fn insert(mail: &Mail) -> Batch {
    let row = params![
        mail.mail_id,
        &mail.message_id,
        mail.topic_id,
        mail.order_id,
        mail.template.as_str(),
        &mail.recipient,
        &mail.subject,
        &mail.text,
        &mail.html,
        mail.status.as_str(),
        mail.attempts,
        mail.error.as_ref(),
        mail.created_at,
        mail.sent_at,
        mail.version,
        mail.user_id,
        mail.held_until,
    ];
    Batch::new().insert(&INSERT, row)
}

/// Writes the result of a mail, guarded by the version on which it was decided.
pub(crate) fn update(mail: &Mail) -> Batch {
    let row = params![mail.mail_id, mail.status.as_str(), mail.attempts, mail.error.as_ref(), mail.sent_at];
    Batch::new().change(&UPDATE, mail.version, row)
}

/// Writes that a mail is not sent, and removes its timer.
pub(crate) fn cancel(mail: &Mail) -> Batch {
    update(mail).unschedule(SEND_MAIL.name, mail.mail_id)
}

/// Mails about these orders that are still to be sent.
pub(crate) async fn queued_of_orders(db: &Db, orders: Vec<OrderId>) -> Result<Vec<Mail>, Error> {
    db.query(&QUEUED_OF_ORDERS, params![orders, Status::Queued.as_str()], mail_of).await
}

/// A mail by its id, at a version.
pub(crate) type MailVersion = (MailId, Version);

/// All mails about an order.
pub(crate) async fn mails_of_order(db: &Db, order_id: OrderId) -> Result<Vec<MailVersion>, Error> {
    db.query(&OF_ORDER, params![order_id], kept).await
}

/// All mails about an account and no order.
pub(crate) async fn mails_of_user(db: &Db, user_id: UserId) -> Result<Vec<MailVersion>, Error> {
    db.query(&OF_USER, params![user_id], kept).await
}

/// All mails about these topics.
pub(crate) async fn mails_of_topics(db: &Db, topics: Vec<Uuid>) -> Result<Vec<MailVersion>, Error> {
    db.query(&OF_TOPICS, params![topics], kept).await
}

/// The addresses to which mails about an account and no order went.
pub(crate) async fn recipients(db: &Db, user_id: UserId) -> Result<Vec<String>, Error> {
    db.query(&RECIPIENTS, params![user_id], |row| row.get("recipient")).await
}

/// Removes mails, and the timers of those that are still to be sent.
pub(crate) fn delete(mails: &[MailVersion]) -> Batch {
    mails.iter().fold(Batch::new(), |batch, (mail_id, version)| {
        batch.change(&DELETE, *version, params![*mail_id]).unschedule(SEND_MAIL.name, *mail_id)
    })
}

fn kept(row: &Row<'_>) -> Result<MailVersion, Error> {
    Ok((row.get("mail_id")?, row.get("version")?))
}

fn mail_of(row: &Row<'_>) -> Result<Mail, Error> {
    Ok(Mail {
        mail_id: row.get("mail_id")?,
        message_id: row.get("message_id")?,
        topic_id: row.get("topic_id")?,
        order_id: row.get("order_id")?,
        template: row.parse("template")?,
        recipient: row.get("recipient")?,
        subject: row.get("subject")?,
        text: row.get("text")?,
        html: row.get("html")?,
        status: row.parse("status")?,
        attempts: row.get("attempts")?,
        error: row.get("error")?,
        created_at: row.get("created_at")?,
        sent_at: row.get("sent_at")?,
        version: row.get("version")?,
        user_id: row.get("user_id")?,
        held_until: row.get("held_until")?,
    })
}
