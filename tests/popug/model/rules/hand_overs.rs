//! Rule U4: whose tasks go to others, and when.

use super::*;

impl Books {
    pub(super) fn deactivate(
        &self,
        actor: &User,
        user: &str,
        keep_tasks: bool,
        found: &[Value],
    ) -> Decided {
        let user = self.named(user)?;
        admin(actor)?;
        if !user.active {
            return Ok(vec![]);
        }
        self.keep_an_admin(user)?;
        let data = json!({ "user_id": user.id });
        let mut drafts = vec![of_user("user.deactivated.v1", &user.id, data)];
        if !keep_tasks && self.others(user).next().is_some() {
            drafts.extend(self.handed_over(user, &found[found.len().min(1)..]));
        }
        Ok(drafts)
    }

    pub(super) fn hand_over(&self, actor: &User, user: &str, found: &[Value]) -> Decided {
        let user = self.named(user)?;
        if !["manager", "admin"].contains(&actor.role.as_str()) {
            return Err((5, "role_may_not"));
        }
        if user.is_eligible() {
            return Err((4, "can_be_drawn"));
        }
        if self.others(user).next().is_none() && self.held_by(user).next().is_some() {
            return Err((4, "nobody_eligible"));
        }
        Ok(self.handed_over(user, found))
    }

    /// Who may get the tasks of somebody.
    fn others<'b>(&'b self, user: &'b User) -> impl Iterator<Item = &'b User> {
        self.users
            .iter()
            .filter(|other| other.id != user.id && other.is_eligible())
    }

    fn held_by<'b>(&'b self, user: &'b User) -> impl Iterator<Item = &'b Task> {
        self.tasks
            .iter()
            .filter(|task| task.is_open() && task.assignee == user.id)
    }

    fn handed_over(&self, user: &User, found: &[Value]) -> Vec<Draft> {
        let moved = self.held_by(user).enumerate().map(|(place, task)| {
            let to = drawn(found, place, "assignee_id");
            let may = self.others(user).any(|other| other.id == to);
            let data = json!({
                "task_id": task.id, "assignee_id": if may { to } else { "somebody else".to_owned() },
                "previous_assignee_id": user.id, "reason": "left", "assignment_no": task.assignments + 1,
            });
            of_task("task.assigned.v2", &task.id, data)
        });
        moved.collect()
    }
}
