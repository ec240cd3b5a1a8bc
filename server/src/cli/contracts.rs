//! `tradepost contracts`

use std::io::Read;
use std::path::{Path, PathBuf};

use bridge::Contract;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::Client;
use super::failure::Exit;
use super::table::{Column, Table, fields};
use super::terminal::{plain, plain_json};
use super::{Failure, Output};

const PATH: &str = "/v1/contracts";

/// The longest message that is read.
const MESSAGE_BYTES_MAX: u64 = 16 * 1024 * 1024;

const CHECK_HELP: &str = "\
Examples:
  printf 123 | tradepost contracts check fanout --queue tradepost.fanout.product
  tradepost contracts check ./contracts/ours.toml --queue orders --message recorded.json

The exit code is 1 if the message would be parked.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the contracts that come with the program
    List,
    /// Show a contract: its roles, queues and routes
    Show(Named),
    /// Print the file of a contract, to begin one of your own with
    Export(Named),
    /// Try a message that was recorded against a contract, and show the facts in it or the mistake
    #[command(after_help = CHECK_HELP)]
    Check(Check),
    /// Show how the contracts of a running shop fare
    Status,
}

#[derive(Debug, Args)]
pub struct Named {
    /// The name of a contract, or the path of a file NAME.toml
    contract: String,
}

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    named: Named,
    /// The queue by which the message came
    #[arg(long)]
    queue: String,
    /// The file with the body of the message, as it was [default: standard input]
    #[arg(long, value_name = "FILE")]
    message: Option<PathBuf>,
}

impl Command {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::List => list(out),
            Self::Show(named) => show(&named.read()?, out),
            Self::Export(named) => out.text(named.read()?.text.trim_end()),
            Self::Check(check) => check.run(out),
            Self::Status => status(client, out).await,
        }
    }
}

impl Named {
    fn read(&self) -> Result<Contract, Failure> {
        let name = self.contract.as_str();
        if let Some(contract) = Contract::own(name) {
            return Ok(contract);
        }
        if Path::new(name).extension().is_none_or(|extension| extension != "toml") {
            let known = Contract::own_names().collect::<Vec<_>>().join(", ");
            let close = kernel::suggestion(name, Contract::own_names());
            return Err(Failure::new(Exit::NotFound, format!("there is no contract {name}{close}"))
                .with_help(format!("the contracts are {known}; one of your own is the path of its file NAME.toml")));
        }
        let text = std::fs::read_to_string(name)
            .map_err(|error| Failure::new(Exit::NotFound, format!("{name} can't be read: {error}")))?;
        let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        Contract::read(stem, name, &text).map_err(|mistake| Failure::new(Exit::Configuration, mistake.to_string()))
    }
}

impl Check {
    fn run(self, out: &mut Output) -> Result<(), Failure> {
        let contract = self.named.read()?;
        let body = body(self.message.as_deref())?;
        match contract.check(&self.queue, &body) {
            Ok(content) if out.is_json() => out.document(&content),
            Ok(content) => {
                let lines = |name: &str| content[name].as_array().cloned().unwrap_or_default().into_iter();
                let facts = lines("facts").map(|fact| plain_json(&fact.to_string()));
                let log = lines("log").map(|line| plain(line.as_str().unwrap_or_default()).into_owned());
                let lines: Vec<String> = facts.chain(log).collect();
                out.text(format!("It would be taken.\n{}", lines.join("\n")).trim_end())
            }
            Err(reason) => Err(Failure::new(Exit::Failed, format!("it would be parked: {reason}"))),
        }
    }
}

fn body(path: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let read = match path {
        Some(path) => std::fs::File::open(path).and_then(|file| file.take(MESSAGE_BYTES_MAX).read_to_end(&mut body)),
        None => std::io::stdin().take(MESSAGE_BYTES_MAX).read_to_end(&mut body),
    };
    read.map_err(|error| Failure::new(Exit::NotFound, format!("the message can't be read: {error}")))?;
    Ok(body)
}

fn list(out: &mut Output) -> Result<(), Failure> {
    let contracts: Vec<Contract> = Contract::own_names().filter_map(Contract::own).collect();
    if out.is_json() {
        let items = contracts.iter().map(|it| json!({ "name": it.name, "about": it.about, "roles": it.roles }));
        return out.document(&json!({ "items": items.collect::<Vec<_>>() }));
    }
    let mut table = Table::new([Column::Left("NAME"), Column::Left("ROLES"), Column::Left("ABOUT")]);
    for contract in contracts {
        table.row([contract.name, contract.roles.join(", "), contract.about]);
    }
    out.table(&table)
}

fn show(contract: &Contract, out: &mut Output) -> Result<(), Failure> {
    let shown = contract.described();
    if out.is_json() {
        return out.document(&shown);
    }
    let list = |name: &str| {
        let items = shown[name].as_array().map(Vec::as_slice).unwrap_or_default();
        let items = items.iter().filter_map(Value::as_str).collect::<Vec<_>>();
        (!items.is_empty()).then(|| items.join("; "))
    };
    let rows = [
        ("name", Some(contract.name.clone())),
        ("about", Some(contract.about.clone())),
        ("roles", Some(contract.roles.join(", "))),
        ("exchanges", list("exchanges")),
        ("queues", list("queues")),
        ("in", list("in")),
        ("out", list("out")),
        ("routes", list("routes")),
    ];
    out.text(fields(rows).trim_end())
}

async fn status(client: &Client, out: &mut Output) -> Result<(), Failure> {
    let answer = client.get(PATH, &[]).await?;
    if out.is_json() {
        return out.document(&answer);
    }
    let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return out.text("no contract is in force: start with --contract NAME");
    }
    let mut table = Table::new([
        Column::Left("CONTRACT"),
        Column::Left("OURS"),
        Column::Left("BROKER"),
        Column::Right("IN"),
        Column::Right("OUT"),
        Column::Right("WAITING"),
        Column::Right("PARKED"),
        Column::Left("LAST SEEN"),
    ]);
    for item in items {
        let number = |name: &str| item["messages"][name].as_u64().unwrap_or_default();
        let broker = match (item["connected"].as_bool(), item["error"].as_str()) {
            (None, _) => "none".to_owned(),
            (Some(true), _) => "connected".to_owned(),
            (Some(false), reason) => reason.unwrap_or("connecting").to_owned(),
        };
        let ours = item["ours"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
        table.row([
            item["name"].as_str().unwrap_or_default().to_owned(),
            ours.join(", "),
            broker,
            number("in.taken").to_string(),
            (number("out.sent") + number("out.unrouted")).to_string(),
            item["waiting"].to_string(),
            item["parked"].to_string(),
            item["last_seen"].as_str().unwrap_or("never").to_owned(),
        ]);
    }
    out.table(&table)
}
