//! Bodies of events as they may be shown.

pub(crate) use events::redact::redacted as shown;

use events::redact::REDACTED;
use events::{Event as _, PaymentRefunded, RefundFailed};
use serde_json::Value;
use service::http::auth::Caller;

/// Redacts what is the admin's affair in the story of an order: which account acted, unless it is the caller's own, and
/// the words about a refund that an admin or the payment provider wrote.
pub(crate) fn for_caller(caller: &Caller, event_type: &str, data: &mut Value) {
    let Value::Object(fields) = data else { return };
    if caller.is_admin {
        return;
    }
    let is_of_refund = [PaymentRefunded::TYPE, RefundFailed::TYPE].contains(&event_type);
    for (name, value) in fields.iter_mut() {
        let account = value.as_str().and_then(|text| text.parse().ok()).filter(|_| name.ends_with("_by"));
        let is_other = account.is_some() && account != caller.user_id;
        let is_internal = is_of_refund && value.is_string() && ["reason", "error"].contains(&name.as_str());
        if is_other || is_internal {
            *value = Value::String(REDACTED.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_customer_sees_neither_who_acted_nor_words_about_refunds() {
        let (own, other) = ("019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d", "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0e");
        let seen = |is_admin, event_type: &str, data: Value| {
            let caller = Caller { is_admin, user_id: own.parse().ok(), session_id: None, object_token: None };
            let mut data = data;
            for_caller(&caller, event_type, &mut data);
            data
        };
        let by = |by: &str| json!({"cancelled_by": by, "reason": "cancelled"});
        let cancelled = "orders.order_cancelled.v1";
        assert_eq!(seen(false, cancelled, by(other)), by(REDACTED));
        for (is_admin, who) in [(true, other), (false, own), (false, "customer"), (false, "automation")] {
            assert_eq!(seen(is_admin, cancelled, by(who)), by(who));
        }
        let failed = |error: &str| json!({"refund_id": other, "error": error});
        assert_eq!(seen(false, RefundFailed::TYPE, failed("the card was closed")), failed(REDACTED));
        assert_eq!(seen(true, RefundFailed::TYPE, failed("the card was closed")), failed("the card was closed"));
    }
}
