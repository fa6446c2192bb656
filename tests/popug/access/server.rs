//! Several people on one server, as docs/SERVER.md describes it: real accounts, the real `sudo`, and
//! a real sshd with clients.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::helpers::harness::{Output, PASSWORD, World};
use crate::helpers::machine::Machine;
use crate::helpers::sources::{read, root};
use crate::helpers::terminal::Terminal;

const PROGRAM: &str = "sudo -u popug popug-cli -C /srv/popug/store";

/// A command that docs/SERVER.md has.
fn documented(command: &str) -> &str {
    let text = read(&root().join("docs/SERVER.md"));
    let joined = text.replace(" \\\n    ", " ");
    assert!(
        joined.lines().any(|line| line.trim() == command),
        "docs/SERVER.md has no line `{command}`"
    );
    command
}

/// A server with a store, an admin, and two people with accounts and logins. Root acts as the admin.
fn server() -> Option<Machine> {
    let machine = Machine::new()?;
    assert!(
        Path::new("/usr/sbin/sshd").exists() && Path::new("/usr/bin/sudo").exists(),
        "sshd or sudo is not installed; .ci/run installs them"
    );
    for command in [
        "sudo useradd --system --create-home --home-dir /srv/popug --shell /bin/sh popug",
        "sudo chmod 700 /srv/popug",
    ] {
        machine.does("root", documented(command));
    }
    machine.does(
        "root",
        "for name in anna dima; do useradd --create-home --shell /bin/sh $name; chmod 700 /home/$name; done",
    );
    let with_password =
        format!("sudo -u popug env POPUG_PASSWORD='{PASSWORD}' popug-cli -C /srv/popug/store");
    machine.does(
        "root",
        &format!(
            "{with_password} init --company 'UberPopug Inc.' --time-zone Europe/Berlin --currency EUR \
             --admin-login ada --admin-name 'Ada Lovelace' --admin-email ada@popug.example"
        ),
    );
    machine.does("root", &format!("{with_password} login ada"));
    for (login, role) in [("anna", "worker"), ("dima", "worker"), ("mara", "manager")] {
        machine.does(
            "root",
            &format!(
                "echo '{PASSWORD}' | {PROGRAM} user register --login {login} --name '{login} Popug' \
                 --email {login}@popug.example --role {role} --password-stdin"
            ),
        );
    }
    machine.does("root", &format!("{PROGRAM} task add 'Feed the parrots'"));
    Some(machine)
}

fn acts_as(output: &Output, login: &str) {
    let is_so = output.status == 0 && output.stdout.contains(&format!("\t{login}\t"));
    assert!(is_so, "{}{}", output.stdout, output.stderr);
}

fn is_refused(output: &Output, status: i32, told: &str) {
    assert!(
        output.status == status && output.stdout.is_empty() && output.stderr.contains(told),
        "{}: {}{}",
        output.status,
        output.stdout,
        output.stderr
    );
}

