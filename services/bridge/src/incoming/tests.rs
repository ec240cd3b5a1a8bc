use super::*;

fn came(queue: &str, body: &[u8]) -> Incoming {
    Incoming { queue: queue.to_owned(), body: Bytes::copy_from_slice(body), message: Message::default() }
}

fn fanout(body: &[u8]) -> Result<Said, String> {
    read(&Contract::own("fanout").unwrap(), &came("tradepost.fanout.product", body))
}

fn called(id: &str) -> ProductName {
    ProductName { product: Some(ForeignId(id.to_owned())), sku: None, name: None }
}

#[test]
fn the_body_of_a_fan_out_is_the_id_of_a_product() {
    let said = fanout(b"123").unwrap();
    let line = OrderedLine { of: called("123"), quantity: 1, price: None };
    let order = OrderPlaced { foreign_id: None, user: None, email: None, lines: vec![line] };
    assert_eq!((said.id, said.facts), (None, vec![Fact::Order(order)]));
    assert_eq!(said.log, [" [x] PRODUCT: Received order for product: 123"]);
}

#[test]
fn an_order_of_a_direct_exchange_names_its_product() {
    let body = br#"{"message":"Order completed","order":{"orderId":9007199254740993,"email":"ada@example.com",
        "itemName":"Laptop","itemCategory":"computers","status":"completed"},"more":1}"#;
    let said = read(&Contract::own("direct").unwrap(), &came("orders_inventory_update_queue", body)).unwrap();
    let [Fact::Order(order)] = said.facts.as_slice() else { panic!("{said:?}") };
    assert_eq!(order.foreign_id, Some(ForeignId("9007199254740993".into())));
    assert_eq!((order.email.as_deref(), order.lines[0].of.name.as_deref()), (Some("ada@example.com"), Some("Laptop")));
}

#[test]
fn garbage_is_refused_with_a_reason_that_its_sender_understands() {
    assert_eq!(fanout(b"\xff\xfe").unwrap_err(), "the body is no text of UTF-8");
    assert!(fanout(&vec![b'x'; BODY_BYTES_MAX + 1]).unwrap_err().contains("more than 1048576"));
    let direct = Contract::own("direct").unwrap();
    for (body, reason) in [
        (&b"{"[..], "no JSON"),
        (b"[1]", "the filter said"),
        (br#"{"order":null}"#, "no product is named"),
        (br#"{"order":{"itemName":5}}"#, "invalid type"),
        (br#"{"order":{"itemName":"a","orderId":1.5}}"#, "an id is a text"),
    ] {
        let refused = read(&direct, &came("orders_inventory_update_queue", body)).unwrap_err();
        assert!(refused.contains(reason), "{}: {refused}", String::from_utf8_lossy(body));
    }
}

#[test]
fn units_and_amounts_have_bounds() {
    let line = |quantity| OrderedLine { of: called("1"), quantity, price: None };
    let order =
        |quantity| Fact::Order(OrderPlaced { foreign_id: None, user: None, email: None, lines: vec![line(quantity)] });
    assert!(check(&order(1)).is_ok());
    for bad in [0, -1, UNITS_MAX + 1] {
        assert!(check(&order(bad)).unwrap_err().contains("a quantity is from 1"), "{bad}");
    }
    assert_eq!(amount(Some(-5), "price").unwrap_err(), "a price is not below zero, and this is -5");
}

#[test]
fn a_field_that_no_fact_has_is_refused() {
    let refused = |text: &str| parsed::<OrderPlaced>(text).unwrap_err();
    assert!(refused(r#"{"lines":[{"product":1,"quantity":1,"pric":5}]}"#).contains("unknown field `pric`"));
    assert!(refused(r#"{"lines":[],"mail":"a@b.c"}"#).contains("unknown field `mail`"));
    assert!(parsed::<ProductChanged>(r#"{"sku":"A","prise":5}"#).unwrap_err().contains("unknown field `prise`"));
}
