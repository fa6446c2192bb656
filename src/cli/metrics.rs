//! Numbers in the text format of Prometheus, which the textfile collector of its node exporter reads.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::{Display, Write as _};

use crate::app::status::{ConsumerStatus, Status};

/// The metrics of a store; each name begins with `popug_`.
#[derive(Clone, Default)]
pub(super) struct Metrics {
    text: String,
}

impl Metrics {
    /// What `status` knows.
    pub(super) fn of(status: &Status) -> Metrics {
        let mut metrics = Metrics::default();
        let head = &status.head;
        metrics.gauge("log_sequence", "Sequence of the last event", head.sequence);
        let time = head.time.micros() / 1_000_000;
        metrics.gauge(
            "log_time_seconds",
            "Time of the last event, since 1970",
            time,
        );
        let behind = status.clock_behind_seconds;
        metrics.gauge(
            "clock_behind_seconds",
            "Time by which the clock is behind it",
            behind,
        );
        if let Some(open) = status.open_dates {
            metrics.gauge(
                "open_dates",
                "Dates that are over and not closed",
                open.count,
            );
            let help = "Time since the end of the first of them";
            metrics.gauge("close_age_seconds", help, open.age_seconds);
        }
        let consumers = &status.consumers;
        let value = |row: &ConsumerStatus| row.sequence.map(|sequence| sequence.0);
        metrics.by_consumer("sequence", "Last event that it has read", consumers, value);
        let value = |row: &ConsumerStatus| row.lag_events;
        metrics.by_consumer(
            "lag_events",
            "Events that it has not read",
            consumers,
            value,
        );
        let value = |row: &ConsumerStatus| Some(row.lag_seconds.max(0).unsigned_abs());
        metrics.by_consumer("lag_seconds", "Age of the first of them", consumers, value);
        let value = |row: &ConsumerStatus| Some(row.set_aside);
        metrics.by_consumer(
            "set_aside",
            "Events that are set aside for it",
            consumers,
            value,
        );
        let value = |row: &ConsumerStatus| Some(u64::from(row.last_error.is_some()));
        metrics.by_consumer(
            "stopped",
            "1 if it stops or cannot be read",
            consumers,
            value,
        );
        if let Some(mails) = &status.mails {
            let waiting = mails.untried + mails.retrying;
            metrics.gauge("mails_waiting", "Pay mails that will be sent", waiting);
            metrics.gauge("mails_failed", "Pay mails that were given up", mails.failed);
        }
        metrics
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, help);
        let _ = writeln!(self.text, "popug_{name} {value}");
    }

    fn by_consumer(
        &mut self,
        name: &str,
        help: &str,
        consumers: &[ConsumerStatus],
        value: impl Fn(&ConsumerStatus) -> Option<u64>,
    ) {
        let name = format!("consumer_{name}");
        self.head(&name, help);
        for row in consumers {
            if let Some(value) = value(row) {
                let _ = writeln!(
                    self.text,
                    "popug_{name}{{consumer=\"{}\"}} {value}",
                    row.name
                );
            }
        }
    }

    fn head(&mut self, name: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP popug_{name} {help}");
        let _ = writeln!(self.text, "# TYPE popug_{name} gauge");
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}
