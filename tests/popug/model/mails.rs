//! Pay mails (rule A9): the expected events of the notifier, and the mails in the outbox.
//!
//! After each run the mails that are recorded as sent are taken out. If one is there again, it was
//! sent twice.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::Date;
use mail_parser::MessageParser;
use serde_json::{Value, json};

use super::bookkeeping::Hand;
use super::books::{Books, date, text};
use super::decisions::stopped_at;
use super::letters::{ACCOUNTING, NOTIFIER};
use super::play::{Checked, Play, same, same_refusal};
use super::reports::money;
use super::rules::{Draft, draft};
use super::steps::Crash;

impl Play {
    pub fn notify(&mut self, crash: Option<Crash>) -> Checked {
        if self.books.lacks_what_mails_list() {
            return Ok(());
        }
        let (result, found) = self.killed_at(crash, |store| store.notify());
        let mails = self.books.mails_due();
        let stamp = if mails.is_empty() {
            Ok(self.books.last_time)
        } else {
            self.books.stamp(self.store.now())
        };
        let at = match (&result, stamp) {
            (Err(error), Err(refusal)) => return same_refusal(error, refusal, &found),
            (Ok(()), Err(refusal)) => {
                return Err(format!("the notifier was to be refused with {refusal:?}"));
            }
            (_, Ok(at)) => at,
        };
        // Accounting runs first if its tables are behind the payouts.
        let posted = found
            .iter()
            .take_while(|line| line["source"] == "/popug/accounting")
            .count();
        let reaction = self.books.reaction(at, &found[..posted]);
        self.appended(&reaction, &found[..posted], false)?;
        self.follow(&found[..posted], None);
        if let Err(error) = result {
            same(
                "where accounting stops",
                &stopped_at(&error),
                &self.books.stop().filter(|_| !mails.is_empty()),
            )?;
            return same("mails after a stop", &(found.len() - posted), &0);
        }
        // Mails of imported history are recorded at the time of the log's last event.
        let (history, present): (Vec<Value>, Vec<Value>) = mails.into_iter().partition(is_imported);
        let mut done = posted;
        for (mails, at) in [(history, self.books.last_time), (present, at)] {
            let found = &found[done..found.len().min(done + mails.len())];
            let drafts = mails.iter().map(|payout| self.books.mail(payout)).collect();
            let expected = self.books.lines(drafts, &Hand::Notifier, at, found);
            self.appended(&expected, found, crash.is_none())?;
            self.follow(found, None);
            done += found.len();
        }
        same(
            "events behind the mails that are due",
            &(found.len() - done),
            &0,
        )?;
        self.take_letters()
    }

    /// Takes the letters that are recorded as sent, and reads them.
    fn take_letters(&mut self) -> Checked {
        let mut lying = self.store.letters();
        let taken = self.taken.len();
        for mail in &self.books.mails[taken..] {
            let payout = text(&mail["payout_id"]);
            let path = lying
                .remove(&payout)
                .ok_or_else(|| format!("there is no letter for {payout}"))?;
            self.books.check_letter(&payout, &path)?;
            std::fs::remove_file(path).expect("a letter to take");
            self.taken.push(payout);
        }
        // A mail that was written and not recorded is written again, unchanged.
        let again: Vec<&String> = lying
            .keys()
            .filter(|payout| self.taken.contains(payout))
            .collect();
        same("letters that were sent before", &again, &vec![])?;
        let payouts: Vec<String> = self
            .books
            .payouts
            .iter()
            .map(|line| text(&line["data"]["payout_id"]))
            .collect();
        same(
            "letters of no payout",
            &lying
                .keys()
                .filter(|id| !payouts.contains(id))
                .collect::<Vec<_>>(),
            &vec![],
        )
    }
}

impl Books {
    /// Whether accounting leaves out entries, or tasks of entries, so that a mail could not list
    /// them.
    fn lacks_what_mails_list(&self) -> bool {
        let seen = self.seen_by(ACCOUNTING);
        let is_known = |id: &String| seen.tasks.iter().any(|task| task.id == *id);
        self.missing_from_the_books().is_some()
            || self
                .entries
                .iter()
                .any(|entry| entry.task.as_ref().is_some_and(|task| !is_known(task)))
    }

