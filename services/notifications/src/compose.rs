//! From events to mails: what a mail says is decided once, in the commit that records its event.

use std::collections::HashSet;

use events::OrderId;
use kernel::{Event, Timestamp, Uuid, Version};
use service::storage::{Batch, Error};
use service::{Committed, Delivery, Failure, causes};

use crate::domain::{Beyond, Mail, Status, Topic, header_text};
use crate::send_mail::SEND_MAIL;
use crate::templates::{Content, Rendered};
use crate::{Ctx, store};

/// Letters that follow from one event, at the most.
const LETTERS_MAX: usize = 2;

/// The mails that follow from an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letter<'a> {
    pub topic: Topic,
    pub recipient: &'a str,
    pub content: Content<'a>,
}

/// Writes the letter of each event that has one, unless it was written before.
///
/// Of one recipient so many an hour are written as the shop allows; see
/// [`Content::beyond_quota`](crate::templates::Content::beyond_quota). With a mail server it is queued and its timer
/// set; without, it is captured, which is no outside effect.
pub(crate) async fn write_each<E: Event>(
    ctx: Ctx,
    deliveries: Vec<Delivery<E>>,
    letter: impl Fn(&E) -> Option<Letter<'_>> + Send + Sync,
) -> Result<Committed, Failure> {
    write_each_occasion(ctx, deliveries, |event, _| letter(event)).await
}

/// The same, together with other writes about the events.
pub(crate) async fn write_each_and<E: Event>(
    ctx: Ctx,
    deliveries: Vec<Delivery<E>>,
    others: Batch,
    letter: impl Fn(&E) -> Option<Letter<'_>> + Send + Sync,
) -> Result<Committed, Failure> {
    let letters = letters(&ctx, &deliveries, |event, _| [letter(event), None]).await?;
    Ok(ctx.commit(others.and(letters), causes(deliveries)).await?)
}

/// The same for letters about what happened: `letter` also gets the event's id.
pub(crate) async fn write_each_occasion<E: Event>(
    ctx: Ctx,
    deliveries: Vec<Delivery<E>>,
    letter: impl Fn(&E, Uuid) -> Option<Letter<'_>> + Send + Sync,
) -> Result<Committed, Failure> {
    write_all(ctx, deliveries, |event, occasion| [letter(event, occasion), None]).await
}

/// The same for events from which more than one letter may follow.
pub(crate) async fn write_all<E: Event>(
    ctx: Ctx,
    deliveries: Vec<Delivery<E>>,
    letters_of: impl Fn(&E, Uuid) -> [Option<Letter<'_>>; LETTERS_MAX] + Send + Sync,
) -> Result<Committed, Failure> {
    let batch = letters(&ctx, &deliveries, letters_of).await?;
    Ok(ctx.commit(batch, causes(deliveries)).await?)
}

async fn letters<E: Event>(
    ctx: &Ctx,
    deliveries: &[Delivery<E>],
    letters_of: impl Fn(&E, Uuid) -> [Option<Letter<'_>>; LETTERS_MAX] + Send + Sync,
) -> Result<Batch, Error> {
    let letters = || {
        deliveries.iter().flat_map(|delivery| {
            let letters = letters_of(&delivery.event, delivery.origin().causation_id);
            letters.into_iter().flatten().map(move |letter| (letter, delivery.origin()))
        })
    };
    let topics = letters().map(|(letter, _)| letter.topic.id()).collect();
    let mut written: HashSet<_> = store::written(&ctx.db, topics).await?.into_iter().collect();
    let now = ctx.clock.now();
    let mut new = Vec::new();
    for (letter, origin) in letters() {
        if !written.insert((letter.topic.id(), letter.content.template())) {
            continue;
        }
        match due(ctx, &letter, now) {
            Some(due) => new.push((letter, origin, due)),
            None => ctx.state.over_limit.count([letter.content.template().as_str(), "dropped"]),
        }
    }
    // A letter that is dropped replaces nothing: the mail before it is the only one.
    // Where mail is captured, one waits only beyond its recipient's limit, and then so does the letter that replaces it.
    let is_replacing = |due: &Timestamp| !ctx.state.mailer.captures() || *due > now;
    let replacing = new.iter().filter(|(.., due)| is_replacing(due)).map(|(letter, ..)| letter);
    let mut batch = replace_earlier(ctx, replacing).await?;
    for (letter, origin, due) in new {
        batch = batch.and(write(ctx, &letter, now, due).caused_by(origin));
    }
    Ok(batch)
}

/// Writes one letter that follows from no event. The caller's commit makes sure that it is written once.
pub(crate) fn letter(ctx: &Ctx, letter: &Letter<'_>, now: Timestamp) -> Batch {
    if let Some(due) = due(ctx, letter, now) {
        return write(ctx, letter, now, due);
    }
    ctx.state.over_limit.count([letter.content.template().as_str(), "dropped"]);
    Batch::new()
}

/// Cancels the mails that are still to be sent about orders which end by these letters: the mail server was
/// unreachable, or their recipient got too many, and they say that an order waits.
async fn replace_earlier<'a>(ctx: &Ctx, letters: impl Iterator<Item = &'a Letter<'a>>) -> Result<Batch, Error> {
    let ended = letters.filter(|letter| letter.content.is_end_of_order());
    let ended: Vec<OrderId> = ended.filter_map(|letter| letter.topic.order_id()).collect();
    if ended.is_empty() {
        return Ok(Batch::new());
    }
    let earlier = store::queued_of_orders(&ctx.db, ended).await?;
    Ok(earlier.iter().map(Mail::replaced).fold(Batch::new(), |batch, mail| batch.and(store::cancel(&mail))))
}

/// The time at which a mail goes: now, later if its recipient got too many, or never.
///
/// A commit that is tried again counts again, which makes the bound no looser.
fn due(ctx: &Ctx, letter: &Letter<'_>, now: Timestamp) -> Option<Timestamp> {
    // An order that has forgotten its customer has nobody to write to.
    if letter.recipient.is_empty() {
        return None;
    }
    let quota = ctx.state.mailer.quota();
    match letter.content.beyond_quota() {
        Beyond::Send => Some(now),
        Beyond::Hold => Some(quota.reserve(letter.recipient, now)),
        Beyond::Drop => quota.take(letter.recipient, now).then_some(now),
    }
}

fn write(ctx: &Ctx, letter: &Letter<'_>, now: Timestamp, due: Timestamp) -> Batch {
    let mail_id = ctx.ids.next();
    let Rendered { subject, text, html } = letter.content.render(ctx.state.mailer.shop_url());
    let held_until = (due > now).then_some(due);
    if held_until.is_some() {
        ctx.state.over_limit.count([letter.content.template().as_str(), "held"]);
    }
    let mail = Mail {
        mail_id,
        message_id: ctx.state.mailer.message_id(mail_id),
        topic_id: letter.topic.id(),
        order_id: letter.topic.order_id(),
        user_id: letter.topic.user_id(),
        template: letter.content.template(),
        recipient: header_text(letter.recipient),
        subject: header_text(&subject),
        text,
        html,
        status: Status::Queued,
        attempts: 0,
        error: None,
        created_at: now,
        held_until,
        sent_at: None,
        version: Version::FIRST,
    };
    if ctx.state.mailer.captures() && held_until.is_none() {
        store::insert(&mail.captured(now))
    } else {
        store::insert(&mail).schedule(SEND_MAIL.name, mail_id, due)
    }
}
