//! A message of others, and the facts in it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::contract::{Body, Contract, FactKind};
use crate::filter::{self, Filter, Variables};

/// Bytes of a body at the most. A longer one is parked as it is.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Units of a line at the most: what an order of the shop may have of a product.
const UNITS_MAX: i64 = 1_000_000;

/// A message as it came.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    /// The queue by which it came.
    pub queue: String,
    pub body: Bytes,
    /// Properties and headers.
    pub message: Message,
}

/// The properties of a message that filters see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    pub message_id: Option<String>,
    pub app_id: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub exchange: String,
    pub routing_key: String,
    pub headers: BTreeMap<String, Value>,
    /// The broker delivered it before, and does not know if it was handled.
    pub redelivered: bool,
    /// It came by a channel of Redis, which delivers once or not at all.
    #[serde(default)]
    pub at_most_once: bool,
}

/// An id that others gave: a text, or a whole number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ForeignId(pub String);

impl<'de> Deserialize<'de> for ForeignId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) if (1..=200).contains(&text.len()) => Ok(Self(text)),
            Value::Number(number) if number.is_i64() || number.is_u64() => Ok(Self(number.to_string())),
            other => Err(D::Error::custom(format!("an id is a text of 1 to 200 bytes or a whole number, not {other}"))),
        }
    }
}

/// An order that was placed elsewhere, as a filter gives it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderPlaced {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_id: Option<ForeignId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<ForeignId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    pub lines: Vec<OrderedLine>,
}

/// The name of a product, in at least one of three ways.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct ProductName {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<ForeignId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl ProductName {
    /// The text by which it is known elsewhere.
    pub fn foreign(&self) -> &str {
        let id = self.product.as_ref().map(|id| id.0.as_str());
        id.or(self.sku.as_deref()).or(self.name.as_deref()).unwrap_or_default()
    }

    /// The same for people.
    pub fn shown(&self) -> String {
        match self {
            Self { product: Some(id), .. } => format!("with the id {}", id.0),
            Self { sku: Some(sku), .. } => format!("with the sku {sku}"),
            Self { name, .. } => format!("named {}", name.as_deref().unwrap_or_default()),
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.foreign().is_empty() { Err("no product is named".to_owned()) } else { Ok(()) }
    }
}

/// Units of a product.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderedLine {
    #[serde(flatten)]
    pub of: ProductName,
    pub quantity: i64,
    /// Minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<i64>,
}

/// A product that is kept elsewhere, as a filter gives it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProductChanged {
    #[serde(flatten)]
    pub of: ProductName,
    /// Minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<i64>,
    #[serde(default)]
    pub deleted: bool,
}

/// The stock of a product that is kept elsewhere, as a filter gives it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StockChanged {
    #[serde(flatten)]
    pub of: ProductName,
    pub on_hand: i64,
}

/// An account that is kept elsewhere, as a filter gives it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChanged {
    pub user: ForeignId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// A fact, in the words of a filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Fact {
    #[serde(rename = "ExternalOrderPlaced")]
    Order(OrderPlaced),
    #[serde(rename = "ExternalProductChanged")]
    Product(ProductChanged),
    #[serde(rename = "ExternalStockChanged")]
    Stock(StockChanged),
    #[serde(rename = "ExternalUserChanged")]
    User(UserChanged),
}

/// The content of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Its identity, if it has one.
    pub id: Option<String>,
    pub facts: Vec<Fact>,
    /// Lines for the log.
    pub log: Vec<String>,
}

