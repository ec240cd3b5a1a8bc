//! Somebody with an account.

use axum::http::Method;
use serde_json::json;

use crate::TestShop;
use crate::shop::Call;

/// The password of every customer.
pub const PASSWORD: &str = "correct horse battery";

/// Somebody with an account, signed in.
pub struct Customer {
    /// The account.
    pub user_id: String,
    /// Of the sign-in.
    pub access_token: String,
}

impl Customer {
    /// Opens an account with the address `NAME@example.com`, and waits until all services know it.
    pub async fn sign_up(shop: &TestShop, name: &str) -> Self {
        let email = format!("{name}@example.com");
        let account = json!({"username": name, "email": email, "password": PASSWORD});
        let user = shop.request(Method::POST, "/v1/users").json(&account).send().await.expect(201);
        let access_token = Self::sign_in(shop, &email).await;
        shop.settle().await;
        Self { user_id: user.text("/user_id"), access_token }
    }

    /// An access token of the account with this address.
    pub async fn sign_in(shop: &TestShop, email: &str) -> String {
        let session = json!({"email": email, "password": PASSWORD});
        shop.request(Method::POST, "/v1/sessions").json(&session).send().await.expect(201).text("/access_token")
    }

    /// A request of this customer's.
    pub fn asks<'a>(&self, shop: &'a TestShop, method: Method, path: &str) -> Call<'a> {
        shop.request(method, path).bearer(&self.access_token)
    }
}
