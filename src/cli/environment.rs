//! The clock, the dice and the environment variables of the program. No other file reads the time.

#![expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock and the environment"
)]

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::app::Environment;
use crate::app::shared_log::Access;
use crate::cli::failure::{Exit, Failure};
use crate::credentials::{Callers, private_file};
use crate::domain::clock::Clock;
use crate::domain::dice::Dice;
use crate::domain::event::bounds;
use crate::domain::time::EventTime;

const NOW: &str = "POPUG_NOW";
const SEED: &str = "POPUG_SEED";

/// The line that an ssh client asked for, when the key of the client has a forced command.
const SSH_LINE: &str = "SSH_ORIGINAL_COMMAND";

/// The variables that a restricted shell reads. Login, `sudo` and sshd set them for the account.
const SET_BY_SYSTEM: [&str; 6] = [
    "HOME",
    "TERM",
    "SUDO_UID",
    "PKEXEC_UID",
    "DOAS_USER",
    SSH_LINE,
];

static IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Ignores all variables that a caller may have chosen, until the process ends. An ssh server can
/// let its clients set variables.
pub(super) fn close() {
    IS_CLOSED.store(true, Ordering::SeqCst);
}

/// Every variable is read here.
fn value(name: &str) -> Option<OsString> {
    let is_read = !IS_CLOSED.load(Ordering::SeqCst) || SET_BY_SYSTEM.contains(&name);
    env::var_os(name).filter(|_| is_read)
}

fn text(name: &str) -> Option<String> {
    value(name)?.into_string().ok()
}

/// The machine's clock and dice, or pinned ones.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SystemEnvironment {
    now: Option<EventTime>,
    seed: Option<u64>,
}

impl SystemEnvironment {
    /// # Errors
    /// A variable with an invalid value.
    pub(super) fn read() -> Result<SystemEnvironment, Failure> {
        let now = variable(NOW)?
            .map(|text| {
                pinned(&text).ok_or_else(|| {
                    malformed(NOW, &text, "an RFC 3339 time like 2026-11-22T09:00:00Z")
                })
            })
            .transpose()?;
        let seed = variable(SEED)?
            .map(|text| {
                text.parse()
                    .map_err(|_| malformed(SEED, &text, "a whole number"))
            })
            .transpose()?;
        Ok(SystemEnvironment { now, seed })
    }

    /// The same clock with other dice, for a demo with a seed.
    #[must_use]
    pub(super) fn with_seed(self, seed: u64) -> SystemEnvironment {
        SystemEnvironment {
            seed: Some(seed),
            ..self
        }
    }
}

/// The value of a variable.
///
/// # Errors
/// If it is not UTF-8, or empty: `POPUG_TOKEN=$(cat FILE)` without the file must not fall back to
/// another user.
pub(super) fn variable(name: &'static str) -> Result<Option<String>, Failure> {
    match value(name).map(OsString::into_string).transpose() {
        Ok(Some(text)) if text.is_empty() => Err(empty(name)),
        Ok(text) => Ok(text),
        Err(_) => Err(Failure::usage(format!("{name} is not UTF-8"))),
    }
}

/// The line that the ssh client asked for; `None` if it asked for a shell.
///
/// # Errors
/// If it is not UTF-8.
pub(super) fn ssh_line() -> Result<Option<String>, Failure> {
    let line = value(SSH_LINE).filter(|line| !line.is_empty());
    let line = line.map(OsString::into_string).transpose();
    line.map_err(|_| Failure::usage("the command line is not UTF-8"))
}

/// The path of this program.
///
/// # Errors
/// If the system does not tell it.
pub(super) fn program() -> std::io::Result<PathBuf> {
    env::current_exe()
}

/// The value of a variable with a secret, or the first line of the file that its twin `NAME_FILE`
/// names, which only its owner may read.
///
/// # Errors
/// If both are set, either is empty or not UTF-8, or the file cannot be read or is open to others.
pub(super) fn secret(name: &'static str, twin: &'static str) -> Result<Option<String>, Failure> {
    let value = variable(name)?;
    let Some(path) = variable(twin)?.map(PathBuf::from) else {
        return Ok(value);
    };
    if value.is_some() {
        let message = format!("{name} and {twin} are both set");
        return Err(Failure::usage(message).hint("unset one of them"));
    }
    secret_in(&path, twin)?.map(Some).ok_or_else(|| {
        let message = format!("{twin}: there is no file {}", path.display());
        Failure::new(Exit::NotFound, "secret_file", message).hint(format!(
            "write the secret into it with mode 0600, or unset {twin}"
        ))
    })
}

