//! The context of every command: options, store, caller, and the place of the output.

use std::io;
use std::path::{Path, PathBuf};

use crate::app::command::Command;
use crate::app::identity::{Caller, Proof};
use crate::app::reports::Reports;
use crate::app::shared_log::Access;
use crate::app::write::{Manner, Outcome};
use crate::app::{App, AppError, Opening};
use crate::cli::environment::{self, SystemEnvironment, callers, secret, variable};
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::Global;
use crate::cli::output::Output;
use crate::cli::program::Program;
use crate::cli::prompt;
use crate::cli::reporter::Reporter;
use crate::cli::rights;
use crate::credentials::{CredentialError, Sessions, TokenId, TokenText, sessions};
use crate::domain::company::Company;
use crate::domain::id::CompanyId;
use crate::event_log::Patience;
use crate::event_log::file_log::SEGMENT_BYTES_MAX;
use crate::postgres::Address;
use crate::state::StateIndex;
use crate::store::StoreDirectory;
use crate::turn::Notices;

pub(super) struct Invocation<'a> {
    pub global: &'a Global,
    pub environment: &'a SystemEnvironment,
    pub reporter: &'a Reporter,
    pub output: &'a Output,
    pub program: Program,
}

/// An open store, its index at the head, and a caller who may act.
pub(super) struct OpenStore<'a> {
    pub app: App<'a>,
    pub index: StateIndex,
    pub company: Company,
    pub caller: Caller,
}

impl OpenStore<'_> {
    /// The same store and caller, with a draft of the log.
    ///
    /// # Errors
    /// If the log or the state index cannot be opened again.
    pub(super) fn drafted(&self) -> Result<OpenStore<'_>, Failure> {
        let app = self.app.drafted()?;
        Ok(OpenStore {
            index: app.index()?,
            company: self.company.clone(),
            caller: self.caller.clone(),
            app,
        })
    }

    pub(super) fn reports(&self) -> Reports<'_> {
        Reports {
            app: &self.app,
            index: &self.index,
            company: &self.company,
            caller: &self.caller,
            are_current: false,
        }
    }
}

fn wanted_state_directory() -> Option<PathBuf> {
    sessions::state_directory(
        environment::path("XDG_STATE_HOME"),
        environment::path("HOME"),
        &callers(),
    )
}

/// The nearest existing file on the way to `path`, unless it is a directory. `path` cannot be
/// created below it.
fn in_the_way(path: &Path) -> Option<&Path> {
    let found = path
        .ancestors()
        .find_map(|path| Some((path, std::fs::metadata(path).ok()?)));
    found
        .filter(|(_, found)| !found.is_dir())
        .map(|(path, _)| path)
}

impl<'a> Invocation<'a> {
    pub(super) fn directory(&self) -> StoreDirectory {
        StoreDirectory::new(&self.global.store)
    }

    /// The name of this process, for others that wait for its locks.
    fn holder(&self) -> String {
        format!(
            "process {}: popug-cli {}",
            std::process::id(),
            self.global.command_path
        )
    }

    /// Refuses `-n` for a command that cannot show its effect beforehand.
    ///
    /// # Errors
    /// If a dry run was requested.
    pub(super) fn refuse_dry_run(&self) -> Result<(), Failure> {
        if self.global.dry_run {
            return Err(Failure::usage(format!(
                "`{}` has no dry run",
                self.global.command_path
            )));
        }
        Ok(())
    }

    pub(super) fn patience(&self) -> Patience {
        Patience {
            wait: self.global.lock_wait,
            holder: self.holder(),
        }
    }

