//! An output file. It is opened before a command decides anything, and appears whole or not at all.
//!
//! Invariant: a command that is refused or fails leaves no other file, and the file as it was.

use std::fs::{DirEntry, File, Metadata, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, geteuid};

use crate::cli::failure::{Exit, Failure};
use crate::cli::leftovers::{Leftover, is_begun};
use crate::cli::{file_modes, own_files};
use crate::files::parent_of;
use crate::files::process::is_gone;
use crate::files::replace::put_in_place;

/// No process has a larger number, so that a date such as 20261122 is none.
const PROCESSES_MAX: i32 = 1 << 22;

pub(super) struct Destination {
    /// As the user named it.
    path: PathBuf,
    to: To,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Content {
    /// This program may replace the file later without being asked.
    Data,
    /// A new file is its owner's alone, under any umask.
    Secret,
}

enum To {
    /// A pipe or device, to which the output is written directly.
    Stream(BufWriter<File>),
    File(Unfinished),
}

/// A file that is written beside its place.
struct Unfinished {
    out: BufWriter<File>,
    beside: Leftover,
    path: PathBuf,
    replaced: Option<Permissions>,
}

impl Destination {
    /// The file that the user named. If it is a link, its target is replaced; a pipe or device is
    /// written to.
    ///
    /// # Errors
    /// If it cannot be written, or another output of this command goes there.
    pub(super) fn open(path: &Path) -> Result<Destination, Failure> {
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            let file = File::options()
                .write(true)
                .open(path)
                .map_err(|error| cannot_write(path, &error))?;
            return Ok(Destination {
                path: path.to_owned(),
                to: To::Stream(BufWriter::new(file)),
            });
        }
        let place = followed(path).map_err(|error| cannot_write(path, &error))?;
        Ok(Destination {
            path: path.to_owned(),
            to: To::File(Unfinished::beside(&place)?),
        })
    }

    /// A file with this name. A link with this name is replaced and not followed.
    pub(super) fn at(path: &Path) -> Result<Destination, Failure> {
        Ok(Destination {
            path: path.to_owned(),
            to: To::File(Unfinished::beside(path)?),
        })
    }

    /// Continues to write.
    pub(super) fn write(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let out = match &mut self.to {
            To::Stream(out) => out,
            To::File(place) => &mut place.out,
        };
        write(out)?;
        out.flush()
            .map_err(|error| cannot_write(&self.path, &error))
    }

    /// Moves the file into its place. It takes the mode of the file that it replaces.
    pub(super) fn finish(self, content: Content) -> Result<(), Failure> {
        let Destination {
            path,
            to: To::File(place),
        } = self
        else {
            return Ok(());
        };
        place
            .finish(content)
            .map_err(|error| cannot_write(&path, &error))
    }
}

/// The place to which a path leads, through every link, even if there is no file yet.
///
/// # Errors
/// If its links form a circle.
fn followed(path: &Path) -> io::Result<PathBuf> {
    match std::fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        resolved => return resolved,
    }
    let parent = parent_of(path);
    match (std::fs::read_link(path), path.file_name()) {
        (Ok(target), _) => followed(&parent.join(target)),
        (Err(_), Some(name)) => {
            Ok(std::fs::canonicalize(parent).map_or_else(|_| path.to_owned(), |it| it.join(name)))
        }
        (Err(_), None) => Ok(path.to_owned()),
    }
}

/// Removes what killed processes of this account left beside `path`: files `.NAME.PID` for their
/// owner alone, of processes that are gone.
fn remove_leftovers(path: &Path, name: &str) {
    let beginning = format!(".{name}.");
    let process_of = |file: &DirEntry| {
        let file = file.file_name();
        let number = file.to_str()?.strip_prefix(&beginning)?;
        Pid::from_raw(
            number
                .parse()
                .ok()
                .filter(|number| *number <= PROCESSES_MAX)?,
        )
    };
    let is_ours = |found: Metadata| {
        let mode = found.mode() & 0o777;
        found.is_file() && found.uid() == geteuid().as_raw() && mode == 0o600
    };
    for file in std::fs::read_dir(parent_of(path))
        .into_iter()
        .flatten()
        .flatten()
    {
        if process_of(&file).is_some_and(is_gone) && file.metadata().is_ok_and(is_ours) {
            let _ = std::fs::remove_file(file.path());
        }
    }
}

impl Unfinished {
    fn beside(path: &Path) -> Result<Unfinished, Failure> {
        let failed = |error: io::Error| cannot_write(path, &error);
        let replaced = std::fs::symlink_metadata(path)
            .ok()
            .filter(Metadata::is_file);
        let name = path
            .file_name()
            .ok_or_else(|| Failure::usage(format!("{} is not a file", path.display())))?;
        let beside = path.with_file_name(format!(
            ".{}.{}",
            name.to_string_lossy(),
            std::process::id()
        ));
        if is_begun(&beside) {
            let message = format!("{} is named for two outputs of one command", path.display());
            return Err(Failure::usage(message).hint("give each a file of its own"));
        }
        remove_leftovers(path, &name.to_string_lossy());
        // A leftover of a killed process that had our process id. A file that is there afterwards
        // is ours.
        let _ = std::fs::remove_file(&beside);
        let (beside, file) =
            Leftover::create(&beside, || File::create_new(&beside)).map_err(failed)?;
        let replaced = replaced.map(|found| found.permissions());
        Ok(Unfinished {
            out: BufWriter::new(file),
            beside,
            path: path.to_owned(),
            replaced,
        })
    }

    fn finish(self, content: Content) -> io::Result<()> {
        let Unfinished {
            out,
            beside,
            path,
            replaced,
        } = self;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        match (content, replaced) {
            (Content::Data, replaced) => {
                own_files::mark(&file);
                file_modes::open_as_user_wants(&file, replaced)?;
            }
            (Content::Secret, Some(replaced)) => file.set_permissions(replaced)?,
            // It was made for its owner alone.
            (Content::Secret, None) => {}
        }
        file.sync_all()?;
        put_in_place(beside.path(), &path)?;
        beside.keep();
        Ok(())
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Failure,
        "io",
        format!("cannot write {}: {error}", path.display()),
    )
    .hint_of_cause(path, error)
}
