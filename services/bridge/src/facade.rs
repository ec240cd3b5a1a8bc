//! Façades: routes that Tradepost answers in the place of a foreign service, on ports of their own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use events::OrderId;
use jaq_json::Val;
use kernel::{Cause, RequestCause};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use service::Tasks;
use service::http::listener::{Bounds, serve};
use service::storage::{Batch, Error};
use tokio::net::TcpListener;

use crate::Ctx;
use crate::contract::{Contract, Facade, FacadeAction, FactKind};
use crate::filter::{self, Variables};
use crate::incoming::facts_of;
use crate::on_any::shown_products;
use crate::resolve::{Happened, Names};
use crate::store::known;
use crate::take_in::emit;

/// Bytes of a request's body at the most.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The time between two looks for what became of an order.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Connections of one client at the most, and of all.
const CONNECTIONS: u64 = 1_024;

/// The façades of one port.
#[derive(Clone)]
struct Port {
    ctx: Ctx,
    contract: Arc<Contract>,
    port: u16,
}

/// A request as filters see it.
#[derive(Serialize)]
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    params: BTreeMap<String, String>,
    /// The body as it was written, if it is JSON.
    body: Option<&'a RawValue>,
}

/// The answer that a filter gives.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    status: u16,
    #[serde(default)]
    body: Value,
}

/// The result of what was asked for.
#[derive(Default, Serialize)]
struct Outcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// `taken` or `short`. None if it was not waited for, or took too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    settled: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
}

/// Serves a port until the tasks stop.
pub(crate) async fn answer_on(ctx: Ctx, port: u16, listener: TcpListener, tasks: Tasks) {
    let contract = ctx.state.contracts().iter().find(|contract| contract.ports().contains(&port)).cloned();
    let Some(contract) = contract else { return };
    tracing::info!(contract = contract.name, "the contract answers on http://127.0.0.1:{port}");
    let proxies = ctx.settings.trusted_proxies.clone();
    let router = Router::new().fallback(handle).with_state(Port { ctx, contract, port });
    let bounds = Bounds::with_files(CONNECTIONS.try_into().expect("it is small"));
    serve(listener, router, bounds, &proxies, tasks.stop_token()).await;
}

async fn handle(State(port): State<Port>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some((facade, params)) = port.facade(&parts.method, parts.uri.path()) else {
        let is_known = port.facades().any(|facade| matched(&facade.route.path, parts.uri.path()).is_some());
        let status = if is_known { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::NOT_FOUND };
        return plain(status, &json!({ "error": "no such route" }));
    };
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        let error = format!("a body has at most {BODY_BYTES_MAX} bytes");
        return plain(StatusCode::PAYLOAD_TOO_LARGE, &json!({ "error": error }));
    };
    let asked = Asked {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        params,
        body: serde_json::from_slice(&body).ok(),
    };
    let input = serde_json::to_vec(&asked).map_err(|error| error.to_string()).and_then(|text| filter::from_json(&text));
    let Ok(input) = input else {
        return plain(StatusCode::BAD_REQUEST, &json!({ "error": "the body can't be read" }));
    };
    match port.answer(facade, input).await {
        Ok(response) => response,
        Err(error) => {
            kernel::warn_limited!(contract = port.contract.name, %error, "a façade can't answer");
            plain(StatusCode::SERVICE_UNAVAILABLE, &json!({ "error": "try again later" }))
        }
    }
}

fn plain(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], Body::from(body.to_string())).into_response()
}

impl Port {
    fn facades(&self) -> impl Iterator<Item = &Facade> {
        let of_port = |facade: &&Facade| facade.port == self.port && self.contract.is_ours(&facade.role);
        self.contract.facades.iter().filter(of_port)
    }

    fn facade(&self, method: &Method, path: &str) -> Option<(&Facade, BTreeMap<String, String>)> {
        self.facades()
            .filter(|facade| facade.route.method == method.as_str())
            .find_map(|facade| Some((facade, matched(&facade.route.path, path)?)))
    }

