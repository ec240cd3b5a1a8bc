//! Alert rules and dashboard ask for metrics and labels that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use notifications::settings::MAIL_LIMIT;
use serde_json::Value;
use testkit::{Setup, TestShop, unlimited};

use crate::files::{self, document, plain};

/// Names of series, and the labels that each was seen with.
type Series = BTreeMap<String, BTreeSet<String>>;

/// The metrics of a shop after some traffic. A metric without a value yet has its name only.
async fn shown() -> Series {
    // The second mail to one address is over the limit.
    let services = unlimited().with(&MAIL_LIMIT, "1");
    let shop = TestShop::start_with(Setup { services, ..Setup::default() }).await;
    let product = shop.product("123", 10).await;
    for token in ["tok_ok", "tok_declined", "tok_timeout"] {
        shop.order(&[(&product, 1)], Some(token)).await;
    }
    shop.settle().await;
    let text = String::from_utf8(shop.get("/metrics").await.expect(200).body.to_vec()).unwrap();
    shop.stop().await;
    let mut series = Series::new();
    for line in text.lines() {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').unwrap();
            let suffixes: &[&str] = match kind {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            for suffix in suffixes {
                series.entry(format!("{name}{suffix}")).or_default();
            }
        } else if !line.starts_with('#') {
            let (name, rest) = line.split_once(['{', ' ']).unwrap();
            let labels = rest.split("=\"").map(|part| part.rsplit([',', '{']).next().unwrap().to_owned());
            series.entry(name.to_owned()).or_default().extend(labels.filter(|label| is_name(label)));
        }
    }
    series
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The expressions of the rules, by alert.
fn of_rules() -> Vec<(String, String)> {
    rules().iter().map(|rule| (plain(&rule["alert"]), plain(&rule["expr"]))).collect()
}

fn rules() -> Vec<Value> {
    document("deploy/prometheus/alerts.yml")["groups"][0]["rules"].as_array().unwrap().clone()
}

/// The expressions of the dashboard, by panel.
fn of_dashboard() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&files::text("deploy/grafana/tradepost.json")).unwrap();
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            found.push((plain(&panel["title"]), plain(&target["expr"])));
        }
    }
    found
}

/// The series that an expression asks for, each with the labels by which it chooses.
fn asked(expression: &str) -> Vec<(String, Vec<String>)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in ["tradepost_", "process_"].iter().flat_map(|prefix| expression.match_indices(prefix)) {
        let name: String = expression[at..].chars().take_while(|c| is_part(*c)).collect();
        let rest = &expression[at + name.len()..];
        let chosen = rest.strip_prefix('{').map(|rest| rest.split('}').next().unwrap()).unwrap_or_default();
        let labels = chosen.split(['"']).step_by(2).map(|part| part.trim_start_matches([',', ' ']));
        let labels = labels.map(|part| part.trim_end_matches(['=', '!', '~']).trim().to_owned());
        found.push((name, labels.filter(|label| !label.is_empty()).collect()));
    }
    found
}

#[tokio::test]
async fn rules_and_dashboard_ask_for_metrics_and_labels_that_there_are() {
    let shown = shown().await;
    let (rules, panels) = (of_rules(), of_dashboard());
    assert!(rules.len() >= 10 && panels.len() >= 10);
    let mut wrong = Vec::new();
    for (place, expression) in rules.into_iter().chain(panels) {
        for (name, labels) in asked(&expression) {
            let Some(known) = shown.get(&name) else {
                wrong.push(format!("{place}: there is no {name}"));
                continue;
            };
            let unknown = labels.iter().filter(|label| !known.is_empty() && !known.contains(*label));
            wrong.extend(unknown.map(|label| format!("{place}: {name} has no label {label}, but {known:?}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_an_expression_asks_for_is_found() {
    let expression = "sum by (a) (rate(tradepost_x_total{b=\"1\", c!~\"d|e, f\"}[5m])) / tradepost_y";
    assert_eq!(
        asked(expression),
        [
            ("tradepost_x_total".to_owned(), vec!["b".to_owned(), "c".to_owned()]),
            ("tradepost_y".to_owned(), Vec::new())
        ]
    );
}

#[test]
fn every_alert_says_what_to_do_and_is_tried() {
    let guide = files::text("docs/how-to/operate.md");
    let tried = files::text("deploy/prometheus/alerts.test.yml");
    for rule in rules() {
        let name = plain(&rule["alert"]);
        assert!(["critical", "warning"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        assert!(!plain(&rule["annotations"]["summary"]).is_empty(), "{name}");
        let section = name.to_lowercase();
        assert_eq!(rule["annotations"]["runbook_url"], format!("docs/how-to/operate.md#{section}"), "{name}");
        let has_heading =
            guide.lines().any(|line| line.starts_with('#') && line.trim_start_matches('#').trim() == name);
        assert!(has_heading, "docs/how-to/operate.md has no section {name}");
        assert!(
            tried.contains(&format!("alertname: {name}\n        exp_alerts:\n          - ")),
            "{name} is not tried"
        );
    }
}

#[test]
fn promtool_accepts_the_rules_and_they_fire_when_they_should() {
    for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]] {
        let mut promtool = Command::new("promtool");
        let output = promtool.args(arguments).current_dir(files::root().join("deploy/prometheus")).output();
        let output = output.unwrap_or_else(|error| {
            panic!(
                "promtool can't be run ({error}): `cargo xtask test` installs it, \
                 and so does `sudo apt-get install prometheus`; Prometheus need not run"
            )
        });
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "promtool {}:\n{}", arguments.join(" "), String::from_utf8_lossy(&said));
    }
}
