//! `tradepost doctor`: what is wrong, before it shows.

use clap::Args;
use serde_json::json;
use server::app::{self, Check, Status};
use server::config::Environment;
use server::shop::Shop;

use super::failure::Exit;
use super::overrides::ShopLocation;
use super::terminal::plain;
use super::up::not_run;
use super::{Failure, Output};

const AFTER_HELP: &str = "\
Looks at the store, the broker and the disk that the settings name, and changes nothing.
Exit code 8 if something must be repaired before a shop can run or keep its promises.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Doctor {
    #[command(flatten)]
    location: ShopLocation,
}

impl Doctor {
    pub async fn run(self, shop: &Shop, environment: &Environment, out: &mut Output) -> Result<(), Failure> {
        let loaded = self.location.load(shop, environment)?;
        let checks = app::doctor(shop, &loaded.settings).await.map_err(|error| not_run(&error))?;
        if out.is_json() {
            out.document(&json!({"checks": checks.iter().map(as_json).collect::<Vec<_>>()}))?;
        } else {
            for check in &checks {
                out.text(plain(&format!("{:<5} {:<12} {}", word(check.status), check.name, line(check))))?;
            }
        }
        let bad = checks.iter().filter(|check| check.status == Status::Bad).count();
        match bad {
            0 => Ok(()),
            1 => Err(Failure::new(Exit::CheckFailed, "1 check failed")),
            _ => Err(Failure::new(Exit::CheckFailed, format!("{bad} checks failed"))),
        }
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Good => "ok",
        Status::Doubtful => "warn",
        Status::Bad => "FAIL",
    }
}

fn line(check: &Check) -> String {
    match &check.remedy {
        Some(remedy) => format!("{}: {remedy}", check.found),
        None => check.found.clone(),
    }
}

fn as_json(check: &Check) -> serde_json::Value {
    let status = word(check.status).to_lowercase();
    json!({"name": check.name, "status": status, "found": check.found, "remedy": check.remedy})
}