    /// The store, for a command that may write into it, as all do that read the state index.
    ///
    /// # Errors
    /// If there is no store; if this is root and the store belongs to another account; if the shell around the
    /// command was begun in another store.
    pub(super) fn app(&self) -> Result<App<'a>, Failure> {
        self.app_in(self.directory())
    }

    pub(super) fn app_in(&self, directory: StoreDirectory) -> Result<App<'a>, Failure> {
        let app = self.unfollowed(directory)?;
        app.follow();
        Ok(self.drafted_if_asked(app))
    }

    fn unfollowed(&self, directory: StoreDirectory) -> Result<App<'a>, Failure> {
        let app = self.open(directory)?;
        rights::refuse_root(&app.directory)?;
        Ok(app)
    }

    /// The store, for a command that makes no file in it.
    ///
    /// # Errors
    /// As [`Invocation::app`], but root may read every store.
    pub(super) fn app_to_look(&self) -> Result<App<'a>, Failure> {
        Ok(self.drafted_if_asked(self.open(self.directory())?))
    }

    fn open(&self, directory: StoreDirectory) -> Result<App<'a>, Failure> {
        let segment_bytes_max = match variable("POPUG_SEGMENT_BYTES")? {
            Some(text) => text
                .parse()
                .map_err(|_| Failure::usage("POPUG_SEGMENT_BYTES is not a whole number"))?,
            None => SEGMENT_BYTES_MAX,
        };
        let app = App::open(Opening {
            directory,
            environment: self.environment,
            notices: self.reporter,
            lock_wait: self.global.lock_wait,
            holder: self.holder(),
            segment_bytes_max,
        })?;
        if let Some(host) = &self.global.host {
            host.check_same(&app.directory)?;
        }
        self.reporter.detail(format_args!(
            "opened {}, as {} names it",
            app.directory.root().display(),
            self.global.store_from
        ));
        if app.log.role()?.is_none() {
            return Ok(app);
        }
        Ok(app.with_remote(&environment::log_access()?)?)
    }

    /// In a dry run no command can change the log.
    fn drafted_if_asked(&self, app: App<'a>) -> App<'a> {
        if self.global.dry_run {
            app.draft()
        } else {
            app
        }
    }

    /// The database that a command line names. Its password comes from the environment or from the
    /// password file, because others can see the words of a command.
    ///
    /// # Errors
    /// If the URL has a password, or POPUG_LOG_URL names another database.
    pub(super) fn shared_log(&self, url: &str) -> Result<Address, Failure> {
        let access = environment::log_access()?;
        let parse = |url: Option<&str>| {
            let url = url.map(str::to_owned);
            let pgpass = access.pgpass.clone();
            Access { url, pgpass }.address("")
        };
        let given = parse(Some(url))?;
        if Address::parse(url).is_ok_and(|address| address.has_password()) {
            let message = "the URL has a password, which others can see in the list of processes";
            return Err(Failure::usage(message)
                .hint("put the password into ~/.pgpass, or the whole URL into POPUG_LOG_URL"));
        }
        match access.url.as_deref() {
            None => Ok(given),
            named => {
                let named = parse(named)?;
                if named.shown() == given.shown() {
                    return Ok(named);
                }
                Err(Failure::usage("POPUG_LOG_URL names another database")
                    .hint("unset it, or name the same one"))
            }
        }
    }

    /// Opens the store and identifies the caller.
    ///
    /// # Errors
    /// If there is no store, or nobody is logged in.
    pub(super) fn store(&self) -> Result<OpenStore<'a>, Failure> {
        self.desk_in(self.app()?)
    }

    /// The same without a look at the remote.
    ///
    /// # Errors
    /// As [`Invocation::store`].
    pub(super) fn store_as_it_is(&self) -> Result<OpenStore<'a>, Failure> {
        self.desk_in(self.unfollowed(self.directory())?)
    }

    /// Identifies the caller in an open store.
    ///
    /// # Errors
    /// If nobody is logged in.
    pub(super) fn desk_in(&self, app: App<'a>) -> Result<OpenStore<'a>, Failure> {
        let index = app.index()?;
        let company = app.company(&index)?;
        let caller = app
            .identify(&index, &self.proof(company.id)?)
            .map_err(|error| self.not_identified(error))?;
        self.reporter.detail(format_args!(
            "{} is at event {}; you are {}, {}, by {}",
            company.name,
            index.checkpoint()?.sequence,
            caller.user.login,
            caller.user.role,
            self.means_of_proof()
        ));
        Ok(OpenStore {
            app,
            index,
            company,
            caller,
        })
    }

    /// A session file that this account may not read counts as no session.
    fn not_identified(&self, error: AppError) -> Failure {
        match error {
            AppError::Credential(CredentialError::Io { path, source, .. })
                if source.kind() == io::ErrorKind::PermissionDenied
                    && self
                        .state_directory()
                        .is_some_and(|directory| path.starts_with(directory)) =>
            {
                let message = format!(
                    "nobody is logged in: the session {} cannot be read: {source}",
                    path.display()
                );
                Failure::new(Exit::NotAllowed, "not_logged_in", message)
                    .hint("put a token into POPUG_TOKEN, or name a directory of your own in XDG_STATE_HOME and log in")
            }
            other => other.into(),
        }
    }

    /// The reason for the caller that [`Invocation::proof`] gives.
    fn means_of_proof(&self) -> &'static str {
        if self.global.act_as.is_some() {
            return "--as";
        }
        let names = ["POPUG_TOKEN", "POPUG_TOKEN_FILE"];
        let is_set = |name: &&str| environment::path(name).is_some();
        names.into_iter().find(is_set).unwrap_or("the session")
    }

    fn proof(&self, company: CompanyId) -> Result<Proof, Failure> {
        if let Some(login) = &self.global.act_as {
            if let Some(user) = self
                .global
                .host
                .as_ref()
                .and_then(|host| host.proven(company, login))
            {
                return Ok(Proof::Earlier(user));
            }
            let password = prompt::password(self.global, &format!("Password of {login}: "))?;
            return Ok(Proof::Password {
                login: login.clone(),
                password,
            });
        }
        Ok(match self.token()? {
            Some(token) => Proof::Token(token),
            None => Proof::Session(self.sessions(company)),
        })
    }

    /// Whether the caller gave their password for this line, and not when the shell began.
    pub(super) fn proves_by_this_line(&self, store: &OpenStore<'_>) -> bool {
        let global = self.global;
        global.act_as.as_ref().is_some_and(|login| {
            let host = global.host.as_ref();
            host.is_none_or(|host| host.proven(store.company.id, login).is_none())
        })
    }

    /// The token of POPUG_TOKEN or POPUG_TOKEN_FILE, which takes precedence over the session; in a
    /// restricted shell that of the shell.
    ///
    /// # Errors
    /// As [`secret`].
    pub(super) fn token(&self) -> Result<Option<TokenText>, Failure> {
        if let Some(restriction) = self.global.restriction() {
            return Ok(restriction.token.clone());
        }
        Ok(secret("POPUG_TOKEN", "POPUG_TOKEN_FILE")?.map(|token| TokenText::new(&token)))
    }

    /// The id of the token or session that identifies the caller; `None` if a password does.
    pub(super) fn present_token(&self, store: &OpenStore<'_>) -> Result<Option<TokenId>, Failure> {
        if self.global.act_as.is_some() {
            return Ok(None);
        }
        let token = match self.token()? {
            Some(token) => Some(token),
            None => self.sessions(store.company.id).load()?,
        };
        let Some(token) = token else { return Ok(None) };
        let now = store.app.environment.system_now();
        let claims = store.app.auth(&store.index)?.tokens().verify(&token, now)?;
        Ok(Some(claims.token_id))
    }

    pub(super) fn sessions(&self, company: CompanyId) -> Sessions {
        Sessions::in_directory(self.state_directory(), company)
    }

    /// The directory for the sessions and the history of this Unix user, under `sudo` of the
    /// calling user; `None` if there can be none, as for accounts whose home is `/dev/null`.
    pub(super) fn state_directory(&self) -> Option<PathBuf> {
        wanted_state_directory().filter(|path| in_the_way(path).is_none())
    }

    /// # Errors
    /// If a session could not be stored because another file is in the place of its directory.
    pub(super) fn check_place_of_session(&self) -> Result<(), Failure> {
        match wanted_state_directory().as_deref().and_then(in_the_way) {
            None => Ok(()),
            Some(path) => {
                let message = format!(
                    "there is no place to keep a session: {} is not a directory",
                    path.display()
                );
                Err(Failure::new(Exit::Failure, "credentials", message)
                    .hint("name a directory of your own in XDG_STATE_HOME, or put a token into POPUG_TOKEN"))
            }
        }
    }

    /// Carries out a command as the caller.
    pub(super) fn execute(
        &self,
        store: &OpenStore<'_>,
        command: &Command,
    ) -> Result<Outcome, AppError> {
        let (index, caller) = (&store.index, store.caller.user.id);
        store.app.execute_on(index, caller, command, &self.manner())
    }

    /// The same; at a terminal only if the user agrees to the plan.
    pub(super) fn execute_if_agreed(
        &self,
        store: &OpenStore<'_>,
        command: &Command,
    ) -> Result<Outcome, Failure> {
        self.ask_before(store, |draft| {
            let outcome = self.execute(draft, command)?;
            Ok(!outcome.replayed && !outcome.events.is_empty())
        })?;
        Ok(self.execute(store, command)?)
    }

    pub(super) fn manner(&self) -> Manner {
        Manner {
            key: self.global.key.clone(),
        }
    }
}
