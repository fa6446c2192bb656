//! `user register`, `invite`, `update`, `set-role`, `set-password`, `deactivate`, `reactivate`, `list`, `show`

mod invite;

use clap::{Args, Subcommand};

use crate::app::command::{Command, known_user};
use crate::app::write::Outcome;
use crate::cli::answer::Answer;
use crate::cli::commands::task::hand_over::Moved;
use crate::cli::failure::{Exit, Failure};
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::nature::Nature;
use crate::cli::prompt;
use crate::cli::rows::RowArgs;
use crate::credentials::Password;
use crate::credentials::passwords::check_length;
use crate::domain::displayed::Displayed;
use crate::domain::event::Event;
use crate::domain::role::Role;
use crate::domain::user::{self, User as Person};
use crate::reports::render::Format;
use crate::reports::table::{Table, TableBuilder};
use crate::turn::Notices;

#[derive(Subcommand, Debug)]
pub(crate) enum User {
    /// Register a user
    Register(Register),
    /// Make a one-time code with which a user chooses a password
    Invite(invite::Invite),
    /// Change the name or e-mail address of a user
    Update(Update),
    /// Change the role of a user
    SetRole(SetRole),
    /// Set your own password, or as an admin the password of any user
    SetPassword(SetPassword),
    /// Deactivate a user: they cannot log in, their open tasks go to others; their earnings are still paid
    Deactivate(Deactivate),
    /// Reactivate a user
    Reactivate(Reactivate),
    /// List all users
    List(List),
    /// Show one user
    Show(Show),
}

#[derive(Args, Debug)]
pub(crate) struct Register {
    /// 1 to 64 of a-z, 0-9, `.`, `_` and `-`; cannot be changed later
    #[arg(long)]
    login: String,
    /// Full name
    #[arg(long, allow_hyphen_values = true)]
    name: String,
    /// E-mail address
    #[arg(long, allow_hyphen_values = true)]
    email: String,
    /// admin, manager, accountant, developer, worker or service
    #[arg(long)]
    role: String,
    /// Read the password from stdin; a user without a password cannot log in
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Update {
    /// Login or id; the first characters of the id are enough, at least 4
    user: String,
    /// New full name
    #[arg(long, allow_hyphen_values = true)]
    name: Option<String>,
    /// New e-mail address
    #[arg(long, allow_hyphen_values = true)]
    email: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct SetRole {
    /// Login or id; the first characters of the id are enough, at least 4
    user: String,
    /// admin, manager, accountant, developer, worker or service
    role: String,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Your own password is set only with the present one: it is asked for, or read from POPUG_PASSWORD, or proven by --as.\n\
        A new password ends all sessions and tokens of the user, except for the one with which you set your own."
)]
pub(crate) struct SetPassword {
    /// Login or id; the first characters of the id are enough, at least 4; by default you
    user: Option<String>,
    /// Read the password from stdin
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "The open tasks of the user are drawn anew in the same step, and the answer lists who got which. They stay with\n\
        the user if nobody else can be drawn, or with --keep-tasks; `popug-cli task hand-over LOGIN` hands them over later."
)]
pub(crate) struct Deactivate {
    /// Login or id; the first characters of the id are enough, at least 4
    user: String,
    /// The reason
    #[arg(long, allow_hyphen_values = true)]
    reason: Option<String>,
    /// Leave the user's open tasks with the user
    #[arg(long)]
    keep_tasks: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Reactivate {
    /// Login or id; the first characters of the id are enough, at least 4
    user: String,
    /// The reason
    #[arg(long, allow_hyphen_values = true)]
    reason: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    rows: RowArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// Login or id; the first characters of the id are enough, at least 4
    user: String,
}

impl User {
    pub(crate) const fn nature(&self) -> Nature {
        match self {
            User::Register(_) | User::Invite(_) => Nature::DOES_AND_ANSWERS,
            User::Update(_) | User::SetRole(_) | User::SetPassword(_) => Nature::DOES,
            User::Deactivate(_) | User::Reactivate(_) => Nature::DOES,
            User::List(_) | User::Show(_) => Nature::ASKS,
        }
    }

