//! Names that are taken and do nothing yet, so that no script comes to rely on another meaning.

use clap::{Args, Subcommand};

use crate::cli::failure::{Exit, Failure};

#[derive(Subcommand, Debug)]
pub enum Later {
    #[command(hide = true)]
    Completions(Anything),
    #[command(hide = true)]
    Man(Anything),
}

#[derive(Args, Debug)]
pub struct Anything {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    words: Vec<String>,
}

impl Later {
    pub fn run(self) -> Result<Exit, Failure> {
        let name = match self {
            Later::Completions(_) => "completions",
            Later::Man(_) => "man",
        };
        Err(
            Failure::usage(format!("`{name}` is not part of this version"))
                .hint("`popug-cli --help` lists what is"),
        )
    }
}
