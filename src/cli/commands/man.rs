//! `man`

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::cli::destination::{Content, Destination};
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::Invocation;
use crate::cli::man_page::{ManPage, pages};
use crate::cli::output::keep_off;
use crate::cli::{file_modes, own_files};

const MORE: &str = "\
The directory is made if it is missing. A man page that popug-cli wrote is replaced, any other file
only with --force. `man` finds the pages in ~/.local/share/man/man1 and /usr/local/share/man/man1.";

#[derive(Args, Debug)]
#[command(after_help = MORE)]
pub(crate) struct Man {
    /// Write a page for each command into this directory
    #[arg(value_hint = ValueHint::DirPath)]
    dir: PathBuf,
}

impl Man {
    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let dir = self.dir.as_path();
        keep_off(&invocation.global.store, dir)?;
        let pages = pages((invocation.program.definition)());
        if !invocation.global.force {
            check_replaceable(dir, &pages)?;
        }
        let (count, shown) = (pages.len(), dir.display());
        if invocation.only_says(|| format!("{count} man pages would be written to {shown}")) {
            return Ok(Exit::Done);
        }
        file_modes::make_directory_for_user(dir).map_err(|error| {
            let message = format!("cannot create {shown}: {error}");
            Failure::new(Exit::Failure, "io", message).hint_of_cause(dir, &error)
        })?;
        for page in pages {
            let mut file = Destination::at(&dir.join(page.file()))?;
            file.write(|out| Ok(out.write_all(page.text.as_bytes())?))?;
            file.finish(Content::Data)?;
        }
        invocation
            .reporter
            .note(&format!("{count} man pages are in {shown}"));
        Ok(Exit::Done)
    }
}

fn check_replaceable(dir: &Path, pages: &[ManPage]) -> Result<(), Failure> {
    let is_page = |path: &Path| {
        std::fs::read_to_string(path).is_ok_and(|text| text.starts_with(ManPage::BEGINNING))
    };
    let mut paths = pages.iter().map(|page| dir.join(page.file()));
    match paths.find(|path| !own_files::is_replaceable(path, || is_page(path))) {
        None => Ok(()),
        Some(path) => Err(own_files::not_own(&path)),
    }
}
