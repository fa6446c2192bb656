//! The life of the company: four days of tasks, closes and corrections.

use super::*;

/// The company's life.
pub(super) struct Days<'a> {
    pub(super) app: App<'a>,
    pub(super) clock: &'a Pinned,
}

impl Days<'_> {
    pub(super) fn live(&self) {
        for (login, role) in [
            ("mary", "manager"),
            ("anna", "accountant"),
            ("dima", "developer"),
            ("wanda", "worker"),
            ("cron", "service"),
        ] {
            let (login, role, email) = (
                login.to_owned(),
                role.to_owned(),
                format!("{login}@popug.example"),
            );
            self.execute(
                "boss",
                Command::RegisterUser(Register {
                    full_name: login.clone(),
                    login,
                    email,
                    role,
                }),
            );
        }
        for day in 0..4 {
            (0..6).for_each(|n| self.add(&format!("[UP-{day}{n}] Почистить клетку {n}")));
            self.clock.pass(1);
            self.edit(&format!("Почистить клетку {day}"));
            self.complete(5);
            self.execute("mary", Command::Reshuffle);
            self.app.consume_accounting().unwrap();
            if day < 2 {
                self.cancel(day == 0);
            }
            self.clock.pass(23);
            self.app.close(&self.caller("anna"), None).unwrap();
            self.correct(EntryKind::Reward);
        }
        let wanda = "wanda".to_owned();
        self.execute(
            "boss",
            Command::DeactivateUser {
                user: wanda.clone(),
                change: Deactivate {
                    reason: Some("moult".into()),
                    keep_tasks: false,
                },
            },
        );
        self.add("Plain");
        self.execute(
            "boss",
            Command::ReactivateUser {
                user: wanda,
                change: Reactivate { reason: None },
            },
        );
        self.clock.pass(48);
        self.app.close(&self.caller("anna"), None).unwrap();
        // The notifier's tables follow; no mail is sent.
        assert!(
            !self
                .app
                .mails(&self.caller("anna"))
                .unwrap()
                .list()
                .unwrap()
                .is_empty()
        );
    }

    pub(super) fn user(&self, login: &str) -> UserId {
        self.app
            .index()
            .unwrap()
            .user_named(login)
            .unwrap()
            .unwrap()
            .id
    }

    pub(super) fn caller(&self, login: &str) -> Caller {
        Caller {
            user: self
                .app
                .index()
                .unwrap()
                .user_named(login)
                .unwrap()
                .unwrap(),
        }
    }

    pub(super) fn execute(&self, login: &str, command: Command) {
        let head = self.app.log.head().unwrap().sequence;
        let manner = Manner {
            key: Some(format!("key-{head}")),
        };
        self.app
            .execute(self.user(login), &command, &manner)
            .unwrap();
    }

    pub(super) fn add(&self, title: &str) {
        self.execute("dima", Command::AddTask(Add::new(title.into(), None, None)));
    }

    /// The first open task gets another title.
    pub(super) fn edit(&self, title: &str) {
        let open = self.app.index().unwrap().open_tasks().unwrap();
        let (task, title) = (open[0].number.to_string(), Some(title.to_owned()));
        let edit = Edit::new(title, None, None);
        self.execute("mary", Command::EditTask { task, edit });
    }

    /// The last open task is cancelled.
    fn cancel(&self, keep_fees: bool) {
        let index = self.app.index().unwrap();
        let task = index
            .open_tasks()
            .unwrap()
            .pop()
            .unwrap()
            .number
            .to_string();
        let reason = "moult".to_owned();
        let cancel = Cancel { reason, keep_fees };
        let request = CancelTask { task, cancel };
        let (mary, manner) = (self.caller("mary"), Manner::default());
        self.app
            .cancel_task(&index, &mary, &request, &manner)
            .unwrap();
    }

    pub(super) fn complete(&self, count: usize) {
        let index = self.app.index().unwrap();
        for task in index.open_tasks().unwrap().into_iter().take(count) {
            let assignee = index.user(task.assignee).unwrap().unwrap().login;
            self.execute(
                &assignee,
                Command::CompleteTasks {
                    tasks: vec![task.number.to_string()],
                },
            );
        }
    }

    /// Corrects a part of the last entry of `kind`, by a user with another account.
    pub(super) fn correct(&self, kind: EntryKind) {
        let mut found = None;
        let boss = self.caller("boss");
        let look = &mut |line: &crate::event_log::Line<'_>| {
            if let Event::BalanceChanged(e) = line.event()?
                && e.kind == kind
            {
                found = Some(e.entry_id);
            }
            Ok(())
        };
        self.app.log.for_each(Sequence::FIRST, look).unwrap();
        let entry = found.unwrap().to_string();
        self.app
            .correct(&boss, &entry, Some("1.50"), "half done", &Manner::default())
            .unwrap();
    }
}
