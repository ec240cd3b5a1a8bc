//! Targets and alerts.

use server::shop::Shop;

use super::{Part, host};

const TESTS: &str = "deploy/prometheus/alerts.test.yml";

pub fn parts(shop: &Shop) -> Vec<Part> {
    let up = |name: &str| {
        let name = host(name);
        format!(
            "      - series: 'up{{job=\"tradepost\", process=\"{name}\", instance=\"{name}:1\"}}'\n        values: '1x20'"
        )
    };
    // Three cases write the series of one service themselves, or leave it out.
    let but = |left_out: &'static str| shop.names().filter(move |name| *name != left_out);
    vec![
        Part::each("deploy/prometheus/prometheus.yml", "targets", shop.ports(), |(name, port)| {
            format!("      - {{ names: [{}], type: A, port: {port}, refresh_interval: 10s }}", host(name))
        }),
        // The comments would be part of the expression, so its first line stands between them as well.
        Part::new("deploy/prometheus/alerts.yml", "down", down(shop)),
        Part::each(TESTS, "all up", shop.names(), up),
        Part::each(TESTS, "others of two instances", but("orders"), up),
        Part::each(TESTS, "others of a service", but("orders"), up),
        Part::each(TESTS, "others of an absent service", but("payments"), up),
    ]
}

fn down(shop: &Shop) -> String {
    let absent =
        shop.names().map(|name| format!("          or absent(up{{job=\"tradepost\", process=\"{}\"}})\n", host(name)));
    let head = "        expr: |\n          sum by (process) (up{job=\"tradepost\"}) == 0\n";
    format!("{head}{}", absent.collect::<String>())
}
