//! `consume`

use std::time::Duration;

use clap::Args;

use crate::app::App;
use crate::cli::failure::{Exit, Failure};
use crate::cli::global::Named;
use crate::cli::invocation::{Invocation, OpenStore};
use crate::cli::mail_settings;
use crate::cli::nature::Nature;
use crate::cli::signals::Signals;
use crate::cli::unsent_mails::Teller;
use crate::consumers::Consumed;
use crate::consumers::notifier::MailRoutes;
use crate::domain::event::Consumer;
use crate::reports::table::Table;

/// The pause of `--follow` between two looks for new events.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

const DRY_RUN: &str = "\
With -n nothing is stored and no mail is sent. The events that accounting would append are printed;
those of the notifier are not, because only sending a mail shows whether the server accepts it.";

#[derive(Args, Debug)]
#[command(after_help = DRY_RUN)]
pub(crate) struct Consume {
    /// tracker, accounting, analytics or notifier; by default all of them
    #[arg(value_parser = Named::new(parse_consumer, Consumer::ALL.map(Consumer::name)), hide_possible_values = true)]
    consumers: Vec<Consumer>,
    /// Continue with new events until SIGINT, SIGTERM or SIGHUP
    #[arg(long)]
    follow: bool,
    /// Rebuild the tables from the first event beside the live ones
    #[arg(long)]
    rebuild: bool,
    /// Also send the mails of imported and restored history, which otherwise stay in the outbox
    #[arg(long)]
    send_imported: bool,
}

fn parse_consumer(text: &str) -> Result<Consumer, String> {
    Consumer::named(text).ok_or_else(|| {
        let names = Consumer::ALL.map(Consumer::name);
        format!("the consumers are {}", names.join(", "))
    })
}

impl Consume {
    pub(crate) const fn nature(&self) -> Nature {
        if self.follow {
            Nature::DOES
        } else {
            Nature::DOES_AND_ANSWERS
        }
    }

    pub(crate) fn run(mut self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        let is_all = self.consumers.is_empty();
        if is_all {
            self.consumers = Consumer::ALL.to_vec();
            let sends = invocation.global.restriction().is_none();
            self.consumers
                .retain(|consumer| sends || *consumer != Consumer::Notifier);
        }
        if invocation.global.dry_run {
            return self.show_beforehand(invocation);
        }
        let app = invocation.app()?;
        if is_all && !self.rebuild && !app.sends_mails()? {
            // Two stores that send mails would send from two outboxes.
            self.consumers
                .retain(|consumer| *consumer != Consumer::Notifier);
        }
        if self.rebuild && self.consumers.contains(&Consumer::Tracker) {
            // The caller is looked up in the index, so an index that cannot follow the log is
            // rebuilt first.
            app.rebuild(Consumer::Tracker)?;
        }
        let store = invocation.desk_in(app)?;
        if self.rebuild {
            for consumer in &self.consumers {
                if *consumer != Consumer::Tracker {
                    store.app.rebuild(*consumer)?;
                }
            }
        }
        let routes = if self.consumers.contains(&Consumer::Notifier) {
            mail_settings::routes(invocation.global, &store, self.send_imported)?
        } else {
            mail_settings::files_only(&store)?
        };
        // A mail that could not be sent is no failure of the command, so it is reported separately.
        let mut teller = self
            .consumers
            .contains(&Consumer::Notifier)
            .then(|| Teller::before(&store.app));
        if self.follow {
            return self.follow(invocation, &store.app, &routes, teller);
        }
        let consumed = store.app.consume(&self.consumers, &routes);
        invocation.reporter.finish();
        if let Some(teller) = &mut teller {
            teller.tell(&store.app, invocation.reporter);
        }
        self.show(invocation, &store, &consumed?)?;
        Ok(Exit::Done)
    }

    /// Shows the events that accounting would append. The tracker and analytics append none, and those of the notifier are
    /// known only after the mails are sent.
    fn show_beforehand(&self, invocation: &Invocation<'_>) -> Result<Exit, Failure> {
        if self.rebuild {
            return Err(Failure::usage(
                "a rebuild appends nothing, so it has no dry run",
            ));
        }
        if self.follow {
            return Err(Failure::usage(
                "a dry run appends nothing, so it has nothing to follow",
            ));
        }
        let store = invocation.store()?;
        if self.consumers.contains(&Consumer::Accounting) {
            store.app.consume_accounting()?;
        }
        invocation.reporter.finish();
        invocation.emit_outcome(&store, || Ok(()))?;
        Ok(Exit::Done)
    }

    fn follow(
        &self,
        invocation: &Invocation<'_>,
        app: &App<'_>,
        routes: &MailRoutes,
        mut teller: Option<Teller>,
    ) -> Result<Exit, Failure> {
        let signals = Signals::listen()?;
        let mut is_first = true;
        loop {
            let consumed = app.consume(&self.consumers, routes)?;
            invocation.reporter.finish();
            let is_sent = |consumed: &Consumed| {
                consumed.consumer == Consumer::Notifier && consumed.appended > 0
            };
            if let Some(teller) = teller
                .as_mut()
                .filter(|_| is_first || consumed.iter().any(is_sent))
            {
                teller.tell(app, invocation.reporter);
            }
            is_first = false;
            if let Some(signal) = signals.wait(LOOK_AGAIN) {
                return Ok(signal.exit());
            }
        }
    }

    fn show(
        &self,
        invocation: &Invocation<'_>,
        store: &OpenStore<'_>,
        rows: &[Consumed],
    ) -> Result<(), Failure> {
        let table = Table::builder()
            .text("consumer", rows.iter().map(|row| Some(row.consumer.name())))
            .int("from", rows.iter().map(|row| Some(row.from.0)))
            .int("to", rows.iter().map(|row| Some(row.to.0)))
            .int("applied", rows.iter().map(|row| Some(row.applied)))
            .int("appended", rows.iter().map(|row| Some(row.appended)))
            .build();
        invocation.emit_done(store, "consume", table)
    }
}
