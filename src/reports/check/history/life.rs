//! The life of a made-up company, event by event.

use super::*;

pub(super) enum Pending {
    Assigned(Cause, TaskAssigned),
    Completed(Cause, TaskCompleted),
}

pub(super) struct Open {
    pub(super) task: TaskId,
    pub(super) assignee: UserId,
    pub(super) assignment_no: u32,
}

pub(super) struct Life {
    pub(super) dice: u64,
    pub(super) now: EventTime,
    pub(super) books: Books,
    pub(super) accounts: BTreeMap<TaskId, TaskAccount>,
    pub(super) open: Vec<Open>,
    pub(super) pending: Vec<Pending>,
    pub(super) correctable: Vec<BalanceChanged>,
    pub(super) history: History,
}

impl Life {
    pub(super) fn founded(seed: u64, workers: usize) -> Life {
        let founded_at: EventTime = "2026-02-26T21:30:00Z".parse().unwrap();
        let zone = Zone::named("Europe/Moscow").unwrap();
        let company = Company {
            id: CompanyId::from_uuid(Uuid::from_u128(7)),
            name: "UberPopug \"Inc.\"; Ltd".into(),
            first_date: zone.date_of(founded_at),
            zone,
            currency: "EUR".into(),
            pricing: PriceRange::STANDARD,
            test_clock: true,
        };
        let mut users = vec![
            user(0, founded_at, "admin".into(), Role::Admin),
            user(1, founded_at, "cron".into(), Role::Service),
        ];
        users.extend((0..workers).map(|n| {
            let login = LOGINS
                .get(n)
                .map_or_else(|| format!("popug{n:04}"), |login| (*login).to_owned());
            user(n + 2, founded_at, login, Role::Worker)
        }));
        let last_date = company.first_date;
        // Later than all other events; nothing compares it with the log.
        let mut sequence = 1 << 40;
        let changes = users
            .iter()
            .enumerate()
            .flat_map(|(n, user)| changes(n, user, last_date, &mut sequence))
            .collect();
        Life {
            dice: seed.wrapping_mul(2).wrapping_add(1),
            now: founded_at,
            books: Books::new(company.clone()),
            accounts: BTreeMap::new(),
            open: Vec::new(),
            pending: Vec::new(),
            correctable: Vec::new(),
            history: History {
                company,
                founded_at,
                head: 1 + users.len() as u64,
                users,
                changes,
                created: vec![],
                assigned: vec![],
                completed: vec![],
                priced: vec![],
                entries: vec![],
                settled: vec![],
                payouts: vec![],
                closes: vec![],
                last_date,
            },
        }
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        usize::try_from((self.dice >> 33) % bound as u64).unwrap()
    }

    pub(super) fn next_sequence(&mut self) -> u64 {
        self.history.head += 1;
        self.history.head
    }

    pub(super) fn cause(&mut self) -> Cause {
        let sequence = self.next_sequence();
        let id = EventId::from_uuid(uuid_v7(self.now, "event", sequence));
        Cause {
            sequence: Sequence(sequence),
            id,
            time: self.now,
        }
    }

    pub(super) fn worker(&mut self) -> UserId {
        let workers = self.history.users.len() - 2;
        let drawn = self.below(workers);
        self.history.users[2 + drawn].id
    }

    /// Some deeds, then midnight passes. Most days are closed soon, some only days later. One in
    /// twenty dates has no deeds.
    pub(super) fn one_date(&mut self, day: usize, deeds: usize) {
        let starts = self.books.company.first_date.plus_days(day as i64);
        let quiet = self.below(20) == 0;
        let step = 70_000_000_000 / deeds.max(1) as i64;
        self.now = self
            .now
            .max(self.books.company.zone.end_of(starts.previous()));
        if self.below(10) < 7 {
            self.close_all();
        }
        for _ in 0..if quiet { 0 } else { deeds } {
            self.now = EventTime::from_micros(self.now.micros() + step).unwrap();
            self.deed();
        }
    }

    pub(super) fn deed(&mut self) {
        match self.below(10) {
            0..=3 => self.create(),
            4..=6 if !self.open.is_empty() => self.complete(),
            7 if !self.open.is_empty() => self.reassign(),
            8 if !self.correctable.is_empty() => self.correct(),
            _ => self.react(3),
        }
    }

    pub(super) fn create(&mut self) {
        let cause = self.cause();
        let number = self.history.created.len() as u64 + 1;
        let task_id = TaskId::from_uuid(uuid_v7(self.now, "task", number));
        let title = TITLES[self.below(TITLES.len())].to_owned();
        let jira_id = number.is_multiple_of(3).then(|| format!("UP-{number}"));
        let description = number
            .is_multiple_of(4)
            .then(|| "line one\nline two".to_owned());
        let created_by = self.history.users[0].id;
        let created = TaskCreated {
            task_id,
            number,
            title,
            jira_id,
            description,
            created_by,
        };
        let (price, fact) = self.books.price_task(cause, &created);
        let account = TaskAccount::created(&created, price);
        self.accounts.insert(task_id, account);
        self.history.created.push(At {
            sequence: cause.sequence.0,
            time: self.now,
            fact: created,
        });
        self.record(fact);
        self.open.push(Open {
            task: task_id,
            assignee: UserId::from_uuid(Uuid::nil()),
            assignment_no: 0,
        });
        self.assign(self.open.len() - 1, AssignmentReason::Created);
    }

