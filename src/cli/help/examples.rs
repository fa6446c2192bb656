//! Examples of every command, which stand first in its help and in its man page.

/// The path of each command and its examples: command lines, each perhaps with `#` and a remark.
pub(super) const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "popug-cli demo                        # see everything at work",
            "popug-cli init                        # found a company; it asks",
            "popug-cli login ada",
            "popug-cli task add 'Clean the cage'",
            "popug-cli report balances",
        ],
    ),
    (
        "init",
        &[
            "popug-cli init                        # asks for everything",
            "popug-cli init --company 'Parrots Ltd.' --time-zone Europe/Moscow",
        ],
    ),
    (
        "demo",
        &["popug-cli demo", "popug-cli demo --days 5 --seed 7"],
    ),
    (
        "simulate",
        &["popug-cli simulate --days 30 --popugs 20 --tasks-per-day 40 --seed 7"],
    ),
    (
        "login",
        &[
            "popug-cli login ada",
            "popug-cli login --code 7K3MQ-9QX2T-HFPDR-8YNC4   # from `user invite`",
        ],
    ),
    ("logout", &["popug-cli logout"]),
    ("whoami", &["popug-cli whoami"]),
    (
        "reset-password",
        &[
            "su - popug -s /bin/sh                 # as root",
            "popug-cli reset-password ada --owner",
        ],
    ),
    (
        "token",
        &["popug-cli token issue cron", "popug-cli token list"],
    ),
    (
        "token issue",
        &[
            "popug-cli token issue cron --ttl 90d",
            "POPUG_TOKEN=$(popug-cli token issue cron) popug-cli whoami",
        ],
    ),
    ("token list", &["popug-cli token list"]),
    ("token revoke", &["popug-cli token revoke 019a3c5e"]),
    (
        "access",
        &[
            "popug-cli access grant anna --ssh-key anna.pub",
            "popug-cli access list",
        ],
    ),
    (
        "access grant",
        &["popug-cli access grant anna --ssh-key anna.pub >> ~popug/.ssh/authorized_keys"],
    ),
    ("access list", &["popug-cli access list"]),
    ("access revoke", &["popug-cli access revoke 019a3c5e"]),
    (
        "user",
        &[
            "popug-cli user invite anna            # a code to log in with",
            "popug-cli user list",
        ],
    ),
    (
        "user register",
        &[
            "popug-cli user register --login anna --name 'Anna Macaw' \\",
            "    --email anna@parrots.example --role developer",
        ],
    ),
    (
        "user invite",
        &[
            "popug-cli user invite anna",
            "popug-cli user invite anna --ttl 12h",
        ],
    ),
    (
        "user update",
        &["popug-cli user update anna --email anna@parrots.example"],
    ),
    ("user set-role", &["popug-cli user set-role anna manager"]),
    (
        "user set-password",
        &[
            "popug-cli user set-password           # your own",
            "popug-cli user set-password anna",
        ],
    ),
    (
        "user deactivate",
        &["popug-cli user deactivate anna --reason 'flew away'"],
    ),
    ("user reactivate", &["popug-cli user reactivate anna"]),
    (
        "user list",
        &[
            "popug-cli user list",
            "popug-cli user list --columns login,role --sort role",
        ],
    ),
    ("user show", &["popug-cli user show anna"]),
    (
        "task",
        &[
            "popug-cli task add 'Clean the cage'",
            "popug-cli task list --mine",
            "popug-cli task complete T-12",
        ],
    ),
    (
        "task add",
        &[
            "popug-cli task add 'Clean the cage'",
            "popug-cli task add '[UP-7] Clean the cage' --description 'With soap'",
            "popug-cli task add -- '-nuts for the parrots'",
        ],
    ),
    (
        "task list",
        &[
            "popug-cli task list                   # all open tasks",
            "popug-cli task list perch --of dora   # open tasks of dora about `perch`",
            "popug-cli task list --done yesterday",
        ],
    ),
    ("task board", &["popug-cli task board"]),
    (
        "task show",
        &["popug-cli task show T-12", "popug-cli task show UP-7"],
    ),
    (
        "task edit",
        &["popug-cli task edit T-12 --title 'Clean the perch'"],
    ),
    (
        "task complete",
        &[
            "popug-cli task complete T-12",
            "popug-cli task complete 12 13",
        ],
    ),
    (
        "task cancel",
        &["popug-cli task cancel T-12 --reason 'the cage is sold'"],
    ),
    (
        "task reshuffle",
        &[
            "popug-cli task reshuffle -n           # what it would cost whom",
            "popug-cli task reshuffle",
        ],
    ),
    ("task hand-over", &["popug-cli task hand-over anna"]),
    (
        "consume",
        &["popug-cli consume", "popug-cli consume --follow"],
    ),
    (
        "close",
        &[
            "popug-cli close -n                    # who would be paid",
            "popug-cli close",
            "popug-cli close --date yesterday",
        ],
    ),
    (
        "account",
        &["popug-cli account correct 019a3c5e --reason 'charged twice'"],
    ),
    (
        "account correct",
        &[
            "popug-cli report entries --user anna  # shows the ids of the entries",
            "popug-cli account correct 019a3c5e --reason 'charged twice'",
            "popug-cli account correct 019a3c5e --amount 5.50 --reason 'half of it'",
        ],
    ),
    (
        "report",
        &[
            "popug-cli report balances",
            "popug-cli report earnings last month --by week",
            "popug-cli report statement --user anna 2026-11",
            "popug-cli report payouts 2026-Q4 --out payouts.csv",
        ],
    ),
    (
        "export",
        &[
            "popug-cli export --dir reports",
            "popug-cli export journal --format hledger > books.journal",
        ],
    ),
    (
        "export journal",
        &[
            "popug-cli export journal --format hledger > books.journal",
            "popug-cli export journal --format beancount --out books.beancount",
        ],
    ),
    (
        "import",
        &[
            "popug-cli import users people.csv -n",
            "popug-cli import users people.csv",
        ],
    ),
    (
        "import users",
        &[
            "popug-cli import users people.csv -n",
            "popug-cli import users people.csv --on-error skip --rejects bad.csv",
        ],
    ),
    (
        "import tasks",
        &[
            "popug-cli import tasks tasks.csv",
            "popug-cli import tasks - < tasks.csv",
        ],
    ),
    (
        "import activity",
        &["popug-cli import activity history.csv -n"],
    ),
    (
        "mail",
        &["popug-cli mail list", "popug-cli mail retry 019a3c5e"],
    ),
    ("mail list", &["popug-cli mail list"]),
    (
        "mail resend",
        &[
            "popug-cli mail resend -n",
            "popug-cli mail resend --since 2026-11",
        ],
    ),
    ("mail setup", &["popug-cli mail setup --help"]),
    ("mail test", &["popug-cli mail test ada"]),
    ("mail template", &["popug-cli mail template --help"]),
    ("mail retry", &["popug-cli mail retry 019a3c5e"]),
    ("dlq", &["popug-cli dlq list", "popug-cli dlq show 5120"]),
    ("dlq list", &["popug-cli dlq list"]),
    ("dlq show", &["popug-cli dlq show 5120"]),
    ("dlq set-aside", &["popug-cli dlq set-aside 5120"]),
    (
        "dlq retry",
        &["popug-cli dlq retry 5120 --reason 'after the update'"],
    ),
    (
        "dlq skip",
        &["popug-cli dlq skip 5120 --reason 'a test of the old tracker'"],
    ),
    ("log", &["popug-cli log tail", "popug-cli log show 5120"]),
    (
        "log tail",
        &[
            "popug-cli log tail -n 20",
            "popug-cli log tail -f --type task.completed",
        ],
    ),
    ("log show", &["popug-cli log show 5120"]),
    ("log stats", &["popug-cli log stats"]),
    (
        "status",
        &["popug-cli status", "popug-cli status -o prometheus"],
    ),
    (
        "check",
        &[
            "popug-cli check",
            "popug-cli check --close-age 26h --backup /mnt/backup --backup-age 26h",
        ],
    ),
    ("verify", &["popug-cli verify", "popug-cli verify --deep"]),
    ("doctor", &["popug-cli doctor"]),
    (
        "repair",
        &["popug-cli repair -n", "popug-cli repair --from /mnt/backup"],
    ),
    (
        "backup",
        &[
            "popug-cli backup /mnt/backup/2026-12-01",
            "popug-cli backup list /mnt/backup",
        ],
    ),
    ("backup list", &["popug-cli backup list /mnt/backup"]),
    (
        "backup prune",
        &["popug-cli backup prune /mnt/backup --keep-daily 7 --keep-monthly 12"],
    ),
    (
        "restore",
        &["popug-cli -C new-store restore /mnt/backup/2026-12-01"],
    ),
    (
        "join",
        &["popug-cli -C copy join postgres://popug@db.example/popug"],
    ),
    (
        "remote",
        &[
            "popug-cli remote schema | psql popug",
            "popug-cli remote status",
        ],
    ),
    ("remote schema", &["popug-cli remote schema | psql popug"]),
    ("remote status", &["popug-cli remote status"]),
    (
        "remote push",
        &["popug-cli remote push postgres://popug@db.example/popug"],
    ),
    (
        "remote adopt",
        &["popug-cli remote adopt postgres://popug@db.example/popug"],
    ),
    (
        "schema",
        &[
            "popug-cli schema list",
            "popug-cli schema show task.created.v2",
        ],
    ),
    ("schema list", &["popug-cli schema list"]),
    ("schema show", &["popug-cli schema show task.created.v2"]),
    (
        "schema check",
        &["popug-cli log tail --from 1 -o ndjson | popug-cli schema check -"],
    ),
    (
        "shell",
        &[
            "popug-cli shell                       # type lines, TAB completes",
            "popug-cli shell --as ada",
            "popug-cli shell -c 'task list --mine'",
            "popug-cli shell < morning.txt",
        ],
    ),
    (
        "completions",
        &[
            "source <(popug-cli completions bash)  # in ~/.bashrc",
            "source <(popug-cli completions zsh)   # in ~/.zshrc, after compinit",
            "popug-cli completions fish | source   # in ~/.config/fish/config.fish",
        ],
    ),
    (
        "man",
        &["popug-cli man ~/.local/share/man/man1 && man popug-cli-task-add"],
    ),
    (
        "explain",
        &["popug-cli explain nobody_eligible", "popug-cli explain 4"],
    ),
    (
        "help",
        &[
            "popug-cli help task add",
            "popug-cli help dates                  # how dates are written",
        ],
    ),
];
