//! The users at the end of a date: name, role and activity.
//!
//! A report about a finished date is always the same, whenever it is made. Before their
//! registration users are not active, and have the name and role with which they were registered.

use crate::domain::id::UserId;
use crate::domain::time::BusinessDate;
use crate::reports::query::of_user;

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
