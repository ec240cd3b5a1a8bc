//! Events of the shop become messages for others: they are queued here, and sent by `deliver.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use events::{OrderId, ProductId};
use jaq_json::Val;
use kernel::{Envelope, Uuid, Version};
use serde::Serialize;
use serde_json::Value;
use service::storage::{Batch, Error};
use service::{Committed, Delivery, Failure, causes};

use crate::Ctx;
use crate::contract::{Body, Contract, Publish};
use crate::filter::{self, Variables};
use crate::incoming::{is_for, lines};
use crate::store::known::{self, Order, OrderedUnits, Product};
use crate::store::messages::{self, Outgoing};
use crate::store::{self};

/// A product as filters see it.
#[derive(Serialize)]
struct ShownProduct<'a> {
    product_id: ProductId,
    sku: &'a str,
    name: &'a str,
    category: &'a str,
    price: i64,
    currency: &'a str,
    stock: i64,
}

/// An order as filters see it.
#[derive(Serialize)]
struct ShownOrder<'a> {
    order_id: OrderId,
    number: Option<i64>,
    email: &'a str,
    contract: Option<&'a str>,
    via: Option<&'a str>,
    lines: &'a [OrderedUnits],
}

/// The envelope as filters see it.
#[derive(Serialize)]
struct ShownEvent<'a> {
    id: String,
    #[serde(rename = "type")]
    event_type: &'a str,
    key: Uuid,
    /// To the millisecond.
    time: String,
}

/// Products and orders as they are known, and those of them that changed.
struct Known {
    products: HashMap<ProductId, Product>,
    orders: HashMap<OrderId, Order>,
    changed: BTreeSet<OrderId>,
    batch: Batch,
}

/// Learns from events what filters may ask for, and queues what contracts send on.
pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<Bytes>>) -> Result<Committed, Failure> {
    let bodies: Vec<Value> =
        deliveries.iter().map(|delivery| serde_json::from_slice(&delivery.event).unwrap_or_default()).collect();
    let mut known = Known::read(&ctx, &bodies).await?;
    let contracts = ctx.state.contracts();
    let named = bodies.iter().flat_map(named_ids).chain(deliveries.iter().map(|delivery| delivery.envelope.key));
    let origins = store::foreign_names(&ctx.db, named.collect::<BTreeSet<_>>().into_iter().collect()).await?;
    let (mut batch, mut log, now) = (Batch::new(), Vec::new(), ctx.clock.now());
    for (delivery, body) in deliveries.iter().zip(&bodies) {
        known.learn(&delivery.envelope, body);
        if contracts.is_empty() {
            continue;
        }
        let input = filter::from_json(&delivery.event).unwrap_or_default();
        let variables = known.variables(&delivery.envelope, body);
        for contract in contracts {
            if !ctx.state.was_in_force(contract, delivery.envelope.time) {
                continue;
            }
            let variables = Variables { foreign: foreign_ids(contract, body, &origins), ..variables.clone() };
            log.extend(logged(contract, &delivery.envelope, &input, &variables));
            // What came from others does not go back to them.
            let came_from = |(name, _): &(String, String)| *name == contract.name;
            if origins.get(&delivery.envelope.key).is_some_and(|names| names.iter().any(came_from))
                || comes_from(body, contract)
                || !ctx.state.has_broker(contract)
            {
                continue;
            }
            for rule in rules(contract, &delivery.envelope) {
                let bodies = bodies_of(rule, &input, &variables).map_err(|reason| {
                    Failure::park(format!("the contract {} can't send on this event: {reason}", contract.name))
                })?;
                for body in bodies {
                    batch = batch.and(messages::insert_outgoing(&contract.name, &message(&ctx, rule, body), now));
                }
            }
        }
    }
    let batch = known.into_batch().and(batch);
    let committed = ctx.commit(batch, causes(deliveries)).await?;
    for (contract, line) in log {
        tracing::info!(contract = contract.name, "{line}");
    }
    ctx.state.wake_senders();
    Ok(committed)
}

