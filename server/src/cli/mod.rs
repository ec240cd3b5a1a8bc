//! The command line: one file for each group of commands.
//!
//! Data goes to stdout; progress and hints go to stderr. `up`, `serve`, `migrate`, `doctor`, `backup` and `config` work
//! on the settings; all others talk HTTP to a running server and keep nothing themselves.

mod admin_token;
mod alerts;
mod analytics;
mod arguments;
mod backup;
mod bench;
mod client;
mod completions;
mod config;
mod contracts;
mod dlq;
mod doctor;
mod events;
mod failure;
mod health;
mod mail;
mod migrate;
mod orders;
mod output;
mod overrides;
mod payments;
mod problem;
mod products;
mod progress;
mod purchase_orders;
mod rebuild;
mod reviews;
mod serve;
mod shipments;
mod sse;
mod stock;
mod story;
mod suppliers;
mod table;
mod terminal;
mod up;
mod users;
mod webhooks;

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use server::config::{self as settings, Environment};
use server::shop::Shop;

use client::Client;
use failure::Exit;
pub use failure::{Failure, Form};
use output::Output;
use output::styled_stderr;

/// The heading of the options that every command takes.
const GLOBAL: &str = "Global options";

const AFTER_HELP: &str = "\
Examples:
  tradepost up --demo
  tradepost orders place 123=1 --email ada@example.com --token tok_ok --watch

Environment:
  TRADEPOST_URL                URL of the server
  TRADEPOST_ADMIN_TOKEN        the admin token, or
  TRADEPOST_ADMIN_TOKEN_FILE   a file that holds it
  TRADEPOST_…                  the settings of `up`: `tradepost config show`
  NO_COLOR                     no colour

Exit codes:
  0 ok   1 failed   2 usage   3 configuration   4 not found   5 conflict   6 partly failed
  7 the server can't be reached   8 a check failed   130 interrupted";

/// An event-driven commerce backend: the shop in one process, and the commands that look at it.
#[derive(Debug, Parser)]
#[command(name = "tradepost", version, arg_required_else_help = true, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// Print JSON for programs; streams print one object a line
    #[arg(long, global = true, help_heading = GLOBAL)]
    json: bool,
    /// URL of the server [default: TRADEPOST_URL, or http://127.0.0.1:8080]
    #[arg(long, global = true, value_name = "URL", help_heading = GLOBAL)]
    url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run all services in this process
    Up(up::Up),
    /// Run some of the services in this process, beside other processes
    Serve(serve::Serve),
    /// Make the schemas and queues that the processes of a shop share
    Migrate(migrate::Migrate),
    /// Check that everything is present and correctly configured
    Doctor(doctor::Doctor),
    /// Ask a process for its readiness
    Health(health::Health),
    /// Place, show, pay and cancel orders
    #[command(subcommand)]
    Orders(orders::Command),
    /// List, add, change and remove products
    #[command(subcommand)]
    Products(products::Command),
    /// List stock and adjust it
    #[command(subcommand)]
    Stock(stock::Command),
    /// List payments, and give money back
    #[command(subcommand)]
    Payments(payments::Command),
    /// List shipments, and record that they left and arrived
    #[command(subcommand)]
    Shipments(shipments::Command),
    /// List, show, add, change and delete suppliers
    #[command(subcommand)]
    Suppliers(suppliers::Command),
    /// Order from suppliers, and record what came
    #[command(subcommand)]
    PurchaseOrders(purchase_orders::Command),
    /// List, show, ban and promote users
    #[command(subcommand)]
    Users(users::Command),
    /// List reviews of a product, and hide one
    #[command(subcommand)]
    Reviews(reviews::Command),
    /// Show sales, orders, products and events in numbers, and count them anew
    #[command(subcommand)]
    Analytics(analytics::Command),
    /// List, follow and republish the events of all services
    #[command(subcommand)]
    Events(events::Command),
    /// List, show and acknowledge alerts: what a person should look at
    #[command(subcommand)]
    Alerts(alerts::Command),
    /// List, replay and discard dead letters
    #[command(subcommand)]
    Dlq(dlq::Command),
    /// List and show mail that was sent or captured
    #[command(subcommand)]
    Mail(mail::Command),
    /// Send events to others: add, test, rotate, resend and remove endpoints
    #[command(subcommand)]
    Webhooks(webhooks::Command),
    /// List, show, try and export the contracts by which other services are spoken to
    #[command(subcommand)]
    Contracts(contracts::Command),
    /// Put a running shop under load, and check its books
    #[command(subcommand)]
    Bench(bench::Command),
    /// Build the tables of a projection anew from the archives
    Rebuild(rebuild::Rebuild),
    /// Copy a shop that may be running, as it is at one instant
    Backup(backup::Backup),
    /// Change the admin token of a shop that made its own
    #[command(subcommand)]
    AdminToken(admin_token::Command),
    /// Show the settings of `up`
    #[command(subcommand)]
    Config(config::Command),
    /// Print a script that completes commands and options in a shell
    Completions(completions::Completions),
}

