use super::*;

#[test]
fn the_programs_own_contracts_have_no_mistakes() {
    for name in Contract::own_names() {
        let contract = Contract::own(name).unwrap();
        assert_eq!((contract.name.as_str(), contract.about.is_empty()), (name, false));
    }
}

const SMALL: &str = r#"
about  = "A small one."
broker = "rabbitmq"
roles  = ["order"]

[[exchange]]
name = "made"
type = "topic"
durable = true

[[publish]]
role     = "order"
on       = "OrderPlaced"
exchange = "made"
body     = "json"
map      = '''
{
  id: .order_id,
  total: .total.amount
}
'''
"#;

#[test]
fn a_mistake_is_said_with_its_file_and_line() {
    assert!(Contract::read("small", "small.toml", SMALL).is_ok());
    let cases = [
        ("on       = \"OrderPlaced\"", "on       = \"OrderPlacd\"", 13, "did you mean OrderPlaced"),
        ("exchange = \"made\"", "exchange = \"mad\"", 14, "an exchange of this file was expected, not `mad`"),
        ("role     = \"order\"", "role     = \"odrer\"", 12, "did you mean order"),
        ("  total: .total.amount", "  total: .total.amount | nosuch", 19, "there is no filter nosuch"),
        ("  total: .total.amount\n}", "  total: .total.amount\n", 17, "expected"),
        ("body     = \"json\"", "body     = \"xml\"", 15, "xml"),
        ("type = \"topic\"", "type = \"headers\"", 8, "headers"),
        ("durable = true", "durable = true\nautodelete = true", 10, "autodelete"),
        ("broker = \"rabbitmq\"", "broker = \"kafka\"", 3, "the broker of a contract is `rabbitmq`"),
    ];
    for (before, after, line, detail) in cases {
        let text = SMALL.replacen(before, after, 1);
        assert_ne!(text, SMALL, "{before}");
        let mistake = Contract::read("small", "small.toml", &text).unwrap_err();
        assert_eq!(mistake.line, line, "{after}: {mistake}");
        assert!(mistake.detail.contains(detail), "{after}: {mistake}");
        assert!(mistake.to_string().starts_with(&format!("small.toml, line {line}: ")), "{mistake}");
    }
}
