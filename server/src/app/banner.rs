//! The lines that a person sees when a process is ready: addresses, and commands to try next.

use console::Pages;

use super::{App, RunOptions, Scope};

/// The lines. Programs wait for the first.
pub(super) fn of(url: &str, app: &App, options: &RunOptions, token_is_configured: bool) -> String {
    let mut lines = vec![format!("ready {url}")];
    match &options.scope {
        Scope::Whole { data } => {
            lines.push(format!("  data     {}", data.display()));
            of_whole(&mut lines, url, app, options.demo, token_is_configured);
        }
        Scope::Part { services } => lines.extend([
            format!("  services {}", services.join(", ")),
            format!("  ready    {url}/readyz"),
            format!("  metrics  {url}/metrics"),
        ]),
    }
    lines.extend(app.broker.durability().map(|durability| format!("  broker   {}: {durability}", app.broker.name())));
    lines.push("  stop     Ctrl-C".to_owned());
    lines.join("\n") + "\n"
}

fn of_whole(lines: &mut Vec<String>, url: &str, app: &App, demo: bool, token_is_configured: bool) {
    let program = std::env::args().next().unwrap_or_else(|| "tradepost".to_owned());
    if let Some(link) = app.pages.as_ref().and_then(Pages::link) {
        lines.push(format!("  console  {url}{link}"));
    }
    lines.extend([format!("  API      {url}/docs"), format!("  metrics  {url}/metrics")]);
    match &app.made_token {
        Some(token) => lines.extend([
            "  admin    this token is shown only now; commands in another terminal need it:".to_owned(),
            format!("           export TRADEPOST_ADMIN_TOKEN={token}"),
        ]),
        None if token_is_configured => lines.push("  admin    the token is the configured one".to_owned()),
        None => lines.push("  admin    the token is the one that the first start showed".to_owned()),
    }
    if url != "http://127.0.0.1:8080" {
        lines.push(format!("           export TRADEPOST_URL={url}"));
    }
    if demo {
        lines.extend([
            "  try next, in another terminal:".to_owned(),
            format!("           {program} orders place 123=1 --email ada@example.com --token tok_ok --watch"),
            format!("           {program} mail list"),
            format!("           {program} events tail"),
        ]);
    } else {
        lines.push(format!("  try next {program} products add --help, or a start with --demo"));
    }
}
