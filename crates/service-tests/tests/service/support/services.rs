//! The services: some emit what they are asked to, some react by the script, one has a timer.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use events::{EmailVerificationRequested, PaymentFailed, UserPasswordChanged};
use kernel::{Event, SignedDuration, Timestamp, Uuid, Version};
use serde::{Deserialize, Serialize};
use service::http::routes;
use service::http::{Body, Listing, Page, PathId, Policy, Problem, RequestInfo};
use service::{Backoff, Delivery, Failure, Selection, Service, Timer, TimerKind, causes, decide, ends, holds};
use storage::{Batch, Committed, Migration, Migrations, params, statements};
use utoipa::ToSchema;

use super::{Script, Step};

type Ctx = service::Ctx<Script>;

const MIGRATIONS: Migrations = Migrations {
    set: "test",
    steps: &[Migration {
        sqlite: "create table effects (
                     effect_id blob not null primary key, subject blob not null, name text not null,
                     version integer not null
                 ) strict;",
        postgres: "create table effects (
                       effect_id uuid not null primary key, subject uuid not null, name text not null,
                       version bigint not null);",
    }],
};

statements! {
    insert INSERT_EFFECT into effects (effect_id uuid, subject uuid, name text, version int);
    change TOUCH_EFFECT "update effects set version = version + 1 where effect_id = $1 and version = $2";
    query EFFECTS "select effect_id, subject, name from effects where effect_id > $1 order by effect_id limit $2";
}

/// The time at which the timekeeper's timers come due.
pub const REMIND_AFTER: SignedDuration = SignedDuration::from_secs(10);

pub const REMIND: TimerKind = TimerKind {
    name: "shipping.remind",
    lease: Duration::from_secs(30),
    concurrency: 4,
    retry: Backoff { base: Duration::from_secs(1), max: Duration::from_mins(1) },
};

/// A service that emits what it is asked to.
pub fn emitter(name: &'static str, script: &Script) -> Service<Script> {
    Service::new(name, MIGRATIONS, STATEMENTS, script.clone())
        .routes(Policy::Guest, routes!(emit))
        .routes(Policy::Guest, routes!(panics))
        .routes(Policy::Guest, routes!(busy))
        .routes(Policy::Admin, routes!(secret))
}

/// A service that reacts to deliveries one by one.
pub fn consumer(name: &'static str, script: &Script) -> Service<Script> {
    Service::new(name, MIGRATIONS, STATEMENTS, script.clone())
        .routes(Policy::Guest, routes!(effects))
        .on::<EmailVerificationRequested>(react)
        .on::<UserPasswordChanged>(react)
        .on::<PaymentFailed>(react)
}

/// A service that reacts to a selection of types with one handler, and to one of them with a handler of its own.
pub fn listener(name: &'static str, selection: &Selection, script: &Script) -> Service<Script> {
    Service::new(name, MIGRATIONS, STATEMENTS, script.clone())
        .routes(Policy::Guest, routes!(effects))
        .on_any(selection, listen)
        .on::<UserPasswordChanged>(react)
}

/// A service that reacts to a selection of types with one handler, many deliveries at once.
pub fn batch_listener(name: &'static str, selection: &Selection, script: &Script) -> Service<Script> {
    Service::new(name, MIGRATIONS, STATEMENTS, script.clone())
        .routes(Policy::Guest, routes!(effects))
        .on_any_many(selection, listen_to_many)
}

/// A service that reacts to many deliveries at once.
pub fn batch_consumer(name: &'static str, script: &Script) -> Service<Script> {
    Service::new(name, MIGRATIONS, STATEMENTS, script.clone())
        .routes(Policy::Guest, routes!(effects))
        .on_many::<EmailVerificationRequested>(react_to_many)
}

/// A service with a timer.
pub fn timekeeper(name: &'static str, script: &Script) -> Service<Script> {
    Service::new(name, MIGRATIONS, STATEMENTS, script.clone())
        .routes(Policy::Guest, routes!(effects))
        .routes(Policy::Guest, routes!(remind_later))
        .timer(REMIND, remind)
}

/// A service that handles many timers at once.
pub fn batch_timekeeper(name: &'static str, script: &Script) -> Service<Script> {
    Service::new(name, MIGRATIONS, STATEMENTS, script.clone())
        .routes(Policy::Guest, routes!(effects))
        .routes(Policy::Guest, routes!(remind_later))
        .timer_many(REMIND, remind_many)
}