/// The ids that others of a contract have for what an event names, by our ids.
fn foreign_ids(contract: &Contract, body: &Value, names: &HashMap<Uuid, Vec<(String, String)>>) -> Val {
    let mut foreign: BTreeMap<String, &str> = BTreeMap::new();
    for our_id in named_ids(body) {
        let of_contract = names.get(&our_id).into_iter().flatten().find(|(name, _)| *name == contract.name);
        // The key is the contract, the kind and the id.
        let id = of_contract.and_then(|(_, key)| key.splitn(3, '/').nth(2));
        foreign.extend(id.map(|id| (our_id.to_string(), id)));
    }
    filter::of(&foreign)
}

/// True for what came by a message of this contract, which is not sent back to those who sent it.
fn comes_from(body: &Value, contract: &Contract) -> bool {
    body["contract"] == contract.name.as_str() && body["via"] == events::bridge::MESSAGE
}

/// Lines for the log.
fn logged<'a>(
    contract: &'a Arc<Contract>,
    envelope: &Envelope,
    input: &Val,
    variables: &Variables,
) -> Vec<(&'a Arc<Contract>, String)> {
    let rules = contract.logs.iter();
    let rules = rules.filter(|rule| rule.on.event_type == envelope.event_type && contract.is_ours(&rule.role));
    rules.flat_map(|rule| lines(&rule.map, input.clone(), variables)).map(|line| (contract, line)).collect()
}

/// The rules for an event, of the roles that are ours.
fn rules<'a>(contract: &'a Contract, envelope: &Envelope) -> impl Iterator<Item = &'a Publish> {
    let event_type = envelope.event_type.clone();
    let rules = contract.publishes.iter();
    rules.filter(move |rule| rule.on.event_type == event_type && contract.is_ours(&rule.role))
}

/// The bodies that a rule gives for an event.
fn bodies_of(rule: &Publish, input: &Val, variables: &Variables) -> Result<Vec<Vec<u8>>, String> {
    if !is_for(rule.when.as_ref(), input, variables)? {
        return Ok(Vec::new());
    }
    let given = rule.map.run(input.clone(), variables).map_err(|error| error.to_string())?;
    let bytes = given.iter().map(|value| match rule.body {
        Body::Json => filter::to_json(value).map(String::into_bytes).map_err(|error| error.to_string()),
        Body::Text => match filter::as_text(value) {
            Some(text) => Ok(text.into_bytes()),
            None => Err(format!("{value} is no text")),
        },
    });
    bytes.collect()
}

fn message(ctx: &Ctx, rule: &Publish, body: Vec<u8>) -> Outgoing {
    Outgoing {
        message_id: ctx.ids.next(),
        exchange: rule.exchange.clone(),
        keys: rule.keys.clone(),
        is_optional: rule.optional,
        is_json: rule.body == Body::Json,
        body,
        version: Version::FIRST,
    }
}

impl Known {
    /// Reads what these events name.
    async fn read(ctx: &Ctx, bodies: &[Value]) -> Result<Self, Error> {
        let products: BTreeSet<ProductId> = bodies.iter().flat_map(named_products).collect();
        let orders: BTreeSet<OrderId> = bodies.iter().filter_map(|body| id(&body["order_id"])).collect();
        let orders = known::orders(&ctx.db, orders.into_iter().collect()).await?;
        let of_orders = orders.values().flat_map(|order| &order.lines).map(|line| line.product_id);
        let products = products.into_iter().chain(of_orders).collect::<BTreeSet<_>>();
        Ok(Self {
            products: known::products(&ctx.db, products.into_iter().collect()).await?,
            orders,
            changed: BTreeSet::new(),
            batch: Batch::new(),
        })
    }