#[test]
fn by_sudo_each_person_has_a_session_and_the_restricted_shell_alone() {
    let Some(machine) = server() else { return };
    let example = |name: &str| read(&root().join("examples/sudo").join(name));
    documented("sudo install -m 755 examples/sudo/popug /usr/local/bin/popug");
    machine.put("/usr/local/bin/popug", "755", &example("popug"));
    documented("sudo install -m 440 examples/sudo/sudoers /etc/sudoers.d/popug");
    machine.put("/etc/sudoers.d/popug", "440", &example("sudoers"));
    machine.does("root", "visudo -c -f /etc/sudoers.d/popug");
    machine.does("root", documented("sudo groupadd popugs"));
    machine.does("root", documented("sudo usermod -aG popugs anna"));
    machine.does("root", "sudo usermod -aG popugs dima");

    let by = |user: &str, line: &str| machine.run(user, &format!("sudo -n -u popug popug {line}"));
    is_refused(&by("anna", "whoami"), 5, "you are not logged in");
    let world = World::empty();
    for (user, login) in [("anna", "anna"), ("dima", "dima")] {
        let prompt = documented("sudo -u popug popug");
        let terminal = Terminal::running(&world, machine.words(user, prompt));
        terminal.ends_with("popug-cli> ");
        terminal.enters(&format!("login {login}"));
        terminal.answers(&format!("Password of {login}:"), PASSWORD);
        terminal.ends_with(&format!("UberPopug Inc.:{login}> "));
        terminal.presses("C-d");
        assert_eq!(terminal.ended(), 0);
        acts_as(&by(user, "whoami"), login);
    }
    acts_as(&by("anna", "whoami"), "anna");
    let listed = machine.does("anna", documented("sudo -u popug popug task list"));
    assert!(listed.contains("Feed the parrots"), "{listed}");
    let added = by("anna", "\"task add 'Two words'\"");
    assert_eq!(added.status, 0, "{}", added.stderr);
    // The words that people pass to sudo or to the wrapper give them nothing else.
    let anna = machine.does("root", "id -u anna").trim().to_owned();
    let forged = machine.run(
        "dima",
        &format!("SUDO_UID={anna} sudo -n -u popug popug whoami"),
    );
    acts_as(&forged, "dima");
    for line in ["SUDO_UID=0 popug whoami", "POPUG_TOKEN=x popug whoami"] {
        let forged = machine.run("dima", &format!("sudo -n -u popug {line}"));
        is_refused(&forged, 1, "not allowed to set");
    }
    is_refused(&by("anna", "task reshuffle"), 5, "may not reshuffle");
    is_refused(
        &by("anna", "report tasks --out /srv/popug/.profile"),
        5,
        "--out is not allowed here",
    );
    is_refused(&by("anna", "-C /srv whoami"), 5, "-C is not allowed here");
    is_refused(&by("anna", "--as mara whoami"), 5, "--as is not allowed");
    is_refused(
        &by("anna", "backup /tmp/stolen"),
        5,
        "`backup` is not allowed",
    );
    is_refused(
        &by("anna", "whoami --token-file /srv/popug/store/auth/x"),
        2,
        "unexpected argument",
    );
    is_refused(&by("anna", "--keep-going"), 2, "unexpected argument");
    for other in [
        "popug-cli -C /srv/popug/store whoami",
        "popug-cli -C /srv/popug/store shell --restrict",
        "cat /srv/popug/store/log/head",
        "sh -c id",
    ] {
        let output = machine.run("anna", &format!("sudo -n -u popug {other}"));
        assert_eq!(output.status, 1, "{other}: {}", output.stdout);
    }
    assert_ne!(machine.run("anna", "ls /srv/popug/store").status, 0);
    // A person who leaves.
    machine.does("root", documented("sudo gpasswd -d anna popugs"));
    assert_eq!(by("anna", "whoami").status, 1);
    machine.does("root", &format!("{PROGRAM} user deactivate dima"));
    is_refused(&by("dima", "whoami"), 5, "`dima` is deactivated");
}

