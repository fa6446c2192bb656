//! Titles, with and without jira ids, and descriptions of simulated tasks.

use crate::app::command::Command;
use crate::domain::dice::Dice;
use crate::domain::task::Add;

const CYRILLIC: ([&str; 12], [&str; 14]) = (
    [
        "Починить",
        "Проверить",
        "Переписать",
        "Покормить и описать",
        "Обновить",
        "Сфотографировать",
        "Посчитать",
        "Убрать",
        "Научить говорить",
        "Согласовать",
        "Ускорить",
        "Разобрать",
    ],
    [
        "клетку № 7 🦜",
        "отчёт за прошлую неделю",
        "поилку в переговорной",
        "жёрдочку «Люкс»",
        "расписание кормления",
        "склад орехов",
        "сервер в подсобке 🔥",
        "новую ару Кешу",
        "договор с зоомагазином",
        "лампу над вольером",
        "страницу входа",
        "перья после линьки",
        "очередь в столовой",
        "зеркало, в котором живёт второй попугай",
    ],
);

const LATIN: ([&str; 8], [&str; 10]) = (
    [
        "Fix", "Polish", "Review", "Measure", "Document", "Teach", "Sweep", "Refill",
    ],
    [
        "the squeaking perch",
        "the landing page",
        "the seed dispenser 🌻",
        "the \"talking\" clock",
        "UTF-8 in bird names",
        "the backup, again",
        "nightly noise levels",
        "the crackers, salted",
        "flight paths in the open space ✈️",
        "the mirror test",
    ],
);

const DESCRIPTIONS: [&str; 5] = [
    "Как договорились на планёрке.",
    "Шаги:\n1. открыть дверцу;\n2. не выпустить никого;\n3. закрыть дверцу.",
    "See the photos; the \"before\" ones are not nice.",
    "Срочно, но тихо: в соседней комнате спят.",
    "Done when nobody screams for an hour, weekends included.",
];

/// A random task. Three of four titles are Cyrillic, one of four tasks has a jira id, one of five a
/// description.
pub(super) fn think_up(dice: &mut dyn Dice) -> Command {
    let title = if dice.below(4) < 3 {
        joined(dice, &CYRILLIC.0, &CYRILLIC.1)
    } else {
        joined(dice, &LATIN.0, &LATIN.1)
    };
    let jira_id = (dice.below(4) == 0).then(|| format!("POPUG-{}", dice.below(90_000) + 100));
    let description = (dice.below(5) == 0).then(|| pick(dice, &DESCRIPTIONS).to_owned());
    Command::AddTask(Add::new(title, jira_id, description))
}

fn joined(dice: &mut dyn Dice, deeds: &[&str], things: &[&str]) -> String {
    format!("{} {}", pick(dice, deeds), pick(dice, things))
}

fn pick<'t>(dice: &mut dyn Dice, texts: &[&'t str]) -> &'t str {
    texts[dice.below(texts.len())]
}
