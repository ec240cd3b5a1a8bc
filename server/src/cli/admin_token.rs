//! `tradepost admin-token`: another token for a shop that made its own.

use clap::Subcommand;
use kernel::{Clock, Ids};
use serde_json::json;
use server::app;
use server::config::{self, Environment, Flags};
use server::shop::Shop;

use super::output::note;
use super::overrides::ConfigFile;
use super::{Failure, Output};

const AFTER_HELP: &str = "\
To change the token without a client that is refused:
  1. tradepost admin-token rotate, and start the shop again: both tokens are good
  2. give the clients the new one
  3. tradepost admin-token retire, and start the shop again: the old one is refused

Where `admin_token` is set, set another one, and the one before as `admin_token_previous`.";

#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub enum Command {
    /// Make another token and print it; the one before is good beside it
    Rotate(DataFolder),
    /// End the token before
    Retire(DataFolder),
}

#[derive(Debug, clap::Args)]
pub struct DataFolder {
    /// The folder of the shop's data
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    #[command(flatten)]
    file: ConfigFile,
}

impl Command {
    pub fn run(self, shop: &Shop, environment: &Environment, out: &mut Output) -> Result<(), Failure> {
        let (Self::Rotate(folder) | Self::Retire(folder)) = &self;
        let flags = Flags { data_dir: folder.data.clone(), ..Flags::default() };
        let folder = config::load(shop, &flags, folder.file.path.as_deref(), environment)?.settings.data_dir;
        let failed = |error: anyhow::Error| Failure::failed(format!("{error:#}"));
        match self {
            Self::Rotate(_) => {
                let token = app::rotate(&folder, &Ids::new(Clock::system())).map_err(failed)?;
                if out.is_json() {
                    return out.document(&json!({"admin_token": token}));
                }
                out.text(&token)?;
                note("shown only now; start the shop again, and this token and the one before are good");
            }
            Self::Retire(_) => {
                let is_ended = app::retire(&folder).map_err(failed)?;
                if out.is_json() {
                    return out.document(&json!({"retired": is_ended}));
                }
                let text = if is_ended {
                    "start the shop again, and only the newest token is good"
                } else {
                    "there was only one token"
                };
                note(text);
            }
        }
        Ok(())
    }
}
