//! Mails by SMTP: several at a time, over connections that are kept for the next mails.
//!
//! Invariant: a connection is kept only after the server has accepted a mail on it. A connection
//! whose conversation broke off is dropped, so no answer can be taken for the answer to another
//! mail. lettre's own pool would keep a connection after a timeout, and would read the late answer
//! as that to the next mail.
//!
//! Callers are not asynchronous; the runtime is in here. A failure before a mail is offered (no
//! connection, no encryption, a wrong password) says nothing about the mail and is transient.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{error::Error as _, io};

use futures_util::stream::{self, StreamExt};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::domain::displayed::Displayed;
use crate::domain::event::Transport;
use crate::mail::compose::ComposedMail;
use crate::mail::settings::SmtpServer;
use crate::mail::transport::{Delivery, MailTransport, SendError};

/// Connections open at the same time.
const CONNECTIONS_MAX: usize = 8;
const ANSWER_CHARS_MAX: usize = 300;
const GOODBYE: Duration = Duration::from_secs(1);

/// Must not be used or dropped inside an asynchronous task.
pub struct SmtpTransport {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    server: SmtpServer,
    kept: Mutex<Vec<AsyncSmtpConnection>>,
}

impl SmtpTransport {
    /// Connects when the first mail is sent.
    ///
    /// # Errors
    /// If the operating system gives no event queue.
    pub fn new(server: SmtpServer) -> io::Result<SmtpTransport> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(SmtpTransport {
            runtime: Some(runtime),
            server,
            kept: Mutex::new(Vec::new()),
        })
    }

    /// Sends one mail. Returns the words with which the server accepted it, in one line that is safe
    /// for a terminal.
    ///
    /// # Errors
    /// As a mail of [`MailTransport::send_all`].
    pub fn send_one(&self, mail: &ComposedMail) -> Result<String, SendError> {
        let runtime = self.runtime.as_ref().expect("there until it is dropped");
        let answer = runtime.block_on(self.send(mail))?;
        let words: Vec<&str> = answer.message().collect();
        Ok(format!("{} {}", answer.code(), one_line(&words.join(" "))))
    }

    /// The server as `host:port`.
    pub fn server(&self) -> &SmtpServer {
        &self.server
    }

    /// The answer with which the server accepted the mail.
    async fn send(&self, mail: &ComposedMail) -> Result<Response, SendError> {
        let mut connection = self.connection().await?;
        let conversation = connection.send(mail.envelope(), mail.bytes());
        match timeout(self.server.patience, conversation).await {
            Ok(Ok(answer)) => {
                self.kept().push(connection);
                Ok(answer)
            }
            Ok(Err(error)) => Err(self.refused(&error)),
            Err(_) => Err(self.no_answer()),
        }
    }

    /// A kept connection that still answers, or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, SendError> {
        while let Some(mut kept) = self.take_kept() {
            match timeout(self.server.patience, kept.test_connected()).await {
                Ok(true) => return Ok(kept),
                Ok(false) => {}
                // The other kept connections will not answer either, and waiting for each in turn
                // would add up.
                Err(_) => self.kept().clear(),
            }
        }
        timeout(self.server.patience, self.connect())
            .await
            .map_err(|_| self.no_answer())?
    }

    fn kept(&self) -> MutexGuard<'_, Vec<AsyncSmtpConnection>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Releases the list at once, so that the connection is tried without the list's lock.
    fn take_kept(&self) -> Option<AsyncSmtpConnection> {
        self.kept().pop()
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let server = &self.server;
        let (address, hello) = ((server.host.as_str(), server.port), ClientId::default());
        let wrapper = if let Tls::Wrapper(parameters) = &server.tls {
            Some(parameters.clone())
        } else {
            None
        };
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            address,
            Some(server.patience),
            &hello,
            wrapper,
            None,
        )
        .await
        .map_err(|error| {
            SendError::Transient(format!("cannot connect to {server}: {}", reason(&error)))
        })?;
        let upgrade = match &server.tls {
            Tls::Required(parameters) => Some(parameters),
            Tls::Opportunistic(parameters) => {
                Some(parameters).filter(|_| connection.can_starttls())
            }
            Tls::None | Tls::Wrapper(_) => None,
        };
        if let Some(parameters) = upgrade {
            connection
                .starttls(parameters.clone(), &hello)
                .await
                .map_err(|error| {
                    SendError::Transient(format!(
                        "cannot encrypt with {server}: {}",
                        reason(&error)
                    ))
                })?;
        }
        self.log_in(&mut connection).await?;
        Ok(connection)
    }

    /// The server's answer to a wrong password is not repeated, because it may quote the password.
    async fn log_in(&self, connection: &mut AsyncSmtpConnection) -> Result<(), SendError> {
        let Some(credentials) = &self.server.credentials else {
            return Ok(());
        };
        let Err(error) = connection.auth(DEFAULT_MECHANISMS, credentials).await else {
            return Ok(());
        };
        let server = &self.server;
        Err(SendError::Transient(match error.status() {
            Some(code) => format!("{server} did not accept the user name and password ({code})"),
            None if error.is_client() => {
                format!("{server} offers no login with a password")
            }
            None => format!("{server} broke off the login"),
        }))
    }

    fn refused(&self, error: &SmtpError) -> SendError {
        let (server, reason) = (&self.server, reason(error));
        if error.is_permanent() {
            SendError::Permanent(format!("{server} refused the mail: {reason}"))
        } else if error.is_client() {
            SendError::Permanent(format!("{server} cannot take the mail: {reason}"))
        } else if error.is_transient() {
            SendError::Transient(format!("{server} did not take the mail for now: {reason}"))
        } else {
            SendError::Transient(format!("{server} broke off the conversation: {reason}"))
        }
    }

    fn no_answer(&self) -> SendError {
        SendError::Transient(format!(
            "{} did not answer within {:?}",
            self.server, self.server.patience
        ))
    }
}