    pub(crate) fn run(self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let store = invocation.store()?;
        match self {
            User::Register(command) => command.run(invocation, &store),
            User::Invite(command) => command.run(invocation, &store),
            User::Update(Update { user, name, email }) => {
                let change = user::Change {
                    full_name: name,
                    email,
                };
                let outcome = invocation.execute(&store, &Command::ChangeUser { user, change })?;
                invocation.emit_outcome(&store, || say_changed(invocation, &outcome, &[]))?;
                warn_of_namesakes(invocation, &store, &outcome)?;
                Ok(Exit::Done)
            }
            User::SetRole(SetRole { user, role }) => {
                let role = user::SetRole { role };
                let command = Command::SetRole { user, change: role };
                let outcome = invocation.execute_if_agreed(&store, &command)?;
                invocation.emit_outcome(&store, || say_changed(invocation, &outcome, &[]))?;
                Ok(Exit::Done)
            }
            User::SetPassword(command) => command.run(invocation, &store),
            User::Deactivate(Deactivate {
                user,
                reason,
                keep_tasks,
            }) => {
                let change = user::Deactivate { reason, keep_tasks };
                let command = Command::DeactivateUser { user, change };
                let outcome = invocation.execute_if_agreed(&store, &command)?;
                let moved = Moved::by(&store, &outcome);
                invocation.emit_outcome(&store, || say_changed(invocation, &outcome, &moved))?;
                Ok(Exit::Done)
            }
            User::Reactivate(Reactivate { user, reason }) => {
                let back = user::Reactivate { reason };
                change(
                    invocation,
                    &store,
                    Command::ReactivateUser { user, change: back },
                )
            }
            User::List(List { rows }) => {
                let users = store.index.users()?;
                let table = with_passwords(invocation, &store, &users, table(&store, &users));
                invocation.emit_list(&store, rows, "users", table.build())?;
                Ok(Exit::Done)
            }
            User::Show(Show { user }) => show(invocation, &store, &user),
        }
    }
}

impl Register {
    fn run(self, invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<Exit, Failure> {
        let Register {
            login,
            name,
            email,
            role,
            password_stdin,
        } = self;
        let password = password_stdin
            .then(|| prompt::new_password(invocation.global, true, &login))
            .transpose()?;
        if let Some(password) = &password {
            check_length(password)?;
        }
        let command = Command::RegisterUser(user::Register {
            login,
            full_name: name,
            email,
            role,
        });
        let password = match password.filter(|_| !invocation.global.dry_run) {
            // Opened first, so that no user is registered whose password cannot be stored.
            Some(password) => Some((store.app.auth(&store.index)?, password)),
            None => None,
        };
        let outcome = invocation.execute(store, &command)?;
        let Some((sequence, Event::UserRegistered(registered))) = outcome.events.first() else {
            return Ok(Exit::Done);
        };
        if let Some((auth, password)) = password {
            auth.passwords()
                .set_password(registered.user_id, &password)?;
        }
        invocation.emit_outcome(store, || {
            let row = Table::builder()
                .text("user_id", [Some(registered.user_id.to_string())])
                .text("login", [Some(&registered.login)])
                .int("sequence", [Some(sequence.0)])
                .bool("replayed", [Some(outcome.replayed)]);
            let deed = format!("{} was registered, event {sequence}", registered.login);
            invocation.answer(&Answer::done(row, format!("{}\n", registered.user_id)).deed(deed))
        })?;
        warn_of_namesakes(invocation, store, &outcome)?;
        if !password_stdin && !outcome.replayed && !invocation.global.dry_run {
            invocation.reporter.note(&format!(
                "{login} cannot log in yet: `popug-cli user invite {login}` makes a one-time code",
                login = registered.login
            ));
        }
        Ok(Exit::Done)
    }
}

fn change(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
    command: Command,
) -> Result<Exit, Failure> {
    let outcome = invocation.execute(store, &command)?;
    invocation.emit_outcome(store, || say_changed(invocation, &outcome, &[]))?;
    Ok(Exit::Done)
}

/// An address or a name that two users share is likely a mistake: pay mails go to the wrong person.
fn warn_of_namesakes(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
    outcome: &Outcome,
) -> Result<(), Failure> {
    let user = match outcome.events.first() {
        Some((_, Event::UserRegistered(e))) => e.user_id,
        Some((_, Event::UserChanged(e))) => e.user_id,
        _ => return Ok(()),
    };
    if outcome.replayed {
        return Ok(());
    }
    for (other, shared) in store.app.namesakes(&store.index, user)? {
        let login = &other.login;
        invocation
            .reporter
            .warn(&format!("{login} has `{shared}` too; is that a mistake?"));
    }
    Ok(())
}

/// A column for people who can help: which users have no password.
fn with_passwords(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
    users: &[Person],
    table: TableBuilder,
) -> TableBuilder {
    if invocation.format() != Format::Table || store.caller.user.role != Role::Admin {
        return table;
    }
    match store
        .app
        .auth(&store.index)
        .map(|auth| auth.passwords().holders())
    {
        Ok(Ok(holders)) => {
            let lack = |user: &Person| (!holders.contains(&user.id)).then_some("none");
            table.text("password", users.iter().map(lack))
        }
        // The list is not about passwords.
        _ => table,
    }
}

fn say_changed(
    invocation: &Invocation<'_>,
    outcome: &Outcome,
    moved: &[Moved],
) -> Result<(), Failure> {
    let sequence = outcome.events.first().map(|(sequence, _)| *sequence);
    if sequence.is_none() {
        invocation.reporter.note("nothing to change");
    }
    let row = Table::builder()
        .bool("changed", [Some(sequence.is_some())])
        .int("sequence", [sequence.map(|sequence| sequence.0)])
        .bool("replayed", [Some(outcome.replayed)]);
    invocation.answer(&if moved.is_empty() {
        Answer::done(row, "")
    } else {
        Moved::told(moved, row)?
    })
}

impl SetPassword {
    fn run(self, invocation: &Invocation<'_>, store: &OpenStore<'_>) -> Result<Exit, Failure> {
        let user = store
            .app
            .holder(&store.caller, &store.index, self.user.as_deref())?;
        let read = self
            .password_stdin
            .then(|| prompt::new_password(invocation.global, true, &user.login));
        let read = read.transpose()?;
        read.as_ref().map(check_length).transpose()?;
        let is_own = user.id == store.caller.user.id;
        let present = if is_own {
            present_password(invocation, store)?
        } else {
            None
        };
        // POPUG_PASSWORD proves who asks, so it cannot be the new password too.
        let proves = invocation.global.act_as.is_some() || present.is_some();
        let new = match read {
            Some(read) => read,
            None if proves => prompt::ask_new(invocation.global, &user.login)?,
            None => prompt::new_password(invocation.global, false, &user.login)?,
        };
        check_length(&new)?;
        if invocation.only_says(|| format!("the password of {} would be set", user.login)) {
            return Ok(Exit::Done);
        }
        let kept = if is_own {
            invocation.present_token(store)?
        } else {
            None
        };
        let (app, index) = (&store.app, &store.index);
        let ended = app.set_password(index, user.id, present.as_ref(), &new, kept)?;
        let set = format!("the password of {} is set", user.login);
        match ended {
            0 => invocation.reporter.note(&set),
            1 => invocation
                .reporter
                .note(&format!("{set}; 1 session or token was ended")),
            _ => invocation
                .reporter
                .note(&format!("{set}; {ended} sessions and tokens were ended")),
        }
        Ok(Exit::Done)
    }
}

/// The present password of the caller; `None` if this line has proven it with `--as`.
fn present_password(
    invocation: &Invocation<'_>,
    store: &OpenStore<'_>,
) -> Result<Option<Password>, Failure> {
    let (global, user) = (invocation.global, &store.caller.user);
    if invocation.proves_by_this_line(store) {
        return Ok(None);
    }
    if !store.app.auth(&store.index)?.passwords().has(user.id)? {
        let message = format!(
            "{} has no password, and a token alone sets none",
            user.login
        );
        return Err(
            Failure::new(Exit::NotAllowed, "no_password", message).hint(format!(
                "another admin makes a one-time code: `popug-cli user invite {}`",
                user.login
            )),
        );
    }
    let question = format!("Present password of {}: ", user.login);
    let remedy =
        "it is the present password: put it into POPUG_PASSWORD, or let an admin set a new one";
    let asked = prompt::password(global, &question);
    asked.map(Some).map_err(|failure| failure.hint(remedy))
}

fn table(store: &OpenStore<'_>, users: &[Person]) -> TableBuilder {
    Table::builder()
        .text(
            "user_id",
            users.iter().map(|user| Some(user.id.to_string())),
        )
        .text("login", users.iter().map(|user| Some(&user.login)))
        .text("name", users.iter().map(|user| Some(&user.full_name)))
        .text(
            "email",
            users.iter().map(|user| store.caller.email_of(user)),
        )
        .text("role", users.iter().map(|user| Some(user.role.name())))
        .bool("active", users.iter().map(|user| Some(user.active)))
}

fn show(invocation: &Invocation<'_>, store: &OpenStore<'_>, name: &str) -> Result<Exit, Failure> {
    let user = known_user(&store.index, name)?;
    let email = store.caller.email_of(&user);
    let lines = format!(
        "login:  {}\nname:   {}\nemail:  {}\nrole:   {}\nactive: {}\nid:     {}\n",
        user.login,
        Displayed(&user.full_name),
        Displayed(email.unwrap_or("(hidden)")),
        user.role,
        if user.active { "yes" } else { "no" },
        user.id
    );
    invocation.answer(&Answer::shown(
        table(store, std::slice::from_ref(&user)),
        lines,
    ))?;
    Ok(Exit::Done)
}
