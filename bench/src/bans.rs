//! Bans in a whole shop: the time until every service refuses the account. The shop, its customers and whoever asks its
//! services share this process, as they share the machine.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use server::shop::Shop;

use crate::Measured;
use crate::timeline::Latency;
use crate::whole_shop::{Running, TOKEN};

/// Accounts that are banned while nothing else happens, and as many beside the backlog.
pub(crate) const ACCOUNTS: usize = 100;

/// Orders that are placed as fast as the shop takes them, just before: each becomes several background events.
pub(crate) const ORDERS: usize = 100_000;

/// The time from one ban to the next.
const EACH: Duration = Duration::from_millis(50);

/// The time between two looks at a service. Each look checks a signature: as many as there are services each
/// millisecond would take a quarter of a core from the shop.
const LOOK_EVERY: Duration = Duration::from_millis(3);

/// Longer than a ban takes by far.
const PATIENCE: Duration = Duration::from_secs(30);

const PASSWORD: &str = "correct horse battery";

/// A route of each service that asks who is there. `ID` stands for the account.
const ROUTES: [(&str, Method, &str); 12] = [
    ("users", Method::GET, "/v1/users/ID"),
    ("catalog", Method::PATCH, "/v1/products/ID"),
    ("orders", Method::GET, "/v1/orders"),
    ("inventory", Method::GET, "/v1/stock"),
    ("payments", Method::GET, "/v1/payments"),
    ("shipping", Method::GET, "/v1/shipments"),
    ("suppliers", Method::GET, "/v1/suppliers"),
    ("notifications", Method::GET, "/v1/mail"),
    ("analytics", Method::GET, "/v1/analytics/sales"),
    ("admin", Method::GET, "/v1/users/ID/ban"),
    ("webhooks", Method::GET, "/v1/webhooks"),
    ("bridge", Method::GET, "/v1/contracts"),
];

pub(crate) async fn measure(shop: Running, accounts: usize, orders: usize) -> Result<Measured> {
    ensure!(
        Shop::tradepost().services().eq(ROUTES.map(|(service, ..)| service)),
        "each service of the shop needs a route in `bans.rs`"
    );
    let product_id = shop.product().await?;
    let mut people = Vec::new();
    for number in 0..2 * accounts {
        people.push(shop.sign_up(number).await?);
    }
    shop.settled().await?;
    let (quiet_people, busy_people) = people.split_at(accounts);
    let quiet = shop.ban(quiet_people).await?;
    let last = shop.place(&product_id, orders).await?;
    let busy = shop.ban(busy_people).await?;
    let order = shop.ask(Method::GET, &format!("/v1/orders/{last}"), Some(TOKEN), &Value::Null).await?;
    ensure!(
        ["placed", "reserved"].map(Value::from).contains(&order.value["status"]),
        "the backlog of {orders} orders was done before the last ban: {order:?}"
    );
    shop.stop().await;
    let (quiet, Latency { p50_ms, p99_ms }) = (Latency::of(quiet.everywhere), Latency::of(busy.everywhere));
    let answered = Latency::of(busy.after_answer);
    let p99 = |(name, times)| format!("{name} {:.1}", Latency::of(times).p99_ms);
    let by_service: Vec<String> = busy.by_service.into_iter().map(p99).collect();
    let more = format!(
        "from the request to the refusal everywhere p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms; from its answer, which follows \
         the commit, {:.1} and {:.1} ms; without a backlog {:.1} and {:.1} ms; p99 of each: {}",
        answered.p50_ms,
        answered.p99_ms,
        quiet.p50_ms,
        quiet.p99_ms,
        by_service.join(", ")
    );
    let ratio = Some((p99_ms / quiet.p99_ms, "p99 without a backlog"));
    Ok(Measured { per_s: 1.0 / EACH.as_secs_f64(), unit: "bans/s", more, ratio })
}

struct Person {
    user_id: String,
    access_token: String,
}

/// Times from the request of each ban to its effect.
#[derive(Default)]
struct Times {
    everywhere: Vec<Duration>,
    /// The same from the answer to the request.
    after_answer: Vec<Duration>,
    by_service: BTreeMap<&'static str, Vec<Duration>>,
}

impl Running {
    /// Somebody with an account, signed in.
    async fn sign_up(&self, number: usize) -> Result<Person> {
        let email = format!("person{number}@example.com");
        let account = json!({"username": format!("person{number}"), "email": email, "password": PASSWORD});
        let session = json!({"email": email, "password": PASSWORD});
        Ok(Person {
            user_id: self.make("/v1/users", None, &account, "user_id").await?,
            access_token: self.make("/v1/sessions", None, &session, "access_token").await?,
        })
    }

    /// Bans each of them, one after another.
    async fn ban(&self, people: &[Person]) -> Result<Times> {
        let mut times = Times::default();
        let mut ticks = tokio::time::interval(EACH);
        for person in people {
            ticks.tick().await;
            let began = Instant::now();
            let refusals = ROUTES.map(|(service, method, path)| async move {
                self.until_refused(person, method, path, began).await.with_context(|| format!("{service} does not"))
            });
            let path = format!("/v1/users/{}/ban", person.user_id);
            let reason = json!({"reason": "a test"});
            let ban = async { (self.ask(Method::POST, &path, Some(TOKEN), &reason).await, began.elapsed()) };
            let ((ban, answered), refused) = tokio::join!(ban, futures_util::future::try_join_all(refusals));
            let ban = ban?;
            ensure!(ban.status == StatusCode::ACCEPTED, "{ban:?}");
            let refused = refused?;
            for ((service, ..), took) in ROUTES.into_iter().zip(&refused) {
                times.by_service.entry(service).or_default().push(*took);
            }
            let last = refused.into_iter().max().expect("there are routes");
            times.everywhere.push(last);
            times.after_answer.push(last.saturating_sub(answered));
        }
        Ok(times)
    }

    async fn until_refused(&self, person: &Person, method: Method, path: &str, began: Instant) -> Result<Duration> {
        let path = path.replace("ID", &person.user_id);
        while began.elapsed() < PATIENCE {
            let answer = self.ask(method.clone(), &path, Some(&person.access_token), &Value::Null).await?;
            if answer.value["code"] == "banned" {
                return Ok(began.elapsed());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("refuse the account after {PATIENCE:?}");
    }
}
