//! The one who orders: account, mail address and client.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::StatusCode;
use kernel::UserId;
use service::http::auth::Caller;
use service::http::{ClientAddress, FieldError, Problem};

use crate::{Ctx, store};

/// The bits of an IPv6 address that a network provider gives to one customer.
const IPV6_CUSTOMER_BITS: u32 = 64;

/// The one who orders.
#[derive(Clone, Debug)]
pub(crate) struct Buyer {
    /// None of a guest.
    pub user_id: Option<UserId>,
    /// The e-mail address for mail about the order.
    pub email: String,
    /// It is the account's, and was not sent.
    pub follows_account: bool,
    /// The client's address. None of the admin, who orders for others.
    pub placed_from: Option<String>,
}

impl Buyer {
    /// With the mail address that was sent, else that of the caller's account.
    ///
    /// 403 `account_closed` if the account was closed: its token is good for some minutes more.
    pub async fn of(ctx: &Ctx, caller: &Caller, client: ClientAddress, sent: Option<String>) -> Result<Self, Problem> {
        let account = match caller.user_id {
            Some(user_id) => store::account(&ctx.db, user_id).await?,
            None => None,
        };
        if account.as_ref().is_some_and(|account| account.closed_in.is_some()) {
            return Err(Problem::new(StatusCode::FORBIDDEN, "account_closed", "the account was closed"));
        }
        let placed_from = (!caller.is_automation()).then(|| customer_network(client.ip));
        let follows_account = sent.is_none();
        // An admin who names an address orders for a guest.
        let user_id = caller.user_id.filter(|_| follows_account || !caller.is_admin);
        let of_account = account.and_then(|account| account.email);
        let email = sent.or(of_account).ok_or_else(email_unknown)?;
        Ok(Self { user_id, email, follows_account, placed_from })
    }
}

fn email_unknown() -> Problem {
    Problem::invalid_body(vec![FieldError {
        field: "email".to_owned(),
        code: "required",
        detail: "an e-mail address: your account's is not known here yet, so send it along".to_owned(),
    }])
}

/// The address, or of IPv6 the network of one customer, who may use any address in it.
fn customer_network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << (128 - IPV6_CUSTOMER_BITS));
            format!("{}/{IPV6_CUSTOMER_BITS}", Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_of_ipv6_has_one_network() {
        assert_eq!(customer_network("192.0.2.7".parse().unwrap()), "192.0.2.7");
        assert_eq!(customer_network("2001:db8:1:2:3:4:5:6".parse().unwrap()), "2001:db8:1:2::/64");
    }
}
