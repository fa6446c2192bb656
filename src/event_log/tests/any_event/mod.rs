//! Every event that rules and bounds allow, with as much Unicode and as many escapes as they
//! permit.

mod values;

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use crate::domain::event::*;
use crate::domain::id::{CompanyId, EntryId, EventId, PayoutId, Sequence, TaskId, UserId};
use crate::domain::ledger::entry::EntryKind;
use crate::domain::money::Money;
use crate::domain::pricing::PriceRange;
use crate::domain::role::Role;
use crate::domain::time::{BusinessDate, EventTime};
use crate::event_log::{Batch, Hash};
use values::*;

pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    select(EventKind::ALL).prop_flat_map(any_event_of)
}

pub(crate) fn any_event_of(kind: EventKind) -> BoxedStrategy<Event> {
    match kind {
        EventKind::CompanyFounded => company_founded(),
        EventKind::UserRegistered => user_registered(),
        EventKind::UserChanged => (user(), of(line_of_text(200)), of(address()))
            .prop_map(|(user_id, full_name, email)| {
                UserChanged {
                    user_id,
                    full_name,
                    email,
                }
                .into()
            })
            .boxed(),
        EventKind::UserRoleChanged => (user(), role(), role())
            .prop_map(|(user_id, old_role, new_role)| {
                UserRoleChanged {
                    user_id,
                    old_role,
                    new_role,
                }
                .into()
            })
            .boxed(),
        EventKind::UserDeactivated => (user(), of(line_of_text(500)))
            .prop_map(|(user_id, reason)| UserDeactivated { user_id, reason }.into())
            .boxed(),
        EventKind::UserReactivated => (user(), of(line_of_text(500)))
            .prop_map(|(user_id, reason)| UserReactivated { user_id, reason }.into())
            .boxed(),
        EventKind::UserPasswordReset => (user(), line_of_text(100))
            .prop_map(|(user_id, account)| UserPasswordReset { user_id, account }.into())
            .boxed(),
        EventKind::TaskCreated => task_created(),
        EventKind::TaskChanged => task_changed(),
        EventKind::TaskAssigned => task_assigned(),
        EventKind::TasksReshuffled => (count(), count(), count())
            .prop_map(|(open_tasks, eligible_users, moved)| {
                TasksReshuffled {
                    open_tasks,
                    eligible_users,
                    moved,
                }
                .into()
            })
            .boxed(),
        EventKind::TaskCompleted => (task(), user(), ordinal())
            .prop_map(|(task_id, completed_by, assignment_no)| {
                TaskCompleted {
                    task_id,
                    completed_by,
                    assignment_no,
                }
                .into()
            })
            .boxed(),
        EventKind::TaskCancelled => (task(), line_of_text(500), any::<bool>())
            .prop_map(|(task_id, reason, keep_fees)| {
                TaskCancelled {
                    task_id,
                    reason,
                    keep_fees,
                }
                .into()
            })
            .boxed(),
        EventKind::TaskPriced => (task(), positive(), positive())
            .prop_map(|(task_id, fee, reward)| {
                TaskPriced {
                    task_id,
                    fee,
                    reward,
                }
                .into()
            })
            .boxed(),
        EventKind::BalanceChanged => balance_changed(),
        EventKind::TaskSettled => task_settled(),
        EventKind::PayoutMade => payout_made(),
        EventKind::DayClosed => day_closed(),
        EventKind::MailSent => mail_sent(),
        EventKind::MailFailed => (payout(), user(), ordinal(), any_text(), any::<bool>())
            .prop_map(|(payout_id, user_id, attempt, error, permanent)| {
                MailFailed {
                    payout_id,
                    user_id,
                    attempt,
                    error,
                    permanent,
                }
                .into()
            })
            .boxed(),
        EventKind::EventSetAside => resolution()
            .prop_map(|(consumer, target_sequence, target_id, reason)| {
                EventSetAside {
                    consumer,
                    target_sequence,
                    target_id,
                    reason,
                }
                .into()
            })
            .boxed(),
        EventKind::EventRetried => resolution()
            .prop_map(|(consumer, target_sequence, target_id, reason)| {
                EventRetried {
                    consumer,
                    target_sequence,
                    target_id,
                    reason,
                }
                .into()
            })
            .boxed(),
        EventKind::EventSkipped => resolution()
            .prop_map(|(consumer, target_sequence, target_id, reason)| {
                EventSkipped {
                    consumer,
                    target_sequence,
                    target_id,
                    reason,
                }
                .into()
            })
            .boxed(),
    }
}

