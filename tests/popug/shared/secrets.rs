//! The password of a database: it is used, and stands nowhere.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::helpers::harness::{Call, INIT, PASSWORD, Text, World};
use crate::helpers::postgres::Server;

const SECRET: &str = "pg-secret-7315";

/// A server that asks `clerk` for a password.
fn guarded() -> Server {
    let server = Server::start();
    server.sql(&format!(
        "CREATE ROLE clerk LOGIN PASSWORD '{SECRET}' IN ROLE popug_writer"
    ));
    server.ask_for_passwords("clerk");
    server
}

fn holds_secret(path: &Path) -> bool {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).expect("a directory");
        return entries
            .map(|entry| entry.expect("an entry").path())
            .any(|path| holds_secret(&path));
    }
    let bytes = std::fs::read(path).unwrap_or_default();
    bytes
        .windows(SECRET.len())
        .any(|window| window == SECRET.as_bytes())
}

fn list(call: Call<'_>) -> Call<'_> {
    call.env("POPUG_PASSWORD", PASSWORD)
}

#[test]
fn a_password_is_used_from_the_environment_or_pgpass_and_kept_nowhere() {
    let server = guarded();
    let url = server.url().replace("popug@", "clerk@");
    let secret_url = server.url().replace("popug@", &format!("clerk:{SECRET}@"));
    let world = World::empty();
    let init = |url: &str| {
        world
            .anonymous(&INIT)
            .args(&["--log", url, "--password-stdin"])
            .stdin(PASSWORD)
    };
    // Others can see the words of a command.
    let refused = init(&secret_url).expect(2, Text::Nothing, Text::Has("POPUG_LOG_URL"));
    assert!(!refused.stderr.contains(SECRET), "{}", refused.stderr);
    let refused = init(&url).expect(1, Text::Nothing, Text::Has("password"));
    assert!(!refused.stderr.contains(SECRET), "{}", refused.stderr);
    init(&url)
        .env("POPUG_LOG_URL", &secret_url)
        .expect(0, Text::Nothing, Text::Nothing);
    assert!(!holds_secret(&world.store()));
    let words = ["--as", "ada", "user", "list"];
    let without =
        list(world.anonymous(&words)).expect(0, Text::Has("ada"), Text::Has("was not reached"));
    assert!(!without.stderr.contains(SECRET));
    list(world.anonymous(&words).env("POPUG_LOG_URL", &secret_url)).expect(
        0,
        Text::Has("ada"),
        Text::Nothing,
    );
    let pgpass = world.home().join("passes");
    std::fs::write(&pgpass, format!("127.0.0.1:*:books:clerk:{SECRET}\n")).expect("ours");
    let only_mine = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&pgpass, only_mine).expect("ours");
    list(world.anonymous(&words).env("PGPASSFILE", &pgpass)).expect(
        0,
        Text::Has("ada"),
        Text::Nothing,
    );
    let wrong = secret_url.replace(SECRET, &format!("{SECRET}x"));
    let told = list(world.anonymous(&words).env("POPUG_LOG_URL", &wrong));
    let told = told.expect(0, Text::Has("ada"), Text::Has("was not reached"));
    assert!(!told.stderr.contains(SECRET), "{}", told.stderr);
    let rows = server.sql("SELECT string_agg(line, '') FROM popug.event");
    assert!(!rows.contains(SECRET) && !holds_secret(&world.store()));
}