    /// Takes over what an event says.
    fn learn(&mut self, envelope: &Envelope, body: &Value) {
        match envelope.event_type.as_str() {
            "catalog.product_created.v1" | "catalog.product_updated.v1" => self.product(body, false),
            "catalog.product_deleted.v1" => self.product(body, true),
            "inventory.inventory_updated.v1" => self.stock(body),
            "orders.order_placed.v1" => self.order_placed(body),
            "orders.order_updated.v1" => self.order_updated(body),
            "inventory.external_order_settled.v1" => self.order_settled(body),
            _ => {}
        }
    }

    fn product(&mut self, body: &Value, is_deleted: bool) {
        let Some(product_id) = id::<ProductId>(&body["product_id"]) else { return };
        let before = self.products.get(&product_id);
        let version = body["version"].as_i64().unwrap_or_default();
        if before.is_some_and(|before| before.version >= version) {
            return;
        }
        let said = |field: &str, before: Option<&String>| {
            let said = body[field].as_str().map(str::to_owned);
            said.or_else(|| before.cloned()).unwrap_or_default()
        };
        let price = &body["price"];
        let product = Product {
            product_id,
            sku: said("sku", before.map(|it| &it.sku)),
            name: said("name", before.map(|it| &it.name)),
            category: said("category", before.map(|it| &it.category)),
            price: price["amount"].as_i64().or(before.map(|it| it.price)).unwrap_or_default(),
            currency: match price["currency"].as_str() {
                Some(currency) => currency.to_owned(),
                None => before.map(|it| it.currency.clone()).unwrap_or_default(),
            },
            is_deleted,
            version,
            stock: before.and_then(|it| it.stock),
        };
        self.batch = std::mem::take(&mut self.batch).and(known::put_product(&product));
        self.products.insert(product_id, product);
    }

    fn stock(&mut self, body: &Value) {
        let product_id = id::<ProductId>(&body["product_id"]);
        let (available, version) = (body["available"].as_i64(), body["version"].as_i64());
        let Some(((product_id, available), version)) = product_id.zip(available).zip(version) else { return };
        if let Some(product) = self.products.get_mut(&product_id) {
            if product.stock.is_some_and(|(_, before)| before >= version) {
                return;
            }
            product.stock = Some((available, version));
        }
        self.batch = std::mem::take(&mut self.batch).and(known::put_stock(product_id, available, version));
    }

    fn order_placed(&mut self, body: &Value) {
        let Some(order_id) = id::<OrderId>(&body["order_id"]) else { return };
        if self.orders.contains_key(&order_id) {
            return;
        }
        let text = |field: &str| body[field].as_str().map(str::to_owned);
        let order = Order {
            order_id,
            number: body["number"].as_i64(),
            email: text("email").unwrap_or_default(),
            origin: text("contract").zip(text("via")),
            lines: serde_json::from_value(body["lines"].clone()).unwrap_or_default(),
            settled: None,
            version: None,
        };
        self.orders.insert(order_id, order);
        self.changed.insert(order_id);
    }

    fn order_updated(&mut self, body: &Value) {
        let Some(order) = id::<OrderId>(&body["order_id"]).and_then(|order_id| self.orders.get_mut(&order_id)) else {
            return;
        };
        let number = body["number"].as_i64();
        if order.number != number && number.is_some() {
            order.number = number;
            self.changed.insert(order.order_id);
        }
    }

    fn order_settled(&mut self, body: &Value) {
        let Some(order) = id::<OrderId>(&body["order_id"]).and_then(|order_id| self.orders.get_mut(&order_id)) else {
            return;
        };
        let is_short = body["shortages"].as_array().is_some_and(|shortages| !shortages.is_empty());
        order.settled = Some(if is_short { "short" } else { "taken" }.to_owned());
        self.changed.insert(order.order_id);
    }

