//! Reads, and the mail as the admin sees one.

use crate::MailId;
use axum::Json;
use axum::extract::State;
use events::OrderId;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use service::http::{Listing, Page, PathId, Problem, QueryOf};
use utoipa::{IntoParams, ToSchema};

use crate::{Ctx, domain, store};

/// A mail to a customer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Mail {
    mail_id: MailId,
    /// Its Message-ID header, the same in every attempt to send it.
    message_id: String,
    #[schema(example = "ada@example.com")]
    to: String,
    #[schema(value_type = domain::Template, inline)]
    template: &'static str,
    #[schema(example = "Order 1042 is confirmed")]
    subject: String,
    text: String,
    html: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    /// `captured` where no mail server is configured.
    #[schema(value_type = domain::Status, inline)]
    status: &'static str,
    /// The reason why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Until when it waits, because its recipient got as many mails as the shop sends to one in an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_until: Option<Timestamp>,
    /// The time at which it was sent or captured; null until then.
    sent_at: Option<Timestamp>,
}

impl From<domain::Mail> for Mail {
    fn from(mail: domain::Mail) -> Self {
        Self {
            mail_id: mail.mail_id,
            message_id: mail.message_id,
            to: mail.recipient,
            template: mail.template.as_str(),
            subject: mail.subject,
            text: mail.text,
            html: mail.html,
            order_id: mail.order_id,
            status: mail.status.as_str(),
            error: mail.error,
            held_until: mail.held_until,
            sent_at: mail.sent_at,
        }
    }
}

/// The mails to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those about this order.
    order_id: Option<OrderId>,
}

/// Mails, newest first.
#[utoipa::path(get, path = "/v1/mail", operation_id = "list_mail", tag = "notifications",
    params(Filter, Page),
    responses(
        (status = 200, body = Listing<Mail>),
    ))]
pub(crate) async fn list(
    State(ctx): State<Ctx>,
    page: Page,
    QueryOf(filter): QueryOf<Filter>,
) -> Result<Json<Listing<Mail>>, Problem> {
    let mails = store::page(&ctx.db, filter.order_id, page.before(), page.rows()).await?;
    Ok(Json(page.listing(mails, |mail| mail.mail_id.into()).map(Mail::from)))
}

/// One mail.
#[utoipa::path(get, path = "/v1/mail/{id}", operation_id = "get_mail", tag = "notifications",
    params(("id" = MailId, Path)),
    responses(
        (status = 200, body = Mail),
    ))]
pub(crate) async fn get(State(ctx): State<Ctx>, PathId(mail_id): PathId<MailId>) -> Result<Json<Mail>, Problem> {
    let mail = store::mail(&ctx.db, mail_id).await?.ok_or_else(|| Problem::not_found("mail"))?;
    Ok(Json(mail.into()))
}