/// A batch of up to six events with any key.
pub(crate) fn any_batch() -> impl Strategy<Value = Batch> {
    let fact = (uuid(), of(uuid()), any_event()).prop_map(|(id, causation, event)| Fact {
        id: EventId::from_uuid(id),
        causation: causation.map(EventId::from_uuid),
        event,
    });
    let facts = prop::collection::vec(fact, 1..6);
    let actor = prop_oneof![
        user().prop_map(Actor::User),
        select(&Consumer::ALL[..]).prop_map(Actor::System)
    ];
    let command_hash = of(any_text().prop_map(|text| Hash::of_bytes(text.as_bytes())));
    (moment(), actor, any_text(), command_hash, facts).prop_map(
        |(time, actor, command_id, command_hash, facts)| Batch {
            time,
            actor,
            command_id,
            command_hash,
            facts,
        },
    )
}

/// Up to 80 characters of anything: quotes, backslashes, controls, line breaks, emoji.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    let special = select(vec![
        '"', '\\', '\n', '\r', '\0', '\u{7f}', '\u{2028}', '\u{202e}', 'ж', '🦜', '}', ',',
    ]);
    let character = prop_oneof![special, any::<char>(), proptest::char::range(' ', '~')];
    prop::collection::vec(character, 0..80).prop_map(String::from_iter)
}

fn company_founded() -> BoxedStrategy<Event> {
    let zone = select(vec![
        "UTC",
        "Europe/Moscow",
        "America/Argentina/Buenos_Aires",
        "Etc/GMT+3",
    ]);
    let pricing =
        (ordered(), ordered()).prop_map(|((fee_min, fee_max), (reward_min, reward_max))| {
            PriceRange {
                fee_min,
                fee_max,
                reward_min,
                reward_max,
            }
        });
    (
        uuid(),
        line_of_text(200),
        zone,
        "[A-Z]{3}",
        pricing,
        any::<bool>(),
    )
        .prop_map(|(id, name, zone, currency, pricing, test_clock)| {
            let company_id = CompanyId::from_uuid(id);
            CompanyFounded {
                company_id,
                name,
                time_zone: zone.to_owned(),
                currency,
                pricing,
                test_clock,
            }
            .into()
        })
        .boxed()
}

fn user_registered() -> BoxedStrategy<Event> {
    (
        user(),
        "[a-z0-9][a-z0-9._-]{0,63}",
        line_of_text(200),
        address(),
        role(),
    )
        .prop_map(|(user_id, login, full_name, email, role)| {
            UserRegistered {
                user_id,
                login,
                full_name,
                email,
                role,
            }
            .into()
        })
        .boxed()
}

fn task_created() -> BoxedStrategy<Event> {
    let description = of(any_text().prop_filter("empty is absent", |text| !text.is_empty()));
    (
        task(),
        number(),
        line_of_text(500),
        of(jira_id()),
        description,
        user(),
    )
        .prop_map(
            |(task_id, number, title, jira_id, description, created_by)| {
                TaskCreated {
                    task_id,
                    number,
                    title,
                    jira_id,
                    description,
                    created_by,
                }
                .into()
            },
        )
        .boxed()
}

fn task_changed() -> BoxedStrategy<Event> {
    let jira_id = prop_oneof![jira_id(), Just(String::new())];
    let texts = (of(line_of_text(500)), of(jira_id), of(any_text()));
    (task(), texts)
        .prop_filter("something changed", |(_, (title, jira_id, description))| {
            title.is_some() || jira_id.is_some() || description.is_some()
        })
        .prop_map(|(task_id, (title, jira_id, description))| {
            TaskChanged {
                task_id,
                title,
                jira_id,
                description,
            }
            .into()
        })
        .boxed()
}

