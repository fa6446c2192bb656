//! The expected rows and totals of the reports about work: `people` and `flow`.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::books::{Books, User, text};
use super::calendar::micros;
use super::reports::{Span, count, money, periods, report};

/// The life of a task, from the lines about it.
#[derive(Default)]
struct Life {
    created: i64,
    /// Time and assignee.
    assigned: Vec<(i64, String)>,
    completed: Option<(i64, String)>,
    cancelled: Option<i64>,
}

impl Life {
    fn ended(&self) -> Option<i64> {
        self.completed
            .as_ref()
            .map(|(at, _)| *at)
            .or(self.cancelled)
    }
}

/// A number in tenths, as JSON.
fn tenths(tenths: Option<i64>) -> Value {
    json!(tenths.map(|tenths| tenths as f64 / 10.0))
}

fn twice_median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    Some(values[last / 2] + values[last.div_ceil(2)])
}

fn hours(micros: Vec<i64>) -> Value {
    let tenth = 360_000_000;
    tenths(twice_median(micros).map(|twice| (twice + tenth).div_euclid(2 * tenth)))
}

impl Books {
    fn lives(&self) -> Vec<Life> {
        let mut lives: BTreeMap<String, Life> = BTreeMap::new();
        for line in &self.lines {
            let (data, at) = (&line["data"], micros(&text(&line["time"])));
            let Some(id) = data["task_id"].as_str() else {
                continue;
            };
            let (kind, _) = line["type"]
                .as_str()
                .and_then(|name| name.rsplit_once('.'))
                .expect("a type");
            let mut change = |change: &dyn Fn(&mut Life)| {
                change(lives.entry(id.to_owned()).or_default());
            };
            match kind {
                "task.created" => change(&|life| life.created = at),
                "task.assigned" => {
                    change(&|life| life.assigned.push((at, text(&data["assignee_id"]))))
                }
                "task.completed" => {
                    change(&|life| life.completed = Some((at, text(&data["completed_by"]))))
                }
                "task.cancelled" => change(&|life| life.cancelled = Some(at)),
                _ => {}
            }
        }
        lives.into_values().collect()
    }

    pub fn expected_people(&self, span: Span) -> Value {
        let lives = self.lives();
        let mut times = Vec::new();
        let mut rows = Vec::new();
        for user in self.users.iter() {
            let (row, of_user) = self.person_row(user, span, &lives);
            times.extend(of_user);
            rows.extend(row.map(|row| (user.login.clone(), row)));
        }
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let rows: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
        let of = |name| count(&rows, name);
        let totals = json!({
            "assigned": of("assigned"), "reshuffled_away": of("reshuffled_away"), "completed": of("completed"),
            "open": of("open"), "median_hours_to_complete": hours(times),
        });
        report(rows, &["fees", "rewards", "earned_by_management"], totals)
    }

    /// The row, if the user has one, and the times that they took for their tasks.
    fn person_row(
        &self,
        user: &User,
        (from, to): Span,
        lives: &[Life],
    ) -> (Option<Value>, Vec<i64>) {
        let begin = self.calendar.end_of(from.yesterday().expect("a date"));
        let end = self.calendar.end_of(to);
        let is_within = |at: i64| (begin..end).contains(&at);
        let given = lives.iter().flat_map(|life| &life.assigned);
        let assigned = given
            .filter(|(at, to)| is_within(*at) && *to == user.id)
            .count();
        let moves = lives.iter().flat_map(|life| life.assigned.windows(2));
        let away = moves
            .filter(|pair| pair[0].1 == user.id && pair[1].1 != user.id && is_within(pair[1].0));
        let mut times = Vec::new();
        for life in lives {
            let done = life
                .completed
                .as_ref()
                .filter(|(at, by)| is_within(*at) && *by == user.id);
            let held = life
                .assigned
                .iter()
                .rev()
                .take_while(|(_, by)| *by == life.assigned.last().expect("one").1);
            times.extend(
                done.zip(held.last())
                    .map(|((at, _), (since, _))| at - since),
            );
        }
        let is_open = |life: &&Life| {
            let holder = life.assigned.iter().rfind(|(at, _)| *at < end);
            holder.is_some_and(|(_, holder)| *holder == user.id)
                && life.ended().is_none_or(|at| at >= end)
        };
        let of = |kind| self.moved(kind, (from, to), Some(&user.id));
        let figures = (
            assigned,
            away.count(),
            times.len(),
            lives.iter().filter(is_open).count(),
        );
        let was = self.user_on(&user.id, Some(to));
        if figures == (0, 0, 0, 0)
            && (of("fee"), of("reward"), of("correction")) == (0, 0, 0)
            && !was.is_eligible()
        {
            return (None, times);
        }
        let row = json!({
            "login": user.login, "name": was.name, "assigned": figures.0, "reshuffled_away": figures.1,
            "completed": figures.2, "open": figures.3, "median_hours_to_complete": hours(times.clone()),
            "fees": money(-of("fee")), "rewards": money(of("reward")),
            "earned_by_management": money(-of("fee") - of("reward") - of("correction")),
        });
        (Some(row), times)
    }

    pub fn expected_flow(&self, (from, to): Span, length: Option<&str>, today: Date) -> Value {
        let lives = self.lives();
        let date = |at: i64| self.calendar.date_of(at);
        let spans = periods(from, to, length.or(Some("day")));
        let row = |(start, end): &Span| {
            let is_within =
                |at: Option<i64>| at.is_some_and(|at| (*start..=*end).contains(&date(at)));
            let of = |moment: fn(&Life) -> Option<i64>| {
                lives.iter().filter(|life| is_within(moment(life))).count()
            };
            let is_open = |life: &&Life| {
                date(life.created) <= *end && life.ended().is_none_or(|at| date(at) > *end)
            };
            let on = (*end).min(today);
            let age = |life: &Life| i64::from((on - date(life.created)).get_days()).max(0);
            let ages: Vec<i64> = lives.iter().filter(is_open).map(age).collect();
            json!({
                "period_start": start.to_string(), "period_end": end.to_string(),
                "created": of(|life| Some(life.created)),
                "completed": of(|life| life.completed.as_ref().map(|(at, _)| *at)),
                "cancelled": of(|life| life.cancelled), "open_at_end": ages.len(),
                "median_age_days": tenths(twice_median(ages).map(|twice| twice * 5)),
            })
        };
        let rows: Vec<Value> = spans.iter().map(row).collect();
        let last = rows.last().expect("a range has a date");
        let totals = json!({
            "created": count(&rows, "created"), "completed": count(&rows, "completed"),
            "cancelled": count(&rows, "cancelled"), "open_at_end": last["open_at_end"],
            "median_age_days": last["median_age_days"],
        });
        report(rows, &[], totals)
    }
}