/// The first line of a file with a secret, which `named_by` names; `None` if there is no file.
///
/// # Errors
/// If the line is empty or not UTF-8, or the file cannot be read or is open to others.
pub(super) fn secret_in(path: &Path, named_by: &str) -> Result<Option<String>, Failure> {
    let Some(bytes) = private_file::read(path)? else {
        return Ok(None);
    };
    let bad = |what| Failure::usage(format!("{named_by}: {} {what}", path.display()));
    let text = String::from_utf8(bytes).map_err(|_| bad("is not UTF-8"))?;
    match text.lines().next().map(str::trim) {
        None | Some("") => {
            Err(bad("has no first line").hint("write the secret into its first line"))
        }
        Some(secret) => Ok(Some(secret.to_owned())),
    }
}

/// What the environment says about shared logs: POPUG_LOG_URL, its twin, and the password file of
/// PostgreSQL's programs.
///
/// # Errors
/// As [`secret`]; if the password file is open to others.
pub(super) fn log_access() -> Result<Access, Failure> {
    let file = path("PGPASSFILE")
        .map(PathBuf::from)
        .or_else(|| path("HOME").map(|home| PathBuf::from(home).join(".pgpass")));
    let read = file.map(|file| private_file::read(&file)).transpose()?;
    Ok(Access {
        url: secret("POPUG_LOG_URL", "POPUG_LOG_URL_FILE")?,
        pgpass: read
            .flatten()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    })
}

/// The Unix users for whom the account of this process runs it. The audit system of the kernel
/// knows who logged in, whichever accounts were used since; `sudo` and similar programs name their
/// caller.
pub(super) fn callers() -> Callers {
    let uid = |text: String| text.trim().parse::<u32>().ok();
    let named = |name| text(name).and_then(uid);
    let logged_in = std::fs::read_to_string("/proc/self/loginuid")
        .ok()
        .and_then(uid);
    let own = rustix::process::geteuid().as_raw();
    Callers::of(
        own,
        [logged_in, named("SUDO_UID"), named("PKEXEC_UID")],
        text("DOAS_USER").as_deref(),
    )
}

/// Whether another person than root borrows this account, by `sudo` or a similar program.
pub(super) fn is_lent() -> bool {
    let own = rustix::process::geteuid().as_raw();
    let by_number = ["SUDO_UID", "PKEXEC_UID"].into_iter().any(|name| {
        let uid = env::var(name).ok().and_then(|uid| uid.trim().parse().ok());
        uid.is_some_and(|uid: u32| uid != 0 && uid != own)
    });
    by_number || env::var("DOAS_USER").is_ok_and(|user| user != "root")
}

/// The IANA name of the machine's time zone.
pub(super) fn time_zone() -> Option<String> {
    jiff::tz::TimeZone::system().iana_name().map(str::to_owned)
}

pub(super) fn is_empty(name: &str) -> bool {
    value(name).is_some_and(|value| value.is_empty())
}

/// A variable that names a path; `None` if it is unset or empty.
pub(super) fn path(name: &str) -> Option<OsString> {
    value(name).filter(|value| !value.is_empty())
}

/// The command line of the pager that the user names; an empty one means none.
pub(super) fn pager() -> Option<String> {
    let mut names = ["POPUG_PAGER", "PAGER"].into_iter();
    names.find_map(text)
}

/// The width of the terminal according to COLUMNS.
pub(super) fn columns() -> Option<u16> {
    text("COLUMNS")?.parse().ok()
}

pub(super) fn empty(name: &str) -> Failure {
    Failure::usage(format!("{name} is set and empty"))
        .hint(format!("give it a value, or `unset {name}`"))
}

/// A pinned time within the bounds of events, which can be read back.
fn pinned(text: &str) -> Option<EventTime> {
    text.parse().ok().filter(|now| bounds::moment(*now).is_ok())
}

fn malformed(name: &str, text: &str, wanted: &str) -> Failure {
    Failure::usage(format!("{name} is `{text}`, which is not {wanted}"))
}

impl Clock for SystemEnvironment {
    fn now(&self) -> EventTime {
        self.now.unwrap_or_else(|| self.system_now())
    }

    fn is_pinned(&self) -> bool {
        self.now.is_some()
    }
}

impl Environment for SystemEnvironment {
    fn dice(&self, salt: &str) -> Box<dyn Dice> {
        match self.seed {
            Some(seed) => {
                let digest = Sha256::digest(format!("{seed}/{salt}"));
                Box::new(RandomDice(ChaCha20Rng::from_seed(digest.into())))
            }
            None => Box::new(RandomDice(rand::rng())),
        }
    }

    fn pinned_by(&self) -> Option<&'static str> {
        self.now.map(|_| NOW).or(self.seed.map(|_| SEED))
    }

    fn system_now(&self) -> EventTime {
        EventTime::new(jiff::Timestamp::now())
    }
}

struct RandomDice<R>(R);

impl<R: Rng> Dice for RandomDice<R> {
    fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound)
    }

    fn uuid_v7(&mut self, at: EventTime) -> Uuid {
        let mut random = [0; 10];
        self.0.fill_bytes(&mut random);
        // There is no UUIDv7 before 1970; such ids sort first.
        let millis = u64::try_from(at.micros() / 1_000).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}