    /// The values that filters get beside the event.
    fn variables(&self, envelope: &Envelope, body: &Value) -> Variables {
        let order = id::<OrderId>(&body["order_id"]).and_then(|order_id| self.orders.get(&order_id));
        let of_order = order.into_iter().flat_map(|order| &order.lines).map(|line| line.product_id);
        let named = named_products(body).into_iter().chain(of_order).collect::<BTreeSet<_>>();
        let products: BTreeMap<String, ShownProduct<'_>> = named
            .iter()
            .filter_map(|product_id| self.products.get(product_id))
            .map(|product| (product.product_id.to_string(), shown(product)))
            .collect();
        let product = id::<ProductId>(&body["product_id"]).and_then(|product_id| self.products.get(&product_id));
        let event = ShownEvent {
            id: envelope.id.to_string(),
            event_type: &envelope.event_type,
            key: envelope.key,
            time: format!("{:.3}", envelope.time),
        };
        Variables {
            event: filter::of(&event),
            product: product.map(|product| filter::of(&shown(product))).unwrap_or_default(),
            products: filter::of(&products),
            order: order.map(|order| filter::of(&shown_order(order))).unwrap_or_default(),
            ..Variables::default()
        }
    }

    fn into_batch(self) -> Batch {
        let changed = self.changed.iter().filter_map(|order_id| self.orders.get(order_id));
        changed.fold(self.batch, |batch, order| batch.and(known::put_order(order)))
    }
}

/// Everything that an event names for which others may have an id.
fn named_ids(body: &Value) -> Vec<Uuid> {
    let of_itself = [&body["order_id"], &body["user_id"]].into_iter().filter_map(id::<Uuid>);
    of_itself.chain(named_products(body).into_iter().map(Uuid::from)).collect()
}

/// The products that an event names, by itself or in its lines.
fn named_products(body: &Value) -> Vec<ProductId> {
    let lists = [&body["lines"], &body["shortages"]];
    let in_lists = lists.into_iter().filter_map(Value::as_array).flatten().map(|line| &line["product_id"]);
    in_lists.chain([&body["product_id"]]).filter_map(id).collect()
}

fn id<T: std::str::FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}

/// All products as filters see them.
pub(crate) fn shown_products(products: &[Product]) -> Val {
    filter::of(&products.iter().map(shown).collect::<Vec<_>>())
}

fn shown(product: &Product) -> ShownProduct<'_> {
    ShownProduct {
        product_id: product.product_id,
        sku: &product.sku,
        name: &product.name,
        category: &product.category,
        price: product.price,
        currency: &product.currency,
        stock: product.stock.map_or(0, |(available, _)| available),
    }
}

fn shown_order(order: &Order) -> ShownOrder<'_> {
    ShownOrder {
        order_id: order.order_id,
        number: order.number,
        email: &order.email,
        contract: order.origin.as_ref().map(|(contract, _)| contract.as_str()),
        via: order.origin.as_ref().map(|(_, via)| via.as_str()),
        lines: &order.lines,
    }
}

/// The bodies that a rule gives for an example of an event, in a shop that knows its products.
#[cfg(test)]
pub(crate) fn example(rule: &Publish, envelope: &Envelope, body: &Value) -> Result<Vec<Vec<u8>>, String> {
    let mut known =
        Known { products: HashMap::new(), orders: HashMap::new(), changed: BTreeSet::new(), batch: Batch::new() };
    for (number, product_id) in named_products(body).into_iter().enumerate() {
        let product = Product {
            product_id,
            sku: format!("SKU-{number}"),
            name: format!("Product {number}"),
            category: "things".to_owned(),
            price: 2_990,
            currency: "EUR".to_owned(),
            is_deleted: false,
            version: 1,
            stock: Some((7, 1)),
        };
        known.products.insert(product_id, product);
    }
    known.order_placed(body);
    let input = filter::from_json(body.to_string().as_bytes())?;
    let variables =
        Variables { foreign: filter::of(&BTreeMap::<String, String>::new()), ..known.variables(envelope, body) };
    bodies_of(rule, &input, &variables)
}
