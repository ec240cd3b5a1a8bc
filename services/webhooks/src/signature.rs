//! Signatures by the scheme of Standard Webhooks (<https://www.standardwebhooks.com>), symmetric, version 1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::Ids;
use ring::hmac;

use crate::domain::Secret;

/// The beginning of a secret, by which scanners of sources find one that leaked.
const PREFIX: &str = "whsec_";

/// A new secret: 32 random bytes.
pub(crate) fn new_secret(ids: &Ids) -> Secret {
    Secret::from_text(format!("{PREFIX}{}", STANDARD.encode(ids.secret().bytes())))
}

/// The signatures of a message, one for each secret, as the header has them.
pub(crate) fn sign(secrets: &[&Secret], id: &str, timestamp: i64, body: &str) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    let signatures = secrets.iter().map(|secret| {
        let encoded = secret.reveal().trim_start_matches(PREFIX);
        let key = STANDARD.decode(encoded).expect("a secret is made here, as base64");
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use kernel::Clock;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::from_text(text.to_owned())
    }

    #[test]
    fn a_signature_is_the_published_one() {
        let spec = secret("whsec_plJ3nmyCDGBKInavdOK15jsl");
        let body = r#"{"event_type":"ping","data":{"success":true}}"#;
        assert_eq!(
            sign(&[&spec], "msg_loFOjxBNrRLzqYUf", 1_731_705_121, body),
            "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="
        );
        let library = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed = sign(&[&library], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_signs_and_none_is_shown() {
        let ids = Ids::new(Clock::system());
        let (new, old) = (new_secret(&ids), new_secret(&ids));
        let signatures = sign(&[&new, &old], "id", 1, "{}");
        let (first, second) = signatures.split_once(' ').unwrap();
        assert_eq!((first, second), (&*sign(&[&new], "id", 1, "{}"), &*sign(&[&old], "id", 1, "{}")));
        assert_ne!(first, second);
        assert_eq!(STANDARD.decode(new.reveal().strip_prefix("whsec_").unwrap()).unwrap().len(), 32);
        assert_eq!(format!("{new:?}"), "Secret(…)");
    }
}
