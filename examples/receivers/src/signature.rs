//! The signature of a webhook, as Standard Webhooks defines it.

use axum::http::HeaderMap;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::hmac::{HMAC_SHA256, Key, verify};

/// A message that is older, or from the future by as much, may be one that somebody recorded.
const TOLERANCE_S: u64 = 5 * 60;

/// The key of an endpoint's signatures.
pub struct Secret(Key);

impl Secret {
    /// Reads `whsec_` and base64, as the shop shows it once; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
        Some(Self(Key::new(HMAC_SHA256, &bytes)))
    }

    /// The id of a message that who knows the secret has signed, some minutes ago at most. `now` is in seconds since 1970.
    pub fn genuine_id(&self, headers: &HeaderMap, body: &[u8], now: u64) -> Option<String> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (id, timestamp) = (text("webhook-id")?, text("webhook-timestamp")?);
        if now.abs_diff(timestamp.parse().ok()?) > TOLERANCE_S {
            return None;
        }
        let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
        // There are several while a secret is replaced. `verify` takes the same time, however much of one is right.
        let is_ours = |signature: &str| {
            let signature = signature.strip_prefix("v1,").and_then(|text| BASE64_STANDARD.decode(text).ok());
            signature.is_some_and(|bytes| verify(&self.0, &signed, &bytes).is_ok())
        };
        text("webhook-signature")?.split(' ').any(is_ours).then(|| id.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_the_published_libraries_is_genuine() {
        let secret = Secret::from_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let headers = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers = HeaderMap::from_iter(headers);
        let id = secret.genuine_id(&headers, br#"{"test": 2432232314}"#, 1_614_265_400);
        assert_eq!(id.as_deref(), Some("msg_p5jXN8AQM9LWM0D4loKWxJek"));
    }
}
