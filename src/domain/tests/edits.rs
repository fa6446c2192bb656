//! Rule T6: changing the texts of a task.

use crate::domain::event::{Event, TaskChanged};
use crate::domain::rejection::Rejection;
use crate::domain::role::{Right, Role};
use crate::domain::task::edit::Edit;
use crate::domain::tests::facts::task_id;
use crate::domain::tests::scenario::{Command, company};
use crate::domain::text::DESCRIPTION_BYTES_MAX;

fn edit<'a>(title: Option<&str>, jira_id: Option<&str>, description: Option<&str>) -> Command<'a> {
    let text = |text: &str| text.to_owned();
    Command::Edit(
        1,
        Edit::new(title.map(text), jira_id.map(text), description.map(text)),
    )
}

fn changed(title: Option<&str>, jira_id: Option<&str>, description: Option<&str>) -> Vec<Event> {
    let text = |text: &str| text.to_owned();
    vec![
        TaskChanged {
            task_id: task_id(1),
            title: title.map(text),
            jira_id: jira_id.map(text),
            description: description.map(text),
        }
        .into(),
    ]
}

#[test]
fn only_what_changed_is_recorded() {
    let mut world = company([]);
    let all = edit(Some(" Feed them "), Some("UP-7"), Some("Twice a day."));
    let expected = changed(Some("Feed them"), Some("UP-7"), Some("Twice a day."));
    assert_eq!(world.when("anna", all.clone()), Ok(expected));
    assert_eq!(world.when("anna", all), Ok(vec![]));
    let one = edit(Some("Feed them all"), Some("UP-7"), None);
    let expected = changed(Some("Feed them all"), None, None);
    assert_eq!(world.when("anna", one), Ok(expected));
    let text = &world.texts[0];
    assert_eq!(
        (
            text.title.as_str(),
            text.jira_id.as_deref(),
            text.description.as_deref()
        ),
        ("Feed them all", Some("UP-7"), Some("Twice a day."))
    );
}

#[test]
fn an_empty_text_takes_a_jira_id_or_a_description_away() {
    let mut world = company([]);
    assert_eq!(
        world.when("anna", edit(None, Some(" "), Some(""))),
        Ok(vec![])
    );
    world
        .when("anna", edit(None, Some("UP-7"), Some("Soon.")))
        .unwrap();
    let taken = world.when("anna", edit(None, Some(""), Some("")));
    assert_eq!(taken, Ok(changed(None, Some(""), Some(""))));
    assert_eq!(
        (&world.texts[0].jira_id, &world.texts[0].description),
        (&None, &None)
    );
}

#[test]
fn a_new_title_is_read_as_that_of_a_new_task() {
    let mut world = company([]);
    let split = world.when("anna", edit(Some("[UP-8] Fix it"), None, None));
    assert_eq!(split, Ok(changed(Some("Fix it"), Some("UP-8"), None)));
    let kept = world.when("anna", edit(Some("Fix it soon"), None, None));
    assert_eq!(kept, Ok(changed(Some("Fix it soon"), None, None)));
    let both = world.when("anna", edit(Some("UP-8 - Fix it"), Some("UP-9"), None));
    assert!(
        matches!(both, Err(Rejection::TwoJiraIds { .. })),
        "{both:?}"
    );
    let bracket = world.when("anna", edit(Some("Fix [it]"), None, None));
    assert!(
        matches!(bracket, Err(Rejection::BracketInTitle { .. })),
        "{bracket:?}"
    );
    let empty = world.when("anna", edit(Some(" "), None, None));
    assert_eq!(empty, Err(Rejection::Empty { what: "title" }));
    let bad = world.when("anna", edit(None, Some("up-8"), None));
    assert!(matches!(bad, Err(Rejection::BadJiraId { .. })), "{bad:?}");
    let long = "x".repeat(DESCRIPTION_BYTES_MAX + 1);
    let long = world.when("anna", edit(None, None, Some(&long)));
    assert!(matches!(long, Err(Rejection::TooLong { .. })), "{long:?}");
}

#[test]
fn a_task_is_changed_by_its_creator_a_manager_or_an_admin() {
    let mut world = company([]);
    let add = Command::Add(crate::domain::task::Add::new("Mine".into(), None, None));
    world.when("dima", add).unwrap();
    let mut by = |login: &str, number, title: &str| {
        let edit = Edit::new(Some(title.into()), None, None);
        world.when(login, Command::Edit(number, edit))
    };
    for (login, title) in [("dima", "One"), ("maria", "Two"), ("anna", "Three")] {
        assert!(by(login, 3, title).is_ok(), "{login}");
    }
    for (login, role) in [
        ("dima", Role::Developer),
        ("alexej", Role::Accountant),
        ("cron", Role::Service),
    ] {
        let refused = Rejection::RoleMayNot {
            login: login.into(),
            role,
            right: Right::ManageTasks,
        };
        assert_eq!(by(login, 1, "[bad"), Err(refused), "{login}");
    }
}

#[test]
fn a_completed_task_can_be_changed() {
    let edit = Edit::new(Some("Done".into()), None, None);
    let events = company([]).when("maria", Command::Edit(2, edit)).unwrap();
    assert_eq!(events.len(), 1);
}