/// Reads a message by the rules of its queue; the error is for whoever sent it.
pub(crate) fn read(contract: &Contract, incoming: &Incoming) -> Result<Said, String> {
    if incoming.body.len() > BODY_BYTES_MAX {
        return Err(format!("the body has {} bytes, more than {BODY_BYTES_MAX}", incoming.body.len()));
    }
    let variables = Variables { message: filter::of(&incoming.message), ..Variables::default() };
    let mut last_defect = None;
    for rule in contract.consumes.iter().filter(|rule| rule.queue == incoming.queue) {
        let input = match rule.body {
            Body::Text => match std::str::from_utf8(&incoming.body) {
                Ok(body) => filter::text(body),
                Err(_) => return Err("the body is no text of UTF-8".to_owned()),
            },
            Body::Json => {
                filter::from_json(&incoming.body).map_err(|defect| format!("the body is no JSON: {defect}"))?
            }
        };
        match is_for(rule.when.as_ref(), &input, &variables) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(defect) => {
                last_defect = Some(defect);
                continue;
            }
        }
        let id = rule.id.as_ref().map(|id| id.run_once(input.clone(), &variables)).transpose();
        let id = id.map_err(|error| error.to_string())?.filter(|id| *id != jaq_json::Val::Null);
        let id = id.map(|id| filter::as_text(&id).unwrap_or_else(|| id.to_string()));
        let facts = match &rule.fact {
            None => Vec::new(),
            Some((kind, map)) => facts_of(*kind, map, input.clone(), &variables)?,
        };
        let log = rule.log.as_ref().map(|log| lines(log, input, &variables)).unwrap_or_default();
        return Ok(Said { id: id.or_else(|| incoming.message.message_id.clone()), facts, log });
    }
    Err(last_defect.unwrap_or_else(|| "no rule of the contract is for such a message".to_owned()))
}

/// True if the filter says `true`, or there is none.
pub(crate) fn is_for(when: Option<&Filter>, input: &jaq_json::Val, variables: &Variables) -> Result<bool, String> {
    let Some(when) = when else { return Ok(true) };
    let given = when.run_once(input.clone(), variables).map_err(|error| error.to_string())?;
    Ok(given == jaq_json::Val::Bool(true))
}

/// Lines for the log. A filter that fails gives none: a log is no reason to refuse a message.
pub(crate) fn lines(log: &Filter, input: jaq_json::Val, variables: &Variables) -> Vec<String> {
    let given = log.run(input, variables).unwrap_or_default();
    given.iter().filter_map(filter::as_text).collect()
}

/// The facts that a filter gives.
pub(crate) fn facts_of(
    kind: FactKind,
    map: &Filter,
    input: jaq_json::Val,
    variables: &Variables,
) -> Result<Vec<Fact>, String> {
    let given = map.run(input, variables).map_err(|error| error.to_string())?;
    given.iter().map(|value| fact_of(kind, value)).collect()
}

fn fact_of(kind: FactKind, value: &jaq_json::Val) -> Result<Fact, String> {
    let text = filter::to_json(value).map_err(|error| error.to_string())?;
    let fact = match kind {
        FactKind::OrderPlaced => Fact::Order(parsed(&text)?),
        FactKind::ProductChanged => Fact::Product(parsed(&text)?),
        FactKind::StockChanged => Fact::Stock(parsed(&text)?),
        FactKind::UserChanged => Fact::User(parsed(&text)?),
    };
    check(&fact)?;
    Ok(fact)
}

fn parsed<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("the message says {text}, in which {error}"))
}

fn check(fact: &Fact) -> Result<(), String> {
    match fact {
        Fact::Order(order) if order.lines.is_empty() => Err("the order has no lines".to_owned()),
        Fact::Order(order) => order.lines.iter().try_for_each(|line| {
            line.of.check()?;
            amount(line.price, "price")?;
            match line.quantity {
                1..=UNITS_MAX => Ok(()),
                other => Err(format!("a quantity is from 1 to {UNITS_MAX}, not {other}")),
            }
        }),
        Fact::Product(product) => {
            product.of.check()?;
            amount(product.price, "price")?;
            amount(product.stock, "stock")
        }
        Fact::Stock(stock) => {
            stock.of.check()?;
            amount(Some(stock.on_hand), "stock")
        }
        Fact::User(_) => Ok(()),
    }
}

fn amount(amount: Option<i64>, of: &str) -> Result<(), String> {
    match amount {
        Some(below @ ..0) => Err(format!("a {of} is not below zero, and this is {below}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