/// The command line of this process. One that can't be used, or that asks for help, is answered here.
pub fn parse(shop: &Shop) -> Result<Cli, ExitCode> {
    let parsed = command(shop).try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| {
        let is_misused = !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        if is_misused && std::env::args().any(|argument| argument == "--json") {
            return Failure::new(Exit::Usage, first_line(&error)).report(Form::Json);
        }
        // A closed output has no reader.
        let _ = error.print();
        ExitCode::from(if is_misused { Exit::Usage as u8 } else { Exit::Ok as u8 })
    })
}

/// The command line, with the services and brokers of this shop in its help.
fn command(shop: &Shop) -> clap::Command {
    let services: Vec<&str> = shop.names().collect();
    let stores: Vec<&str> = shop.own_services().collect();
    let broker = format!("Message broker URL: {} [default: the first]", settings::broker_examples(shop));
    let mut command = Cli::command().mut_subcommand("serve", |serve| {
        serve.mut_arg("services", |services_of| services_of.value_parser(PossibleValuesParser::new(services)))
    });
    command = command.mut_subcommand("rebuild", |rebuild| {
        rebuild.mut_arg("service", |service| service.value_parser(PossibleValuesParser::new(stores)))
    });
    for name in ["up", "serve", "migrate", "rebuild", "doctor"] {
        command = command.mut_subcommand(name, |with_broker| {
            with_broker.mut_arg("broker", |argument| {
                let long = format!("{broker}\n\n{}", overrides::BROKER_SECRET);
                argument.help(broker.clone()).long_help(long)
            })
        });
    }
    command
}

impl Cli {
    /// The form in which a failure of it is printed.
    pub fn form(&self, environment: &Environment) -> Form {
        if self.global.json { Form::Json } else { Form::Text { is_styled: styled_stderr(environment) } }
    }

    /// Does what the command line asks for.
    pub async fn run(self, shop: &Shop, environment: &Environment) -> Result<(), Failure> {
        let Global { json, url } = self.global;
        let mut out = Output::new(json, environment);
        match self.command {
            // It drains by itself at the first signal.
            Command::Up(up) => up.run(shop, environment).await,
            Command::Serve(serve) => serve.run(shop, environment).await,
            Command::Health(health) => health.run(url.as_deref(), environment, &mut out).await,
            Command::Doctor(doctor) => doctor.run(shop, environment, &mut out).await,
            Command::Migrate(migrate) => migrate.run(shop, environment, &mut out).await,
            Command::Rebuild(rebuild) => rebuild.run(shop, environment, &mut out).await,
            Command::Analytics(analytics::Command::Rebuild(location)) => {
                rebuild::build("analytics", location, shop, environment, &mut out).await
            }
            Command::Backup(backup) => backup.run(shop, environment, &mut out),
            Command::AdminToken(command) => command.run(shop, environment, &mut out),
            Command::Config(command) => command.run(shop, environment, &mut out),
            Command::Completions(completions) => completions.run(command(shop), &mut out),
            command => {
                let client = Client::new(settings::client(shop, url.as_deref(), environment)?)?;
                tokio::select! {
                    // First, so that the signal is listened for before anything is shown.
                    biased;
                    _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
                    done = command.ask(shop, &client, &mut out) => done,
                }
            }
        }
    }
}

impl Command {
    async fn ask(self, shop: &Shop, client: &Client, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Orders(command) => command.run(client, out).await,
            Self::Products(command) => command.run(client, out).await,
            Self::Stock(command) => command.run(client, out).await,
            Self::Payments(command) => command.run(client, out).await,
            Self::Shipments(command) => command.run(client, out).await,
            Self::Suppliers(command) => command.run(client, out).await,
            Self::PurchaseOrders(command) => command.run(client, out).await,
            Self::Users(command) => command.run(client, out).await,
            Self::Reviews(command) => command.run(client, out).await,
            Self::Analytics(command) => command.run(client, out).await,
            Self::Events(command) => command.run(shop, client, out).await,
            Self::Alerts(command) => command.run(client, out).await,
            Self::Dlq(command) => command.run(client, out).await,
            Self::Mail(command) => command.run(client, out).await,
            Self::Webhooks(command) => command.run(client, out).await,
            Self::Contracts(command) => command.run(client, out).await,
            Self::Bench(command) => command.run(client, out).await,
            Self::Up(_)
            | Self::Serve(_)
            | Self::Migrate(_)
            | Self::Doctor(_)
            | Self::Health(_)
            | Self::Rebuild(_)
            | Self::Backup(_)
            | Self::AdminToken(_)
            | Self::Config(_)
            | Self::Completions(_) => {
                unreachable!("these were run without a client")
            }
        }
    }
}

/// The error, without the marks and hints for people.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command(&Shop::tradepost()).debug_assert();
    }
}