    pub(super) fn reassign(&mut self) {
        let at = self.below(self.open.len());
        self.assign(at, AssignmentReason::Reshuffle);
    }

    pub(super) fn assign(&mut self, at: usize, reason: AssignmentReason) {
        let (cause, assignee_id) = (self.cause(), self.worker());
        let open = &mut self.open[at];
        open.assignee = assignee_id;
        open.assignment_no += 1;
        let (task_id, assignment_no) = (open.task, open.assignment_no);
        let assigned = TaskAssigned {
            task_id,
            assignee_id,
            previous_assignee_id: None,
            reason,
            assignment_no,
        };
        self.history.assigned.push(At {
            sequence: cause.sequence.0,
            time: self.now,
            fact: assigned.clone(),
        });
        self.pending.push(Pending::Assigned(cause, assigned));
    }

    pub(super) fn complete(&mut self) {
        let at = self.below(self.open.len());
        let open = self.open.swap_remove(at);
        let cause = self.cause();
        let completed = TaskCompleted {
            task_id: open.task,
            completed_by: open.assignee,
            assignment_no: open.assignment_no,
        };
        self.history.completed.push(At {
            sequence: cause.sequence.0,
            time: self.now,
            fact: completed.clone(),
        });
        self.pending.push(Pending::Completed(cause, completed));
    }

    /// Accounting catches up, except for the last `held_back` events, which may so become late.
    pub(super) fn react(&mut self, held_back: usize) {
        let ready = self.pending.len().saturating_sub(held_back);
        let pending: Vec<Pending> = self.pending.drain(..ready).collect();
        for event in pending {
            match event {
                Pending::Assigned(cause, assigned) => {
                    let account = self.accounts.get_mut(&assigned.task_id).unwrap();
                    let fact = self.books.charge_fee(cause, &assigned, account);
                    self.record(fact);
                }
                Pending::Completed(cause, completed) => {
                    let account = &self.accounts[&completed.task_id];
                    let facts = self.books.credit_reward(cause, &completed, account);
                    facts.into_iter().for_each(|fact| self.record(fact));
                }
            }
        }
    }

    pub(super) fn correct(&mut self) {
        let at = self.below(self.correctable.len());
        let entry = self.correctable.swap_remove(at);
        let half = Money::from_minor(entry.amount.abs().minor() / 2);
        let correct = Correct {
            amount: at.is_multiple_of(2).then_some(half),
            reason: "wrong; \"really\"".into(),
        };
        let original = Original {
            entry_id: entry.entry_id,
            user_id: entry.user_id,
            kind: entry.kind,
            amount: entry.amount,
            task_id: entry.task_id,
            assignment_no: entry.assignment_no,
            corrected: Money::ZERO,
        };
        let id = self.cause().id;
        let actor = &self.history.users[0];
        let entry_id = EntryId::from_uuid(id.uuid());
        let correction = correct
            .decide(actor, &original, &self.books, entry_id, self.now)
            .unwrap();
        self.books.post(&correction);
        self.record(Fact {
            id,
            causation: None,
            event: correction.into(),
        });
    }

    pub(super) fn close_all(&mut self) {
        while self.books.next_to_close(self.now, None).is_some() {
            let through_sequence = Sequence(self.history.head);
            let closing = Closing {
                at: self.now,
                through_sequence,
                skipped_events: 0,
            };
            let (facts, _) = self.books.decide_close(&closing);
            facts.into_iter().for_each(|fact| self.record(fact));
        }
    }

    pub(super) fn record(&mut self, fact: Fact) {
        let (sequence, time) = (self.next_sequence(), self.now);
        match fact.event {
            Event::BalanceChanged(fact) => {
                if matches!(fact.kind, EntryKind::Fee | EntryKind::Reward)
                    && sequence.is_multiple_of(10)
                {
                    self.correctable.push(fact.clone());
                }
                self.history.entries.push(At {
                    sequence,
                    time,
                    fact,
                });
            }
            Event::TaskPriced(fact) => self.history.priced.push(At {
                sequence,
                time,
                fact,
            }),
            Event::TaskSettled(fact) => self.history.settled.push(At {
                sequence,
                time,
                fact,
            }),
            Event::PayoutMade(fact) => self.history.payouts.push(At {
                sequence,
                time,
                fact,
            }),
            Event::DayClosed(fact) => self.history.closes.push(At {
                sequence,
                time,
                fact,
            }),
            other => panic!("not a fact of accounting: {other:?}"),
        }
    }
}
