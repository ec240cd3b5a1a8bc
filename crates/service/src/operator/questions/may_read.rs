//! The right to read a story.

use http::auth::Caller;
use kernel::{SessionId, UserId, Uuid};
use serde::{Deserialize, Serialize};
use storage::Error;

use crate::operator::question::Question;
use crate::operator::{Operator, as_base64};

/// The right of a caller to read the story of a subject: none if the service doesn't know the subject.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MayRead {
    /// The subject.
    pub subject: Uuid,
    /// The caller of the console.
    pub caller: OnBehalfOf,
}

/// The caller of the console. It holds the admin's right to ask at all, so its word is taken.
#[derive(Debug, Serialize, Deserialize)]
pub struct OnBehalfOf(#[serde(with = "Form")] pub Caller);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Caller", deny_unknown_fields)]
struct Form {
    is_admin: bool,
    user_id: Option<UserId>,
    session_id: Option<SessionId>,
    #[serde(with = "digest")]
    object_token: Option<[u8; 32]>,
}

impl Question for MayRead {
    const NAME: &'static str = "may-read";
    type Answer = Option<bool>;

    async fn answer(self, operator: &Operator) -> Result<Option<bool>, Error> {
        operator.may_read(self.subject, self.caller.0).await
    }
}

/// The digest of an order's token, where the caller has one.
mod digest {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::as_base64;

    #[derive(Serialize, Deserialize)]
    struct Digest(#[serde(with = "as_base64")] [u8; 32]);

    #[expect(clippy::ref_option, reason = "serde lends it")]
    pub fn serialize<S: Serializer>(digest: &Option<[u8; 32]>, serializer: S) -> Result<S::Ok, S::Error> {
        digest.map(Digest).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 32]>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(|Digest(digest)| digest))
    }
}

#[cfg(test)]
mod tests {
    use http::ObjectToken;

    use super::*;
    use crate::operator::questions::over_the_wire;

    #[test]
    fn a_caller_arrives_with_the_token_of_an_object_and_without() {
        for object_token in [None, Some(ObjectToken::digest(b"secret"))] {
            let user_id = Some(Uuid::from_u128(1).into());
            let sent = Caller { is_admin: false, user_id, session_id: None, object_token };
            let arrived = over_the_wire(&OnBehalfOf(sent.clone())).0;
            assert_eq!(format!("{arrived:?}"), format!("{sent:?}"));
        }
    }
}