/// The server's sshd, which even lets its clients set variables, and the settings of its clients.
fn with_sshd(machine: &mut Machine) {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = port.expect("a free port").port();
    machine.put(
        "/etc/ssh/sshd_config",
        "600",
        &format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey /etc/ssh/of_the_test\nPidFile none\n\
             UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             AcceptEnv POPUG_* PAGER XDG_*\nSubsystem sftp internal-sftp\n"
        ),
    );
    machine.does("root", "rm -rf /etc/ssh/sshd_config.d");
    machine.does(
        "root",
        "ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/of_the_test",
    );
    // Without PAM sshd takes an account without a password for a locked one.
    machine.does("root", "usermod -p '*' popug");
    for user in ["anna", "dima"] {
        machine.does(
            user,
            &format!(
                "umask 077; mkdir ~/.ssh\n\
                 printf 'Host server\\n HostName 127.0.0.1\\n Port {port}\\n LogLevel ERROR\\n\
                 StrictHostKeyChecking accept-new\\n BatchMode yes\\n' > ~/.ssh/config\n\
                 ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519"
            ),
        );
    }
    machine.serves("/usr/sbin/sshd -D -e");
    let began = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(machine.are_running() && began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn by_ssh_a_key_opens_the_restricted_shell_of_its_user_until_it_is_revoked() {
    let Some(mut machine) = server() else { return };
    with_sshd(&mut machine);
    let ask = |machine: &Machine, user: &str, line: &str| {
        machine.run(user, &format!("ssh popug@server {line}"))
    };
    is_refused(&ask(&machine, "anna", "whoami"), 255, "Permission denied");
    machine.does(
        "root",
        documented("sudo -u popug mkdir -m 700 /srv/popug/.ssh"),
    );
    for user in ["anna", "dima"] {
        let grant = "sudo -u popug popug-cli -C /srv/popug/store access grant anna --ssh-key - < anna.pub \
                     | sudo -u popug tee -a /srv/popug/.ssh/authorized_keys";
        let grant = documented(grant).replace("anna", user);
        let there = format!("cd /run; cp /home/{user}/.ssh/id_ed25519.pub {user}.pub; {grant}");
        let keys = machine.does("root", &there);
        assert!(keys.starts_with("restrict,pty,command="), "{keys}");
    }
    acts_as(&ask(&machine, "anna", "whoami"), "anna");
    acts_as(&ask(&machine, "dima", "whoami"), "dima");
    let listed = machine.does("anna", documented("ssh popug@server task list"));
    assert!(listed.contains("Feed the parrots"), "{listed}");
    machine.does(
        "anna",
        documented("ssh popug@server \"task add 'Clean the cage'\""),
    );
    // Exit codes and streams come through.
    is_refused(
        &ask(&machine, "anna", "task complete 99"),
        3,
        "there is no task",
    );
    is_refused(
        &ask(&machine, "anna", "task reshuffle"),
        5,
        "may not reshuffle",
    );
    is_refused(
        &ask(&machine, "anna", "nonsense"),
        2,
        "unrecognized subcommand",
    );
    let parquet = "ssh popug@server report tasks -o parquet > ~/tasks.parquet";
    machine.does("anna", documented(parquet).trim());
    let ends = machine.does(
        "anna",
        "head -c 4 ~/tasks.parquet; tail -c 4 ~/tasks.parquet",
    );
    assert_eq!(ends, "PAR1PAR1");
    let script = machine.run_with("anna", "ssh popug@server", "whoami\nwhoami\n");
    assert_eq!(
        script.stdout.matches("anna Popug").count(),
        2,
        "{}",
        script.stderr
    );

    cannot_break_out(&machine);
    is_a_prompt_at_a_terminal(&machine);

    // The variables that sshd lets through are not believed.
    let variables =
        "POPUG_STORE=/nowhere POPUG_TOKEN=x POPUG_NOW=x POPUG_PAGER=x XDG_STATE_HOME=/x";
    let sends = "ssh -o SendEnv='POPUG_* XDG_*' popug@server whoami";
    acts_as(
        &machine.run("anna", &format!("{variables} {sends}")),
        "anna",
    );

    let id = machine.does(
        "root",
        &format!("{PROGRAM} access list -o csv | grep ,anna, | cut -d, -f1"),
    );
    let command = documented("sudo -u popug popug-cli -C /srv/popug/store access revoke ID");
    machine.does("root", &command.replace("ID", id.trim()));
    is_refused(
        &ask(&machine, "anna", "whoami"),
        5,
        "there is no access any more",
    );
    acts_as(&ask(&machine, "dima", "whoami"), "dima");
    machine.does("root", &format!("{PROGRAM} user deactivate dima"));
    is_refused(&ask(&machine, "dima", "whoami"), 5, "`dima` is deactivated");
}

fn cannot_break_out(machine: &Machine) {
    let files =
        "find /srv/popug -path /srv/popug/store -prune -o -type f -print0 | xargs -0 sha256sum";
    let before = machine.does("root", files);
    for (line, status, told) in [
        ("'whoami; id'", 2, "unrecognized subcommand"),
        ("'whoami && id'", 2, "no jobs"),
        ("'whoami > x'", 2, "no redirection"),
        ("'$(id)'", 2, "unrecognized subcommand"),
        (
            "'report tasks --out .ssh/authorized_keys'",
            5,
            "--out is not allowed",
        ),
        ("--as mara whoami", 5, "--as is not allowed"),
        ("'-C /srv whoami'", 5, "-C is not allowed"),
        ("export --dir .ssh", 5, "--dir is not allowed"),
        ("import users /etc/passwd", 5, "FILE is not allowed"),
        ("login mara", 5, "`login` is not allowed"),
        ("restore /tmp", 5, "`restore` is not allowed"),
        ("shell", 5, "`shell` is not allowed"),
        ("sh", 2, "unrecognized subcommand"),
    ] {
        let output = machine.run("anna", &format!("ssh popug@server -- {line}"));
        is_refused(&output, status, told);
    }
    for command in [
        "echo x | sftp -b - popug@server",
        "scp ~/.ssh/config popug@server:x",
        "scp popug@server:.ssh/authorized_keys ~/stolen",
        "ssh -W 127.0.0.1:22 popug@server",
        "ssh -o ExitOnForwardFailure=yes -R 0:127.0.0.1:22 popug@server whoami",
    ] {
        let output = machine.run("anna", command);
        assert_ne!(output.status, 0, "{command}: {}", output.stdout);
    }
    assert_ne!(machine.run("anna", "test -e ~/stolen").status, 0);
    assert_eq!(before, machine.does("root", files));
}

fn is_a_prompt_at_a_terminal(machine: &Machine) {
    let world = World::empty();
    let command = documented("ssh -t popug@server");
    let terminal = Terminal::running(&world, machine.words("anna", command));
    terminal.ends_with("UberPopug Inc.:anna> ");
    terminal.enters("whoami");
    terminal.has("anna Popug (anna), worker");
    terminal.types("task sh");
    terminal.presses("Tab");
    terminal.ends_with("UberPopug Inc.:anna> task show");
    terminal.presses("C-c");
    terminal.ends_with("UberPopug Inc.:anna> ");
    // A suspended shell gives no other one.
    terminal.presses("C-z");
    terminal.enters("whoami --out x");
    terminal.has("--out is not allowed here");
    terminal.ends_with("UberPopug Inc.:anna> ");
    terminal.presses("C-d");
    assert_eq!(terminal.ended(), 0);
    assert_ne!(
        machine
            .run("root", "find /srv/popug -name history | grep .")
            .status,
        0
    );
}
