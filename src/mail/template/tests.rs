//! Tests of the templates.

use super::*;
use crate::mail::compose::tests::pay_mail;

/// A mail with every kind of line, of which one is long and one tries to forge.
fn full_mail() -> PayMail {
    let mut mail = pay_mail();
    mail.opening = Money::from_minor(-1_295);
    mail.earned = Money::from_minor(1_295 + 120_000);
    mail.amount = Money::units(1_200);
    mail.lines[0].title =
        "Make the login page remember who somebody is even after the browser was closed".into();
    mail.lines.push(Line {
        kind: EntryKind::Correction,
        task_number: 1204,
        jira_id: Some("POPUG-1204".into()),
        title: "Починить \u{202e}клетку {{ amount }}".into(),
        amount: Money::from_minor(118_795),
    });
    mail
}

fn written(language: Language, mail: &PayMail, reply_to: Option<&str>) -> String {
    let Letter { subject, text } = Template::in_language(language)
        .write(mail, reply_to)
        .unwrap();
    format!("{subject}\n\n{text}")
}

#[test]
fn the_letter_says_what_is_paid_and_why() {
    insta::assert_snapshot!(written(Language::English, &full_mail(), None), @r"
    Payout of 1200.00 EUR for 2026-11-22

    Hello Анна Кузнецова,

    UberPopug Inc. pays you 1200.00 EUR for 2026-11-22.

      Earned on 2026-11-22    +1212.95 EUR
      Debt brought in           -12.95 EUR
      You get                  1200.00 EUR

    Charges and credits of 2026-11-22 (Europe/Moscow), in EUR:

        -15.00  fee         T-12 UP-7 Make the login page remember who
                            somebody is even after the browser was closed
        +40.00  reward      T-3 Накормить попугов
      +1187.95  correction  T-1204 POPUG-1204 Починить \u{202e}клетку {{
                            amount }}

    Payout 00000000-0000-0000-0000-000000001234
    ");
}

#[test]
fn the_letter_is_there_in_russian() {
    let reply_to = Some("payroll@popug.example");
    insta::assert_snapshot!(written(Language::Russian, &full_mail(), reply_to), @r"
    Выплата 1200.00 EUR за 22.11.2026

    Здравствуйте, Анна Кузнецова!

    UberPopug Inc. выплачивает вам 1200.00 EUR за 22.11.2026.

      Заработано 22.11.2026   +1212.95 EUR
      Долг на начало дня        -12.95 EUR
      К выплате                1200.00 EUR

    Списания и начисления за 22.11.2026 (Europe/Moscow), EUR:

        -15.00  плата       T-12 UP-7 Make the login page remember who
                            somebody is even after the browser was closed
        +40.00  награда     T-3 Накормить попугов
      +1187.95  поправка    T-1204 POPUG-1204 Починить \u{202e}клетку {{
                            amount }}

    Вопросы: payroll@popug.example

    Выплата 00000000-0000-0000-0000-000000001234
    ");
}

#[test]
fn every_line_fits_and_none_is_left_out() {
    let mut mail = pay_mail();
    mail.company = "Очень длинное название компании ".repeat(6);
    let line = mail.lines[1].clone();
    let title = |number: u64| format!("{number} {}", "鸚鵡".repeat(number as usize % 60));
    mail.lines = (1..=2_000)
        .map(|n| Line {
            task_number: n,
            title: title(n),
            ..line.clone()
        })
        .collect();
    for language in Language::ALL {
        let text = Template::in_language(language)
            .write(&mail, None)
            .unwrap()
            .text;
        assert!(
            text.lines().all(|line| display_width(line) <= COLUMNS),
            "{text}"
        );
        for number in 1..=2_000 {
            assert!(text.contains(&format!(" T-{number} {number}")), "{number}");
        }
    }
}

#[test]
fn a_template_with_a_fault_is_refused_with_its_place() {
    let english = Language::English.text();
    let but = |from: &str, to: &str| {
        assert!(english.contains(from), "{from}");
        english.replacen(from, to, 1)
    };
    for (text, line, what) in [
        (
            but("{{ name }}", "{{ nmae }}"),
            Some(5),
            "there is no such name",
        ),
        (but("{{ name }}", "{{ name }"), Some(5), "syntax error"),
        (but("{% endfor %}", ""), Some(23), "syntax error"),
        (but("| left(12)", "| lfet(12)"), Some(16), "unknown filter"),
        (
            but("{{ line.task", "{{ line.tusk"),
            Some(16),
            "there is no such name",
        ),
        (
            but("kinds[line.kind]", "(line.kind / 2)"),
            Some(16),
            "invalid operation",
        ),
        (
            but("Subject: ", "Betreff: "),
            None,
            "the first line must be `Subject: `",
        ),
        (
            but("Subject: ", "Subject:  \nX: "),
            None,
            "the first line must be `Subject: `",
        ),
        (
            "Subject: x\nno text".to_owned(),
            None,
            "an empty line must stand",
        ),
        (String::new(), None, "an empty line must stand"),
        (
            but("{{ debt | right(sum_width) }}", ""),
            None,
            "must state `debt`",
        ),
        (
            but("{{ line.task |", "{{ line.title |"),
            None,
            "must state `line.number`",
        ),
        (
            but("in lines", "in lines[1:]"),
            None,
            "must state `line.amount`",
        ),
    ] {
        let Err(refused) = Template::parse(&text) else {
            panic!("it was accepted: {text}")
        };
        assert!(
            refused.line == line && refused.what.contains(what),
            "{refused}: {text}"
        );
    }
}

#[test]
fn a_template_of_ones_own_has_every_fact_and_no_file() {
    let text = "Subject: {{ year }}/{{ month }}/{{ day }} {{ payout_id }}\n\n\
        {{ name }} {{ company }} {{ amount }} {{ earned }} {{ debt }} {{ zone }} {{ date }}\n\
        {% for line in lines %}{{ loop.index }}: {{ line.number }} {{ line.jira_id or '-' }} \
        {{ line.title }} {{ line.amount }} {{ line.kind | upper }}\n{% endfor %}";
    let letter = Template::parse(text)
        .unwrap()
        .write(&pay_mail(), None)
        .unwrap();
    assert_eq!(
        letter,
        Letter {
            subject: "2026/11/22 00000000-0000-0000-0000-000000001234".to_owned(),
            text: "Анна Кузнецова UberPopug Inc. 13.00 +25.00 -12.00 Europe/Moscow\n2026-11-22\n\
                   1: 12 UP-7 Fix the login page -15.00 FEE\n\
                   2: 3 - Накормить попугов +40.00 REWARD\n"
                .to_owned(),
        }
    );
    let reads = format!("{text}{{% include '/etc/passwd' %}}");
    assert!(Template::parse(&reads).is_err());
}
