//! `tradepost completions`: a script for a shell, from the command line itself.

use clap::Args;
use clap_complete::{Shell, generate};

use super::{Failure, Output};

const AFTER_HELP: &str = "\
Examples:
  source <(tradepost completions bash)
  tradepost completions zsh > ~/.zfunc/_tradepost
  tradepost completions fish > ~/.config/fish/completions/tradepost.fish";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub fn run(self, mut command: clap::Command, out: &mut Output) -> Result<(), Failure> {
        let mut script = Vec::new();
        generate(self.shell, &mut command, "tradepost", &mut script);
        out.text(String::from_utf8_lossy(&script).trim_end())
    }
}
