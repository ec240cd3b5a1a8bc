//! At each start: products whose text is searched in the form of an earlier version get the one of now.

use kernel::{Cause, RequestCause};
use service::CannotStart;
use service::storage::Error;

use crate::{Ctx, store};

/// Products of one commit: a few hundred texts of at most 20 KiB each.
const PAGE: i64 = 200;

pub(crate) async fn run(ctx: Ctx) -> Result<(), CannotStart> {
    loop {
        let products = store::in_another_form(&ctx.db, PAGE).await?;
        if products.is_empty() {
            return Ok(());
        }
        let start = RequestCause { request_id: ctx.ids.next(), traceparent: None, keyed: None };
        match ctx.commit(store::set_search_text(&products), Cause::Request(start)).await {
            // Another process does the same, or somebody changed one of them: what is left is read again.
            Ok(_) | Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