/// A service whose timers have a first part, which is common to many, and a second, which each has alone.
pub fn staged_timekeeper(name: &'static str, script: &Script) -> Service<Script> {
    Service::new(name, MIGRATIONS, STATEMENTS, script.clone())
        .routes(Policy::Guest, routes!(effects))
        .routes(Policy::Guest, routes!(remind_later))
        .timer_staged(REMIND, begin_to_remind, async |ctx, timer, ()| remind(ctx, timer).await)
}

/// The subject of an event of the tests, and the name by which the script knows it.
trait Published: Event {
    fn name(&self) -> &str;
}

impl Published for EmailVerificationRequested {
    fn name(&self) -> &str {
        &self.username
    }
}

impl Published for UserPasswordChanged {
    fn name(&self) -> &str {
        &self.username
    }
}

impl Published for PaymentFailed {
    fn name(&self) -> &str {
        &self.error
    }
}

async fn react<E: Published>(ctx: Ctx, delivery: Delivery<E>) -> Result<Committed, Failure> {
    let batch = perform(&ctx, delivery.event.key(), delivery.event.name()).await?;
    Ok(ctx.commit(batch, delivery.cause()).await?)
}

/// The name of its effect is the type in the envelope.
async fn listen(ctx: Ctx, delivery: Delivery<Bytes>) -> Result<Committed, Failure> {
    let body: serde_json::Value =
        serde_json::from_slice(&delivery.event).map_err(|error| Failure::park(error.to_string()))?;
    assert_eq!(body["user_id"], delivery.envelope.key.to_string(), "the body is as it was sent");
    let batch = perform(&ctx, delivery.envelope.key, &delivery.envelope.event_type).await?;
    Ok(ctx.commit(batch, delivery.cause()).await?)
}

/// The script knows it as `set` if it gets several deliveries, and each of these by the name in its body.
async fn listen_to_many(ctx: Ctx, deliveries: Vec<Delivery<Bytes>>) -> Result<Committed, Failure> {
    ctx.state.next(if deliveries.len() > 1 { "set" } else { "one" });
    let mut batch = Batch::new();
    for delivery in &deliveries {
        let body: serde_json::Value =
            serde_json::from_slice(&delivery.event).map_err(|error| Failure::park(error.to_string()))?;
        let name = ["username", "error"].iter().find_map(|field| body[*field].as_str());
        let name = name.unwrap_or(&delivery.envelope.event_type);
        batch = batch.and(perform(&ctx, delivery.envelope.key, name).await?);
    }
    Ok(ctx.commit(batch, causes(deliveries)).await?)
}

async fn react_to_many<E: Published>(ctx: Ctx, deliveries: Vec<Delivery<E>>) -> Result<Committed, Failure> {
    let mut batch = Batch::new();
    for delivery in &deliveries {
        batch = batch.and(perform(&ctx, delivery.event.key(), delivery.event.name()).await?);
    }
    Ok(ctx.commit(batch, causes(deliveries)).await?)
}

async fn remind(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let batch = perform(&ctx, timer.key, "remind").await?;
    let outcome = ctx.commit(batch, timer.cause()).await;
    ctx.state.note(outcome.as_ref().map(|_| ()).map_err(Clone::clone));
    Ok(outcome?)
}

async fn remind_many(ctx: Ctx, timers: Vec<Timer>) -> Result<Committed, Failure> {
    let mut batch = Batch::new();
    for timer in &timers {
        batch = batch.and(perform(&ctx, timer.key, "remind").await?);
    }
    Ok(ctx.commit(batch, ends(timers)).await?)
}

async fn begin_to_remind(ctx: Ctx, timers: Vec<Timer>) -> Result<Vec<(Timer, ())>, Failure> {
    let mut batch = Batch::new();
    for timer in &timers {
        batch = batch.and(perform(&ctx, timer.key, "begin").await?);
    }
    ctx.commit(batch, holds(&timers)).await?;
    Ok(timers.into_iter().map(|timer| (timer, ())).collect())
}

