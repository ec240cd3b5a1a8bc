//! Users, their roles and their bans.

use serde_json::{Value, json};

use crate::shop::{ID, Shop, page};

const BY_EMAIL: &str = "GET /v1/users?email=ada%40example.com&limit=1";

fn user(roles: &[&str]) -> Value {
    json!({"user_id": ID, "username": "ada", "email": "ada@example.com", "email_verified": false, "roles": roles,
        "created_at": "2026-01-01T00:00:00Z"})
}

fn row(roles: &str) -> String {
    format!("{ID}  ada   ada@example.com  2026-01-01T00:00:00Z{roles}\n")
}

#[test]
fn users_are_listed_and_shown_with_their_bans() {
    let ban = json!({"user_id": ID, "banned": true, "history": [
        {"reason": "stolen cards", "banned_by": "automation", "banned_at": "2026-01-02T00:00:00Z"}]});
    let shop = Shop::open()
        .on("GET /v1/users?limit=20", page(json!([user(&["admin"])]), None))
        .on("GET /v1/users?email=ada%40example.com&limit=20", page(json!([user(&[])]), None))
        .on(BY_EMAIL, page(json!([user(&[])]), None))
        .on(&format!("GET /v1/users/{ID}"), user(&[]))
        .on(&format!("GET /v1/users/{ID}/ban"), ban.clone());
    assert!(shop.as_admin(&["users", "list"]).succeeds().ends_with(&row("  admin")));
    assert!(shop.as_admin(&["users", "list", "--email", "ada@example.com"]).succeeds().ends_with(&row("")));
    let shown = shop.as_admin(&["users", "show", "ada@example.com"]).succeeds();
    assert!(shown.starts_with(&format!("user        ada\nid          {ID}\n")), "{shown}");
    assert!(shown.contains("\nbanned      yes\n"), "{shown}");
    let row = "2026-01-02T00:00:00Z  automation                stolen cards\n";
    assert!(shown.ends_with(row), "{shown}");
    let json: Value = serde_json::from_str(&shop.as_admin(&["users", "show", ID, "--json"]).succeeds()).unwrap();
    assert_eq!((&json["username"], &json["ban"]), (&json!("ada"), &ban));
}

#[test]
fn a_user_is_banned_and_let_in_again() {
    let path = format!("/v1/users/{ID}/ban");
    let banned = json!({"user_id": ID, "banned": true, "reason": "stolen cards", "banned_by": "automation",
        "banned_at": "2026-01-02T00:00:00Z"});
    let shop = Shop::open()
        .on(BY_EMAIL, page(json!([user(&[])]), None))
        .answering(&format!("POST {path}"), (202, "application/json", banned.to_string()))
        .refusing(&format!("POST {path}"), 409, "already_banned", "the user is banned already")
        .answering(&format!("DELETE {path}"), (204, "text/plain", String::new()));
    let ban = ["users", "ban", "ada@example.com", "--reason", "stolen cards"];
    assert_eq!(shop.as_admin(&ban).succeeds(), format!("user {ID} is banned\n"));
    assert_eq!(shop.asked()[1].body, json!({"reason": "stolen cards"}));
    let error = shop.as_admin(&ban).fails(5);
    assert!(error.starts_with("error: the user is banned already (409, already_banned)\n"), "{error}");
    shop.as_admin(&["users", "ban", ID]).fails(2);
    assert_eq!(shop.as_admin(&["users", "unban", ID]).succeeds(), format!("user {ID} may sign in again\n"));
    let json = shop.as_admin(&["users", "unban", ID, "--json"]).succeeds();
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), json!({"user_id": ID, "banned": false}));
}

#[test]
fn a_user_becomes_an_admin_and_a_customer_again() {
    let path = format!("POST /v1/users/{ID}/roles");
    let shop = Shop::open()
        .on(BY_EMAIL, page(json!([user(&[])]), None))
        .on(&path, user(&["admin"]))
        .on(&path, user(&[]))
        .refusing(&path, 409, "last_admin", "the last admin account stays one");
    assert!(shop.as_admin(&["users", "promote", "ada@example.com"]).succeeds().ends_with(&row("  admin")));
    assert!(shop.as_admin(&["users", "demote", ID]).succeeds().ends_with(&row("")));
    let bodies: Vec<Value> = shop.asked().into_iter().map(|asked| asked.body).filter(Value::is_object).collect();
    assert_eq!(bodies, [json!({"roles": ["admin"]}), json!({"roles": []})]);
    shop.as_admin(&["users", "demote", ID]).fails(5);
    shop.as_guest(&["users", "promote", ID]).fails(3);
}

#[test]
fn a_user_who_is_not_there_is_not_found() {
    let shop = Shop::open().on(BY_EMAIL, page(json!([]), None)).refusing(
        &format!("GET /v1/users/{ID}"),
        404,
        "not_found",
        "there is no such user",
    );
    let error = shop.as_admin(&["users", "show", "ada@example.com"]).fails(4);
    assert!(error.contains("there is no user with the e-mail address ada@example.com"), "{error}");
    shop.as_admin(&["users", "show", ID]).fails(4);
    shop.as_admin(&["users", "show", "ada"]).fails(2);
}
