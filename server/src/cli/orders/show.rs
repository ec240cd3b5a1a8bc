//! `tradepost orders show`

use super::{Order, Shipment};
use crate::cli::arguments::{OrderRef, seconds};
use crate::cli::client::Client;
use crate::cli::output::{missing_services, note};
use crate::cli::story::{StoryEvent, StoryPrinter};
use crate::cli::table::{Column, Table, fields};
use crate::cli::{Failure, Output};

/// Shows the order, its lines and its story. For programs: the order, with the story as its `events`.
pub async fn show(client: &Client, out: &mut Output, order: OrderRef) -> Result<(), Failure> {
    let order_id = order.resolve(client).await?;
    let mut answer = client.get(&format!("/v1/orders/{order_id}"), &[]).await?;
    let mut story = client.get(&format!("/v1/orders/{order_id}/events"), &[]).await?;
    if out.is_json() {
        answer["events"] = story["items"].take();
        return out.document(&answer);
    }
    let order: Order = client.view(&answer)?;
    let steps: Vec<StoryEvent> = client.view(&story["items"])?;
    let placed = seconds(&order.created_at);
    out.text(fields([
        ("order", Some(order.number.to_string())),
        ("id", Some(order.order_id.clone())),
        ("status", Some(order.outcome())),
        ("place in queue", order.waiting.as_ref().map(|waiting| waiting.position.to_string())),
        ("payment", Some(order.payment.outcome())),
        ("captured", order.payment.came_in().map(|money| money.to_string())),
        ("refunded", order.payment.went_back().map(|money| money.to_string())),
        ("cancellation", order.cancellation_outcome().map(str::to_owned)),
        ("total", Some(order.total.to_string())),
        ("email", Some(order.email.clone())),
        ("placed", Some(placed)),
    ]))?;
    out.text("")?;
    out.table(&lines(&order))?;
    out.text("")?;
    if !order.shipments.is_empty() {
        out.table(&shipments(&order.shipments))?;
        out.text("")?;
    }
    let missing: Vec<String> = client.view(&story["missing"]).unwrap_or_default();
    if !missing.is_empty() {
        note(&missing_services(&missing));
    }
    for line in StoryPrinter::new(out.styles()).lines(&steps, true) {
        out.text(line.line)?;
    }
    Ok(())
}

fn lines(order: &Order) -> Table {
    let mut table =
        Table::new([Column::Left("SKU"), Column::Text("PRODUCT"), Column::Right("QUANTITY"), Column::Right("PRICE")]);
    for line in &order.lines {
        table.row([line.sku.clone(), line.name.clone(), line.quantity.to_string(), line.unit_price.to_string()]);
    }
    table
}

fn shipments(shipments: &[Shipment]) -> Table {
    let (status, carrier) = (Column::Left("STATUS"), Column::Text("CARRIER"));
    let mut table =
        Table::new([Column::Left("SHIPMENT"), status, carrier, Column::Text("TRACKING"), Column::Text("CONTENT")]);
    for shipment in shipments {
        let content: Vec<String> =
            shipment.lines.iter().map(|line| format!("{} × {}", line.quantity, line.name)).collect();
        table.row([
            shipment.shipment_id.clone(),
            shipment.status.clone(),
            shipment.carrier.clone().unwrap_or_else(|| "collection".to_owned()),
            shipment.tracking_number.clone().unwrap_or_default(),
            content.join(", "),
        ]);
    }
    table
}
