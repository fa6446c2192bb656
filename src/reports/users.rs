//! The users at the end of a date: name, role and activity.
//!
//! A report about a finished date is always the same, whenever it is made. Before their
//! registration users are not active, and have the name and role with which they were registered.

use polars::prelude::{
    BooleanChunked, DataFrame, DataFrameJoinOps, FillNullStrategy, NewChunkedArray,
    SortMultipleOptions,
};

use crate::domain::id::UserId;
use crate::domain::role::Role;
use crate::domain::time::BusinessDate;
use crate::reports::error::ReportError;
use crate::reports::query::of_user;
use crate::reports::source::Source;

/// SQL for all users: user_id, login, name, role, active, at the end of `on` or now.
pub fn users(on: Option<BusinessDate>, user: Option<UserId>) -> String {
    let of_user = of_user("user_id", user);
    let Some(on) = on else {
        return format!(
            "SELECT user_id, login, full_name AS name, role, active FROM users WHERE {of_user}"
        );
    };
    let until = format!("FILTER (business_date <= DATE '{on}')");
    format!(
        "SELECT user_id, any_value(login) AS login,
            coalesce(arg_max(full_name, sequence) {until}, arg_min(full_name, sequence)) AS name,
            coalesce(arg_max(c.role, sequence) {until}, arg_min(c.role, sequence)) AS role,
            coalesce(arg_max(c.active, sequence) {until}, false) AS active
        FROM user_changes c JOIN (SELECT user_id, login FROM users) USING (user_id)
        WHERE {of_user} GROUP BY user_id"
    )
}

/// SQL for the changes of users on the dates after `after`, up to `to`: date, user_id, new_name,
/// new_role, new_active, with one row for each date and changed user.
pub fn changes(after: BusinessDate, to: BusinessDate, user: Option<UserId>) -> String {
    format!(
        "SELECT business_date AS date, user_id, arg_max(full_name, sequence) AS new_name,
            arg_max(role, sequence) AS new_role, arg_max(active, sequence) AS new_active
        FROM user_changes WHERE business_date > DATE '{after}' AND business_date <= DATE '{to}' AND {}
        GROUP BY business_date, user_id",
        of_user("user_id", user),
    )
}

/// The users at the end of `on` with their `figures`, by login. The integer columns of `names` are zero where a user
/// has none. Users whose figures are all zero are left out unless they can be drawn for tasks.
pub fn with_figures(
    source: &Source<'_>,
    on: BusinessDate,
    user: Option<UserId>,
    figures: &[DataFrame],
    names: &[&str],
) -> Result<DataFrame, ReportError> {
    let drawn = Role::ALL.into_iter().filter(|role| role.is_drawn());
    let drawn: Vec<_> = drawn.map(|role| format!("'{}'", role.name())).collect();
    let mut frame = source.load(&format!(
        "SELECT *, active AND role IN ({}) AS is_drawn FROM ({})",
        drawn.join(", "),
        users(Some(on), user)
    ))?;
    for found in figures {
        frame = frame.left_join(found, ["user_id"], ["user_id"])?;
    }
    let drawn = frame.column("is_drawn")?.bool()?;
    let mut is_shown: Vec<bool> = drawn.iter().map(|drawn| drawn == Some(true)).collect();
    for name in names {
        let filled = frame.column(name)?.fill_null(FillNullStrategy::Zero)?;
        let values = is_shown.iter_mut().zip(filled.i64()?.iter());
        values.for_each(|(is_shown, value)| *is_shown |= value != Some(0));
        frame.with_column(filled)?;
    }
    let shown = frame.filter(&BooleanChunked::from_slice("".into(), &is_shown))?;
    Ok(shown.sort(["login"], SortMultipleOptions::default())?)
}