    async fn answer(&self, facade: &Facade, input: Val) -> Result<Response, Error> {
        let mut variables = Variables::default();
        match &facade.action {
            FacadeAction::Products => variables.products = shown_products(&known::for_sale(&self.ctx.db).await?),
            FacadeAction::Emit { kind, map, wait } => {
                let outcome = match self.emit(*kind, map, &input).await? {
                    Ok(order_id) => self.outcome(order_id, *wait).await?,
                    Err(error) => Outcome { error: Some(error), ..Outcome::default() },
                };
                variables.outcome = filter::of(&outcome);
            }
        }
        let given = facade.answer.run_once(input, &variables).and_then(|given| filter::to_json(&given));
        let answer = given.map_err(|failed| failed.to_string()).and_then(|text| {
            serde_json::from_str::<Answer>(&text).map_err(|error| format!("the answer {text} is none: {error}"))
        });
        let answer = answer.and_then(|answer| {
            let status = StatusCode::from_u16(answer.status).map_err(|_| format!("{} is no status", answer.status))?;
            Ok(plain(status, &answer.body))
        });
        Ok(answer.unwrap_or_else(|error| {
            tracing::warn!(contract = self.contract.name, error, "the answer of a façade can't be made");
            plain(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": "the answer can't be made" }))
        }))
    }

    /// Emits the facts of a request. The error within is for the client; the id is that of its order.
    async fn emit(
        &self,
        kind: FactKind,
        map: &filter::Filter,
        input: &Val,
    ) -> Result<Result<Option<OrderId>, String>, Error> {
        let Self { ctx, contract, .. } = self;
        let facts = match facts_of(kind, map, input.clone(), &Variables::default()) {
            Ok(facts) => facts,
            Err(reason) => return Ok(Err(without_prefix(&reason))),
        };
        loop {
            let (db, currency) = (&ctx.db, ctx.state.currency);
            let mut names =
                Names::read(db, contract, events::bridge::FACADE, currency, &facts.iter().collect::<Vec<_>>()).await?;
            let (mut batch, mut order_id) = (Batch::new(), None);
            for fact in &facts {
                let Ok((happened, rows)) = names.resolve(fact.clone(), &ctx.ids) else {
                    return Ok(Err("unknown_product".to_owned()));
                };
                if let Happened::Order(order) = &happened {
                    order_id = Some(order.order_id);
                }
                batch = emit(batch.and(rows), &happened);
            }
            let cause = RequestCause { request_id: ctx.ids.next(), traceparent: None, keyed: None };
            match ctx.commit(batch, Cause::Request(cause)).await {
                Ok(_) => return Ok(Ok(order_id)),
                // Another request has emitted a fact about the same name.
                Err(Error::Conflict { .. }) => ctx.between_decisions(1).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for what becomes of an order.
    async fn outcome(&self, order_id: Option<OrderId>, wait: Option<Duration>) -> Result<Outcome, Error> {
        let (Some(order_id), Some(wait)) = (order_id, wait) else { return Ok(Outcome::default()) };
        let began = Instant::now();
        loop {
            let order = known::orders(&self.ctx.db, vec![order_id]).await?.remove(&order_id);
            let settled = order.and_then(|order| Some((order.settled?, order.number)));
            match settled {
                Some((settled, number)) if settled == "short" || number.is_some() => {
                    return Ok(Outcome { settled: Some(settled), number, error: None });
                }
                _ if began.elapsed() >= wait => return Ok(Outcome::default()),
                _ => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }
}

/// The words of a filter's `error`, for the client.
fn without_prefix(reason: &str) -> String {
    reason.strip_prefix("the filter said: ").unwrap_or(reason).to_owned()
}

/// The parameters of a path that a route's pattern matches, as in `/products/{id}`.
fn matched(pattern: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let (mut pattern, mut path) = (pattern.split('/'), path.trim_end_matches('/').split('/'));
    let mut params = BTreeMap::new();
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return Some(params),
            (Some(expected), Some(found)) => match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) if !found.is_empty() => drop(params.insert(name.to_owned(), found.to_owned())),
                None if expected == found => {}
                _ => return None,
            },
            _ => return None,
        }
    }
}
