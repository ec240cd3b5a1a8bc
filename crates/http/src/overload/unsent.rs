//! Answers that their clients have not taken yet. Large ones have a bound, for nobody may make the process keep them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::HttpBody;
use axum::response::{IntoResponse, Response};

use super::Client;
use super::shares::{Exceeds, Share, Shares};
use crate::address::ClientAddress;
use crate::problem::Problem;
use crate::shared_document::IsShared;

/// Bytes of large answers that wait for their clients at the same time.
const BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// The part of them that one client may have: dozens of the largest pages, and a client that reads has one or two.
const BYTES_EACH_MAX: usize = 16 * 1_024 * 1_024;

/// Smaller answers are bounded by the number of connections.
const SMALL_BYTES: usize = 16 * 1_024;

/// Room for answers in flight to clients. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Unsent(Shares);

/// The room of one answer, as an extension of it: whoever sends the answer keeps this until it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Charge(#[expect(dead_code, reason = "it is kept to be dropped")] Arc<Share>);

impl Default for Unsent {
    fn default() -> Self {
        Self(Shares::new(BYTES_MAX, BYTES_EACH_MAX))
    }
}

impl Unsent {
    /// Charges a large answer to its client: instead of it, 429 `too_many_requests` beyond the client's share, and 503
    /// `overloaded` beyond all room.
    pub fn charge(&self, ClientAddress { ip, .. }: ClientAddress, mut response: Response) -> Response {
        let bytes = response.body().size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.unwrap_or_default();
        if bytes <= SMALL_BYTES || response.extensions().get::<IsShared>().is_some() {
            return response;
        }
        match self.0.take(Some(Client::from(ip)), bytes) {
            Ok(share) => {
                response.extensions_mut().insert(Charge(Arc::new(share)));
                response
            }
            Err(Exceeds::Client) => {
                let detail = "too many answers to your address are unread: read them first";
                Problem::too_many_requests(detail, Duration::from_secs(1)).into_response()
            }
            Err(Exceeds::All) => {
                Problem::overloaded("too many answers wait for their clients: retry in a second", 1).into_response()
            }
        }
    }
}
