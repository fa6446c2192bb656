//! Words and options of other programs, each with what this program has instead.

/// Words that users type because other programs have them: the group of commands, the words, the
/// tip.
pub(super) const OTHER_WORDS: &[(&str, &[&str], &str)] = &[
    (
        "",
        &["closed", "closes"],
        "`popug-cli close` closes finished dates; `popug-cli report closes` lists the closed ones",
    ),
    (
        "",
        &["add", "new", "create"],
        "`popug-cli task add TITLE` creates a task, `popug-cli user register` a user",
    ),
    (
        "",
        &["ls", "list", "tasks", "todo"],
        "`popug-cli task list` lists tasks, `popug-cli user list` users",
    ),
    (
        "",
        &["done", "complete", "finish"],
        "`popug-cli task complete TASK` completes a task that is assigned to you",
    ),
    (
        "",
        &["delete", "remove", "rm", "cancel"],
        "nothing is ever deleted; `popug-cli task cancel TASK --reason TEXT` cancels a task",
    ),
    (
        "",
        &["edit", "rename", "modify"],
        "`popug-cli task edit TASK` changes a task, `popug-cli user update LOGIN` a user",
    ),
    (
        "",
        &["reshuffle", "assign", "shuffle"],
        "`popug-cli task reshuffle` draws a new assignee for every open task",
    ),
    (
        "",
        &["pay", "payout", "settle"],
        "`popug-cli close` closes the dates that are over and pays; `popug-cli close -n` only shows it",
    ),
    (
        "",
        &[
            "balance",
            "balances",
            "money",
            "earnings",
            "statement",
            "payouts",
        ],
        "`popug-cli report NAME` shows reports: balances, earnings, statement, payouts and others",
    ),
    (
        "",
        &["users", "people", "adduser", "register", "invite"],
        "`popug-cli user list` lists users; `popug-cli user register` and `popug-cli user invite LOGIN` let people in",
    ),
    (
        "",
        &["passwd", "password"],
        "`popug-cli user set-password [LOGIN]` sets a password",
    ),
    (
        "",
        &["undo", "revert", "rollback"],
        "the log is never changed; `popug-cli account correct ENTRY` takes a fee or a reward back",
    ),
    (
        "",
        &["sync", "update", "refresh", "run"],
        "`popug-cli consume` brings balances, reports and pay mails up to date",
    ),
    ("", &["version"], "`popug-cli --version` shows the version"),
    (
        "",
        &["history", "clear", "exit", "quit"],
        "this is a word of `popug-cli shell` at a terminal",
    ),
    (
        "task",
        &["delete", "remove", "rm", "drop"],
        "a task is never deleted; `popug-cli task cancel TASK --reason TEXT` cancels it and gives its fees back",
    ),
    (
        "task",
        &["create", "new", "register"],
        "`popug-cli task add TITLE` creates a task",
    ),
    (
        "task",
        &["update", "change", "rename"],
        "`popug-cli task edit TASK --title TEXT` changes its texts",
    ),
    (
        "task",
        &["assign", "reassign", "give"],
        "assignees are drawn at random: `popug-cli task hand-over LOGIN` draws new ones for the tasks of a user who cannot be drawn any more, `popug-cli task reshuffle` for every open task",
    ),
    (
        "task",
        &["done", "finish", "close", "resolve"],
        "`popug-cli task complete TASK` completes a task that is assigned to you",
    ),
    ("task", &["ls"], "`popug-cli task list` lists them"),
    (
        "task",
        &["get", "view", "info"],
        "`popug-cli task show TASK` shows one",
    ),
    (
        "user",
        &["create", "add", "new"],
        "`popug-cli user register` registers a user",
    ),
    (
        "user",
        &["delete", "remove", "rm", "disable", "fire", "block"],
        "a user is never deleted; `popug-cli user deactivate LOGIN` deactivates them and keeps their entries",
    ),
    (
        "user",
        &["activate", "enable", "restore", "unblock"],
        "`popug-cli user reactivate LOGIN` reactivates a user",
    ),
    (
        "user",
        &["edit", "change", "rename", "modify"],
        "`popug-cli user update LOGIN` changes a name or an address",
    ),
    (
        "user",
        &["passwd", "password"],
        "`popug-cli user set-password [LOGIN]` sets a password",
    ),
    (
        "user",
        &["role", "promote", "demote"],
        "`popug-cli user set-role LOGIN ROLE` changes the role of a user",
    ),
    ("user", &["ls"], "`popug-cli user list` lists them"),
    (
        "user",
        &["get", "view", "info"],
        "`popug-cli user show LOGIN` shows one",
    ),
    (
        "token",
        &["create", "add", "new", "generate"],
        "`popug-cli token issue LOGIN` issues a token",
    ),
    (
        "token",
        &["delete", "remove", "rm"],
        "`popug-cli token revoke ID` revokes a token",
    ),
    ("token", &["ls"], "`popug-cli token list` lists them"),
    (
        "mail",
        &["send"],
        "`popug-cli consume notifier` sends the mails that are due, `popug-cli mail resend` those that were only written",
    ),
    (
        "mail",
        &["config", "configure", "settings", "set"],
        "`popug-cli mail setup` sets the mail server, the sender and the text of mails",
    ),
    ("mail", &["ls"], "`popug-cli mail list` lists them"),
    (
        "mail",
        &["delete", "remove", "rm"],
        "a pay mail is owed and cannot be deleted",
    ),
    (
        "account",
        &["fix", "adjust", "reverse", "cancel", "delete", "remove"],
        "an entry is never changed; `popug-cli account correct ENTRY` reverses one by an entry of its own",
    ),
    (
        "dlq",
        &["delete", "remove", "rm", "purge"],
        "an event is never deleted; `popug-cli dlq --help` shows the decisions about it",
    ),
    (
        "log",
        &["delete", "remove", "rm", "edit", "truncate"],
        "the log is never changed",
    ),
];

/// Options that users type because other programs have them: the words, the option of ours that a
/// command must have, the tip.
pub(super) const OTHER_OPTIONS: &[(&[&str], &str, &str)] = &[
    (&["--json"], "output", "-o json"),
    (&["--csv"], "output", "-o csv"),
    (&["--ndjson", "--jsonl"], "output", "-o ndjson"),
    (&["--md", "--markdown"], "output", "-o md"),
    (&["--format"], "output", "-o FMT"),
    (&["--no-color", "--no-colour"], "color", "--color never"),
    (&["--silent"], "quiet", "--quiet"),
    (&["--debug"], "verbose", "--verbose"),
    (&["--dry"], "dry-run", "--dry-run"),
    (&["--overwrite"], "force", "--force"),
    (&["--idempotency-key"], "key", "--key KEY"),
    (
        &["--comment", "--message", "--why"],
        "reason",
        "--reason TEXT",
    ),
    (&["--login", "--assignee"], "user", "--user LOGIN"),
    (&["--assignee", "--user"], "of", "--of LOGIN"),
    (&["--since", "--after"], "from", "--from DATE"),
    (&["--until", "--before"], "to", "--to DATE"),
    (&["--jira"], "jira-id", "--jira-id ID"),
    (
        &["--desc", "--text", "--body"],
        "description",
        "--description TEXT",
    ),
];