fn task_assigned() -> BoxedStrategy<Event> {
    let reason = select(vec![
        AssignmentReason::Created,
        AssignmentReason::Reshuffle,
        AssignmentReason::Left,
    ]);
    (task(), user(), of(user()), reason, ordinal())
        .prop_map(
            |(task_id, assignee_id, previous_assignee_id, reason, assignment_no)| {
                TaskAssigned {
                    task_id,
                    assignee_id,
                    previous_assignee_id,
                    reason,
                    assignment_no,
                }
                .into()
            },
        )
        .boxed()
}

fn balance_changed() -> BoxedStrategy<Event> {
    let kind = select(vec![
        EntryKind::Fee,
        EntryKind::Reward,
        EntryKind::Payout,
        EntryKind::Correction,
    ]);
    let posted = (
        entry(),
        user(),
        kind,
        signed(),
        signed(),
        date(),
        any::<bool>(),
        moment(),
    );
    let because = (
        of(sequence()),
        of(task()),
        of(ordinal()),
        of(payout()),
        of(entry()),
        of(line_of_text(500)),
    );
    (posted, because)
        .prop_map(|(posted, because)| {
            let (entry_id, user_id, kind, amount, balance, business_date, late, occurred_at) =
                posted;
            let (cause_sequence, task_id, assignment_no, payout_id, corrects, reason) = because;
            BalanceChanged {
                entry_id,
                user_id,
                kind,
                amount,
                balance,
                business_date,
                late,
                occurred_at,
                cause_sequence,
                task_id,
                assignment_no,
                payout_id,
                corrects,
                reason,
            }
            .into()
        })
        .boxed()
}

fn task_settled() -> BoxedStrategy<Event> {
    let what = (task(), number(), line_of_text(500), of(jira_id()));
    let done = (user(), moment(), date(), sequence());
    (what, done, positive(), positive(), not_negative())
        .prop_map(|(what, done, fee, reward, fees_charged)| {
            let (task_id, number, title, jira_id) = what;
            let (completed_by, completed_at, completed_on, completed_sequence) = done;
            TaskSettled {
                task_id,
                number,
                title,
                jira_id,
                completed_by,
                completed_at,
                completed_on,
                completed_sequence,
                fee,
                reward,
                fees_charged,
            }
            .into()
        })
        .boxed()
}

fn payout_made() -> BoxedStrategy<Event> {
    let debt = (0..=bounds::MINOR_MAX).prop_map(|minor| Money::from_minor(-minor));
    (
        payout(),
        entry(),
        user(),
        positive(),
        date(),
        debt,
        positive(),
    )
        .prop_map(
            |(payout_id, entry_id, user_id, amount, business_date, opening, earned)| {
                PayoutMade {
                    payout_id,
                    entry_id,
                    user_id,
                    amount,
                    business_date,
                    opening,
                    earned,
                }
                .into()
            },
        )
        .boxed()
}

fn day_closed() -> BoxedStrategy<Event> {
    let counts = (count(), count(), count(), count(), count());
    let sums = (
        not_negative(),
        not_negative(),
        signed(),
        signed(),
        not_negative(),
        not_negative(),
    );
    (date(), sequence(), counts, sums)
        .prop_map(|(business_date, through_sequence, counts, sums)| {
            let (entries, late_entries, payouts_count, accounts_negative, skipped_events) = counts;
            let (fees, rewards, corrections, management_earned, payouts_total, debt_carried) = sums;
            DayClosed {
                business_date,
                through_sequence,
                entries,
                late_entries,
                fees,
                rewards,
                corrections,
                management_earned,
                payouts_count,
                payouts_total,
                accounts_negative,
                debt_carried,
                skipped_events,
            }
            .into()
        })
        .boxed()
}

fn mail_sent() -> BoxedStrategy<Event> {
    let transport = select(vec![Transport::File, Transport::Smtp, Transport::None]);
    (
        payout(),
        user(),
        address(),
        "<[a-z0-9-]{8}@[a-z]{3}\\.example>",
        transport,
        ordinal(),
    )
        .prop_map(|(payout_id, user_id, to, message_id, transport, attempt)| {
            MailSent {
                payout_id,
                user_id,
                to,
                message_id,
                transport,
                attempt,
            }
            .into()
        })
        .boxed()
}

fn resolution() -> impl Strategy<Value = (Consumer, Sequence, EventId, String)> {
    (
        select(&Consumer::ALL[1..]),
        sequence(),
        uuid().prop_map(EventId::from_uuid),
        line_of_text(500),
    )
}