impl MailTransport for SmtpTransport {
    fn kind(&self) -> Transport {
        Transport::Smtp
    }

    fn send_all(&self, mails: &[ComposedMail]) -> Vec<Result<Delivery, SendError>> {
        let runtime = self.runtime.as_ref().expect("there until it is dropped");
        let sending = stream::iter(mails.iter().enumerate())
            .map(|(place, mail)| async move { (place, self.send(mail).await) })
            .buffer_unordered(CONNECTIONS_MAX);
        let mut results: Vec<_> = runtime.block_on(sending.collect());
        results.sort_unstable_by_key(|(place, _)| *place);
        let accepted = |result: Result<_, _>| result.map(|_| Delivery::Sent);
        results
            .into_iter()
            .map(|(_, result)| accepted(result))
            .collect()
    }
}

/// Says goodbye to the server, but waits only briefly for its answer, or for a name to resolve.
impl Drop for SmtpTransport {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        let kept = std::mem::take(self.kept.get_mut().unwrap_or_else(PoisonError::into_inner));
        let goodbye = stream::iter(kept).for_each_concurrent(None, |mut connection| async move {
            connection.abort().await;
        });
        // The answer does not matter.
        let _ = runtime.block_on(async { timeout(GOODBYE, goodbye).await });
        runtime.shutdown_background();
    }
}

/// The code and text of the server's answer, in one line that is safe for a terminal.
fn reason(error: &SmtpError) -> String {
    let words = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    match error.status() {
        Some(code) => format!("{code} {}", one_line(&words)),
        None => one_line(&words),
    }
}

/// The beginning of an answer in one line.
fn one_line(words: &str) -> String {
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().take(ANSWER_CHARS_MAX).collect();
    Displayed(&short).to_string()
}

#[cfg(test)]
mod tests;