async fn perform(ctx: &Ctx, subject: Uuid, name: &str) -> Result<Batch, Failure> {
    match ctx.state.next(name) {
        Step::Commit => {}
        Step::Wait => ctx.state.wait().await,
        Step::Fail => return Err(Failure::retry("not now")),
        Step::Refuse => return Err(Failure::park("never")),
        Step::Panic => panic!("the script says so"),
        Step::Conflict => return Ok(changed_meanwhile(ctx)),
        Step::EndProcess => ctx.state.end_process().await,
    }
    let effect_id: Uuid = ctx.ids.next();
    Ok(Batch::new().insert(&INSERT_EFFECT, params![effect_id, subject, name, Version::FIRST]))
}

fn changed_meanwhile(ctx: &Ctx) -> Batch {
    let gone: Uuid = ctx.ids.next();
    Batch::new().change(&TOUCH_EFFECT, Version::FIRST, params![gone])
}

/// Events that a service is asked to emit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Emit {
    facts: Vec<Fact>,
    /// Anything.
    remark: Option<serde_json::Value>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Fact {
    subject: Uuid,
    name: String,
    version: i64,
}

impl Fact {
    fn emitted_by(self, service: &str) -> Batch {
        let (version, email) = (Version::from_stored(self.version), format!("{}@example.com", self.name));
        let (user_id, username) = (self.subject.into(), self.name);
        match (service, self.version) {
            ("payments", number) => {
                let (payment_id, order_id) = (self.subject.into(), self.subject.into());
                let failed = PaymentFailed { payment_id, order_id, number, email, error: username, is_final: true };
                Batch::new().emit(version, &failed)
            }
            (_, 1) => {
                let (token, expires_at) = (String::new(), Timestamp::UNIX_EPOCH);
                let requested = EmailVerificationRequested { user_id, username, email, token, expires_at };
                Batch::new().emit(version, &requested)
            }
            (_, number) => {
                Batch::new().emit(version, &UserPasswordChanged { user_id, username, email, version: number })
            }
        }
    }
}

#[utoipa::path(post, path = "/v1/emit", request_body = Emit, responses((status = 202)))]
async fn emit(State(ctx): State<Ctx>, request: RequestInfo, Body(input): Body<Emit>) -> Result<StatusCode, Problem> {
    drop(input.remark);
    let service = ctx.db.service();
    let batch = input.facts.into_iter().fold(Batch::new(), |batch, fact| batch.and(fact.emitted_by(service)));
    ctx.commit(batch, request.cause()).await?;
    Ok(StatusCode::ACCEPTED)
}

#[utoipa::path(post, path = "/v1/panic", responses((status = 500)))]
async fn panics() -> StatusCode {
    panic!("a secret of the inside")
}

#[utoipa::path(post, path = "/v1/busy", responses((status = 503)))]
async fn busy(State(ctx): State<Ctx>, request: RequestInfo) -> Result<StatusCode, Problem> {
    decide(&ctx, async || {
        ctx.state.next("busy");
        ctx.commit(changed_meanwhile(&ctx), request.cause()).await?;
        Ok(StatusCode::OK)
    })
    .await
}

#[utoipa::path(get, path = "/v1/secret", responses((status = 200)))]
async fn secret() -> StatusCode {
    StatusCode::OK
}

#[derive(Serialize, ToSchema)]
struct Effect {
    effect_id: Uuid,
    subject: Uuid,
    name: String,
}

#[utoipa::path(
    get, path = "/v1/effects", params(("limit" = Option<i64>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = Listing<Effect>))
)]
async fn effects(State(ctx): State<Ctx>, page: Page) -> Result<Json<Listing<Effect>>, Problem> {
    let rows = ctx.db.query(&EFFECTS, params![page.after::<Uuid>(), page.rows()], |row| {
        Ok(Effect { effect_id: row.get("effect_id")?, subject: row.get("subject")?, name: row.get("name")? })
    });
    Ok(Json(page.listing(rows.await?, |effect| effect.effect_id)))
}

#[utoipa::path(post, path = "/v1/remind/{subject}", responses((status = 202)))]
async fn remind_later(
    State(ctx): State<Ctx>,
    request: RequestInfo,
    PathId(subject): PathId<Uuid>,
) -> Result<StatusCode, Problem> {
    let batch = Batch::new().schedule(REMIND.name, subject, ctx.clock.now() + REMIND_AFTER);
    ctx.commit(batch, request.cause()).await?;
    Ok(StatusCode::ACCEPTED)
}
