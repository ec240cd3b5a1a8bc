//! Façades: routes that Tradepost answers in the place of a foreign service, on ports of their own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
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
use crate::api;
use crate::contract::{Contract, Facade, FacadeAction, FactKind};
use crate::filter::{self, Filter, Variables};
use crate::incoming::facts_of;
use crate::on_any::shown_products;
use crate::resolve::{Happened, Names};
use crate::store::known::{self, OrderedUnits};
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
    query: BTreeMap<String, String>,
    /// The body as it was written, if it is JSON.
    body: Option<&'a RawValue>,
    /// The account of whoever calls, by its token. Whether that is good the shop says.
    caller: Option<String>,
    /// The shop's currency.
    currency: String,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    /// `taken` or `short`. None if it was not waited for, or took too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    settled: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
    /// Minor units, at the prices of the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
}

/// Serves a port until the tasks stop.
pub(crate) async fn answer_on(ctx: Ctx, port: u16, listener: TcpListener, tasks: Tasks) {
    let contract = ctx.state.contracts().iter().find(|contract| contract.ports().contains(&port)).cloned();
    let Some(contract) = contract else { return };
    let address = listener.local_addr().map(|address| address.to_string()).unwrap_or_default();
    tracing::info!(contract = contract.name, "the contract answers on http://{address}");
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
    let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let asked = Asked {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        params,
        query: parts.uri.query().map(query).unwrap_or_default(),
        body: serde_json::from_slice(&body).ok(),
        caller: authorization.and_then(account),
        currency: port.ctx.state.currency.to_string(),
    };
    let input = serde_json::to_vec(&asked).map_err(|error| error.to_string()).and_then(|text| filter::from_json(&text));
    let Ok(input) = input else {
        return plain(StatusCode::BAD_REQUEST, &json!({ "error": "the body can't be read" }));
    };
    match port.answer(facade, input, authorization).await {
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

    async fn answer(&self, facade: &Facade, input: Val, authorization: Option<&str>) -> Result<Response, Error> {
        let mut variables = Variables::default();
        match &facade.action {
            FacadeAction::Calls(calls) => match self.call(calls, &input, authorization).await {
                Ok(answers) => variables.answers = answers,
                Err(error) => {
                    kernel::warn_limited!(contract = self.contract.name, error, "a façade can't call the shop");
                    return Ok(plain(StatusCode::BAD_GATEWAY, &json!({ "error": "the shop can't be asked" })));
                }
            },
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

    /// Makes calls until one is refused. A filter that gives nothing makes none.
    async fn call(&self, calls: &[Filter], input: &Val, authorization: Option<&str>) -> Result<Val, String> {
        let mut answers: Vec<api::Answer> = Vec::new();
        for call in calls {
            let variables = Variables { answers: filter::of(&answers), ..Variables::default() };
            let given = call.run(input.clone(), &variables).map_err(|failed| failed.to_string())?;
            for call in given {
                let text = filter::to_json(&call).map_err(|failed| failed.to_string())?;
                let call = serde_json::from_str(&text).map_err(|error| format!("{text} is no call: {error}"))?;
                let answer = self.ctx.state.api.call(call, authorization).await?;
                let is_refusal = answer.is_refusal();
                answers.push(answer);
                if is_refusal {
                    return Ok(filter::of(&answers));
                }
            }
        }
        Ok(filter::of(&answers))
    }

    /// Emits the facts of a request. The error within is for the client; the id is that of its order.
    async fn emit(&self, kind: FactKind, map: &Filter, input: &Val) -> Result<Result<Option<OrderId>, String>, Error> {
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
        let (db, began) = (&self.ctx.db, Instant::now());
        loop {
            let order = known::orders(db, vec![order_id]).await?.remove(&order_id);
            let settled = order.as_ref().and_then(|order| Some((order.settled.clone()?, order.number)));
            let is_known = settled.as_ref().is_some_and(|(settled, number)| settled == "short" || number.is_some());
            if !is_known && began.elapsed() < wait {
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
            let lines = order.map(|order| order.lines).unwrap_or_default();
            let products = known::products(db, lines.iter().map(|line| line.product_id).collect()).await?;
            let price = |line: &OrderedUnits| products.get(&line.product_id)?.price.checked_mul(line.quantity);
            let total = lines.iter().try_fold(0_i64, |total, line| total.checked_add(price(line)?));
            let (settled, number) = settled.filter(|_| is_known).unzip();
            return Ok(Outcome { order_id: Some(order_id), settled, number: number.flatten(), total, error: None });
        }
    }
}

/// The words of a filter's `error`, for the client.
fn without_prefix(reason: &str) -> String {
    reason.strip_prefix("the filter said: ").unwrap_or(reason).to_owned()
}

/// The account of a token of the shop, which is not verified here.
fn account(authorization: &str) -> Option<String> {
    let claims = authorization.strip_prefix("Bearer ")?.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    claims["sub"].as_str().map(str::to_owned)
}

/// The values of a query, the last of each name.
fn query(text: &str) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
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
