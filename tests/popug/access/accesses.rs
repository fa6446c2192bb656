//! `access grant`, `list` and `revoke`: the line for `authorized_keys`, and the token behind it.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::helpers::deadline;
use crate::helpers::harness::Text::{Any, Has, Nothing};
use crate::helpers::harness::World;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

/// Grants access with a key. Returns the id and the line.
fn grant(world: &World, login: &str, key: &str) -> (String, String) {
    let words = ["access", "grant", login, "--ssh-key", "-", "-o", "json"];
    let call = world
        .call("ada", &words)
        .stdin(&format!("{key} a comment\n"));
    let answer = call.expect(0, Any, Nothing).json();
    let text = |name: &str| answer[name].as_str().expect("a text").to_owned();
    assert_eq!(text("login"), login);
    (text("access_id"), text("line"))
}

#[test]
fn a_granted_access_is_a_line_whose_command_acts_as_the_user_until_it_is_revoked() {
    let world = World::new();
    let (id, line) = grant(&world, "dora", KEY);
    let store = world.store().canonicalize().expect("there");
    let token = store.join("auth/access").join(&id);
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_popug-cli"));
    let program = program.canonicalize().expect("there");
    let wanted = format!(
        "restrict,pty,command=\"{} -C '{}' shell --restrict --ssh --token-file '{}'\" {KEY} dora",
        program.display(),
        store.display(),
        token.display()
    );
    assert_eq!(line, wanted);
    let mode = std::fs::metadata(&token)
        .expect("there")
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o600);
    // sshd runs the command with the shell of the account.
    let command = line.split('"').nth(1).expect("a command").to_owned();
    let by_ssh = |asked: &str| {
        let call = world.anonymous(&[]);
        let call = call.through(&["sh", "-c", &command]);
        call.env("SSH_ORIGINAL_COMMAND", asked)
    };
    by_ssh("whoami").expect(0, Has("dora"), Nothing);
    by_ssh("access list").expect(0, Has(&id), Nothing);
    // A valid key opens one access.
    let again = ["access", "grant", "mara", "--ssh-key", "-"];
    let again = world.call("ada", &again).stdin(KEY);
    again.expect(4, Nothing, Has("this key is the access"));
    let rows = world.rows("ada", &["access", "list"]);
    assert_eq!(rows.len(), 1);
    for (name, value) in [("login", "dora"), ("granted_by", "ada"), ("state", "valid")] {
        assert_eq!(rows[0][name], value);
    }
    assert!(
        rows[0]["key"]
            .as_str()
            .expect("a text")
            .starts_with("SHA256:")
    );
    // It ends with a demand of its user, an admin, or with the user.
    world.does("ada", &["user", "deactivate", "dora"]);
    by_ssh("whoami").expect(5, Nothing, Any);
    world.does("ada", &["user", "reactivate", "dora"]);
    by_ssh("whoami").expect(0, Has("dora"), Nothing);
    world.does("dora", &["access", "revoke", &id[..13]]);
    by_ssh("whoami").expect(5, Nothing, Has("there is no access any more"));
    assert!(!token.exists());
    let rows = world.rows("dora", &["access", "list"]);
    assert_eq!(rows[0]["state"], "revoked");
    grant(&world, "mara", KEY);
}

#[test]
fn only_an_admin_grants_access_and_others_see_and_revoke_their_own() {
    let world = World::new();
    let (doras, _) = grant(&world, "dora", KEY);
    let grants = ["access", "grant", "dan", "--ssh-key", "-", "-o", "json"];
    for login in ["mara", "axel", "dora", "walt", "cron"] {
        let call = world.call(login, &grants).stdin(KEY);
        call.expect(5, Nothing, Has("role_may_not"));
    }
    assert!(world.rows("dan", &["access", "list"]).is_empty());
    world.refused("dan", &["access", "revoke", &doras], 3, "unknown_access");
    assert_eq!(world.rows("dora", &["access", "list"]).len(), 1);
    world.does("ada", &["access", "revoke", &doras]);
    world.does("ada", &["access", "revoke", &doras]);
    world.refused(
        "ada",
        &["access", "revoke", "01a2b3c4"],
        3,
        "unknown_access",
    );
}

#[test]
fn a_grant_without_a_sound_key_or_user_changes_nothing() {
    let world = World::new();
    std::fs::write(
        world.home().join("id"),
        "-----BEGIN OPENSSH PRIVATE KEY-----\n",
    )
    .expect("written");
    for (key, exit, told) in [
        ("id", 6, "it is a private key"),
        ("missing", 1, "cannot read the key"),
    ] {
        let words = ["access", "grant", "dora", "--ssh-key", key];
        world.call("ada", &words).expect(exit, Nothing, Has(told));
    }
    let words = ["access", "grant", "nobody", "--ssh-key", "-"];
    world.call("ada", &words).stdin(KEY).expect(3, Nothing, Any);
    let words = ["access", "grant", "dora", "--ssh-key", "-", "--ttl", "0d"];
    world.call("ada", &words).stdin(KEY).expect(2, Nothing, Any);
    let words = ["access", "grant", "dora", "--ssh-key", "-", "-n"];
    world.call("ada", &words).stdin(KEY).expect(0, Any, Any);
    world.does("ada", &["user", "deactivate", "dan"]);
    let words = ["access", "grant", "dan", "--ssh-key", "-"];
    world
        .call("ada", &words)
        .stdin(KEY)
        .expect(4, Nothing, Has("deactivated"));
    assert!(world.rows("ada", &["access", "list"]).is_empty());
    assert!(!world.store().join("auth/access").exists());
}

#[test]
fn a_backup_has_the_tokens_of_accesses_only_with_the_other_secrets() {
    let world = World::new();
    let (id, _) = grant(&world, "dora", KEY);
    world.does("ada", &["backup", "without"]);
    world.does("ada", &["backup", "with", "--with-secrets"]);
    let has = |backup: &str| {
        let mut grep = Command::new("grep");
        grep.args(["-rlF", &id]).arg(world.home().join(backup));
        deadline::output(&mut grep).status.success()
    };
    assert!(!has("without") && has("with"));
}