    /// The payouts without a mail, in their order, that the notifier does not leave out.
    fn mails_due(&self) -> Vec<Value> {
        let is_sent = |line: &&Value| {
            self.mails
                .iter()
                .any(|mail| mail["payout_id"] == line["data"]["payout_id"])
        };
        self.seen_by(NOTIFIER)
            .payouts
            .iter()
            .filter(|line| !is_sent(line))
            .cloned()
            .collect()
    }

    fn mail(&self, payout: &Value) -> Draft {
        let data = &payout["data"];
        let (payout_id, user_id) = (text(&data["payout_id"]), text(&data["user_id"]));
        let seen = self.seen_by(NOTIFIER);
        let sent = json!({
            "payout_id": payout_id, "user_id": user_id, "to": seen.user(&user_id).email,
            "message_id": format!("<{payout_id}@popug-cli.invalid>"), "transport": "file", "attempt": 1,
        });
        let id = Some(self.derived(&format!("mail/{payout_id}")));
        let cause = payout["id"].as_str().map(str::to_owned);
        Draft {
            id,
            cause,
            ..draft("notifier", "mail.sent.v1", format!("user/{user_id}"), sent)
        }
    }

    /// Checks recipient, amount, date and composition, and the date's charges and credits.
    fn check_letter(&self, payout: &str, path: &Path) -> Checked {
        let bytes = std::fs::read(path).expect("a letter to read");
        let letter = MessageParser::default()
            .parse(&bytes)
            .ok_or("a letter that is none")?;
        let line = self
            .payouts
            .iter()
            .find(|line| line["data"]["payout_id"] == payout)
            .expect("a payout");
        let data = &line["data"];
        let minor = |name: &str| data[name].as_i64().expect("minor units");
        let (user, on): (String, Date) = (text(&data["user_id"]), date(&data["business_date"]));
        let to = letter
            .to()
            .and_then(|to| to.first())
            .and_then(|to| to.address())
            .map(str::to_owned);
        same(
            "to",
            &to,
            &self
                .mails
                .iter()
                .find(|mail| mail["payout_id"] == payout)
                .map(|mail| text(&mail["to"])),
        )?;
        let words = letter
            .body_text(0)
            .unwrap_or_default()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let mut wanted = vec![
            format!("pays you {} EUR for {on}.", money(minor("amount"))),
            format!("Earned on {on} {} EUR", signed(minor("earned"))),
            format!("Debt brought in {} EUR", signed(minor("opening"))),
            format!("You get {} EUR", money(minor("amount"))),
        ];
        for entry in self
            .entries
            .iter()
            .filter(|entry| entry.user == user && entry.date == on && entry.kind != "payout")
        {
            let task = self.task(entry.task.as_ref().expect("an entry of a task"));
            wanted.push(format!(
                "{} {} T-{} ",
                signed(entry.amount),
                entry.kind,
                task.number
            ));
        }
        let missing: Vec<&String> = wanted
            .iter()
            .filter(|part| !words.contains(*part))
            .collect();
        same(
            &format!("missing in the letter {words:?}"),
            &missing,
            &vec![],
        )?;
        same(
            "lines of the letter",
            &words.matches(" T-").count(),
            &(wanted.len() - 4),
        )
    }
}

/// Whether an imported row closed the date of the payout.
fn is_imported(payout: &Value) -> bool {
    payout["commandid"]
        .as_str()
        .is_some_and(|key| key.starts_with("import/"))
}

fn signed(minor: i64) -> String {
    format!("{}{}", if minor > 0 { "+" } else { "" }, money(minor))
}

/// Letters by payout.
pub fn letters_in(outbox: &Path) -> BTreeMap<String, std::path::PathBuf> {
    let inside = |directory: &Path| {
        std::fs::read_dir(directory)
            .into_iter()
            .flatten()
            .map(|entry| entry.expect("an entry").path())
    };
    let letters = inside(outbox).flat_map(|date| inside(&date).collect::<Vec<_>>());
    let named = letters.map(|path| {
        (
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned(),
            path,
        )
    });
    named.collect()
}
