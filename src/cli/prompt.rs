//! Asks users. Nothing is asked unless stdin and stderr are terminals.

use std::io::{BufRead, IsTerminal, Read, Write};

use crate::cli::environment::variable;
use crate::cli::failure::Failure;
use crate::cli::global::Global;
use crate::credentials::Password;
use crate::credentials::passwords::PASSWORD_BYTES_MAX;
use crate::domain::displayed::Displayed;
use crate::domain::rejection::Rejection;

const PASSWORD: &str = "POPUG_PASSWORD";
/// The most bytes of a password that are read from stdin; more than any password may have.
const LINE_BYTES_MAX: u64 = 4 * PASSWORD_BYTES_MAX as u64;

/// Whether a user can be asked.
pub(super) fn may_ask(global: &Global) -> bool {
    !global.no_input && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// The password of the acting user: POPUG_PASSWORD or a prompt.
///
/// # Errors
/// If there is neither.
pub(super) fn password(global: &Global, question: &str) -> Result<Password, Failure> {
    if let Some(password) = variable(PASSWORD)? {
        return Ok(Password::new(password));
    }
    ask(global, question)
}

/// A password to be set: the first line of stdin if `from_stdin`, otherwise POPUG_PASSWORD,
/// otherwise a prompt, twice.
///
/// # Errors
/// If there is none, or the two differ.
pub(super) fn new_password(
    global: &Global,
    from_stdin: bool,
    whose: &str,
) -> Result<Password, Failure> {
    if from_stdin {
        global.refuse_stdin_of_script("--password-stdin")?;
        return read_line();
    }
    if let Some(password) = variable(PASSWORD)? {
        return Ok(Password::new(password));
    }
    ask_new(global, whose)
}

/// A password to be set, from a prompt at a terminal, elsewhere from stdin.
///
/// # Errors
/// If it cannot be read, or the two typed ones differ.
pub(super) fn chosen_password(global: &Global, whose: &str) -> Result<Password, Failure> {
    if may_ask(global) {
        return ask_new(global, whose);
    }
    global.refuse_stdin_of_script("a new password")?;
    read_line()
}

/// Asks twice for a password to be set.
///
/// # Errors
/// If nobody can be asked, or the two differ.
pub(super) fn ask_new(global: &Global, whose: &str) -> Result<Password, Failure> {
    let first = ask(global, &format!("New password of {whose}: "))?;
    let again = ask(global, "The same again: ")?;
    if first == again {
        Ok(first)
    } else {
        Err(Failure::usage("the two passwords differ"))
    }
}

/// Asks for a text until `check` accepts it; an empty answer is the default, if there is one.
/// `None` if nobody can be asked.
///
/// # Errors
/// If stdin ends.
pub(super) fn text(
    global: &Global,
    question: &str,
    default: Option<&str>,
    check: impl Fn(&str) -> Result<(), Rejection>,
) -> Result<Option<String>, Failure> {
    if !may_ask(global) {
        return Ok(None);
    }
    loop {
        let shown = default.map_or_else(String::new, |default| format!(" [{default}]"));
        say(&format!("{question}{shown}: "), "")?;
        let mut answer = String::new();
        if std::io::stdin().lock().read_line(&mut answer)? == 0 {
            return Err(Failure::usage("stdin ended before everything was answered"));
        }
        let answer = match (answer.trim(), default) {
            ("", Some(default)) => default,
            (answer, _) => answer,
        };
        match check(answer) {
            Ok(()) => return Ok(Some(answer.to_owned())),
            Err(fault) => {
                let hint = fault
                    .hint()
                    .map_or_else(String::new, |hint| format!("; {hint}"));
                say(&format!("{fault}{hint}"), "\n")?;
            }
        }
    }
}

/// The password of another program, from the first line of stdin or a prompt.
///
/// # Errors
/// If there is neither.
pub(super) fn foreign_password(
    global: &Global,
    from_stdin: bool,
    question: &str,
) -> Result<Password, Failure> {
    if !from_stdin {
        return ask(global, question);
    }
    global.refuse_stdin_of_script("--password-stdin")?;
    read_line()
}

fn say(text: &str, end: &str) -> std::io::Result<()> {
    write!(std::io::stderr(), "{}{end}", Displayed(text))
}

/// Whether a user could be asked and said yes.
pub(super) fn confirm(global: &Global, question: &str) -> bool {
    if !may_ask(global) {
        return false;
    }
    let mut answer = String::new();
    let asked = std::io::stderr().write_all(question.as_bytes());
    let answered = asked.and_then(|()| std::io::stdin().lock().read_line(&mut answer));
    answered.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "Yes")
}

fn ask(global: &Global, question: &str) -> Result<Password, Failure> {
    if !may_ask(global) {
        return Err(
            Failure::usage("a password is needed, but there is no terminal to ask for it").hint(
                format!("set {PASSWORD}, or use --password-stdin where a command takes it"),
            ),
        );
    }
    let typed = rpassword::prompt_password(Displayed(question).to_string())
        .map_err(|error| Failure::usage(format!("the password cannot be read: {error}")))?;
    Ok(Password::new(typed))
}

/// Reads no more than a password can have.
fn read_line() -> Result<Password, Failure> {
    let unreadable = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("the password cannot be read from stdin: {why}"))
    };
    let mut line = Vec::new();
    let read = std::io::stdin()
        .lock()
        .take(LINE_BYTES_MAX)
        .read_until(b'\n', &mut line);
    if read.map_err(|error| unreadable(&error))? as u64 == LINE_BYTES_MAX {
        return Ok(Password::new(String::from_utf8_lossy(&line)));
    }
    let line = String::from_utf8(line).map_err(|error| unreadable(&error))?;
    Ok(Password::new(line.trim_end_matches(['\r', '\n'])))
}
