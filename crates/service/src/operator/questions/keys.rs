//! The keys by which a service checks users' tokens.

use kernel::{KeyId, Timestamp};
use serde::{Deserialize, Serialize};
use storage::Error;
use storage::published_keys::PublishedKey;

use crate::operator::question::Question;
use crate::operator::{Operator, as_base64};

/// A public key by which users' tokens are checked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Key(#[serde(with = "Form")] pub PublishedKey);

#[derive(Serialize, Deserialize)]
#[serde(remote = "PublishedKey", deny_unknown_fields)]
struct Form {
    key_id: KeyId,
    #[serde(with = "as_base64")]
    public_key: Vec<u8>,
    not_after: Timestamp,
}

/// The keys by which the service checks users' tokens.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {}

impl Question for Keys {
    const NAME: &'static str = "keys";
    type Answer = Vec<Key>;

    async fn answer(self, operator: &Operator) -> Result<Vec<Key>, Error> {
        Ok(operator.keys().await?.into_iter().map(Key).collect())
    }
}
