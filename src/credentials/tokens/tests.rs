//! Tokens against real files: accepted tokens, and every reason to refuse one.

use std::process::Command;

use super::*;
use crate::credentials::fixture::{at, at_micros, company, store, user};
use crate::credentials::issued::TokenState;
use crate::credentials::private_file;
use crate::deadline::Child;
use crate::domain::id::CompanyId;

fn ttl(text: &str) -> Ttl {
    text.parse().unwrap()
}

fn issue(auth: &AuthDir) -> Issued {
    auth.tokens()
        .issue(user(1), TokenKind::Token, ttl("1h"), at(0))
        .unwrap()
}

fn refusal(auth: &AuthDir, token: &str, now: EventTime) -> CredentialError {
    let refused = auth
        .tokens()
        .verify(&TokenText::new(token), now)
        .unwrap_err();
    let shown = format!("{refused} {refused:?} {:?}", refused.hint());
    assert!(
        token.len() < 20 || !shown.contains(token),
        "a message shows the token: {shown}"
    );
    refused
}

#[test]
fn a_token_proves_who_and_until_when() {
    let (directory, auth) = store();
    let issued = issue(&auth);
    let auth = AuthDir::open(directory.path(), company()).unwrap();
    let claims = auth.tokens().verify(&issued.token, at(1)).unwrap();
    let expected = Claims {
        user_id: user(1),
        token_id: issued.record.token_id,
        expires_at: at(3_600),
    };
    assert_eq!(claims, expected);
    let trailing_line_break = TokenText::new(&format!("{}\n", issued.token.reveal()));
    assert_eq!(
        auth.tokens().verify(&trailing_line_break, at(1)).unwrap(),
        expected
    );
}

#[test]
fn a_token_is_its_id_and_a_secret_that_the_store_does_not_hold() {
    let (directory, auth) = store();
    let (first, second) = (issue(&auth), issue(&auth));
    let parts = |issued: &Issued| {
        let text = issued
            .token
            .reveal()
            .strip_prefix(TOKEN_HEADER)
            .unwrap()
            .to_owned();
        let (id, secret) = text.split_once('_').unwrap();
        assert_eq!(id, issued.record.token_id.to_string().replace('-', ""));
        assert_eq!(secret.len(), 64);
        secret.to_owned()
    };
    let (secret, other) = (parts(&first), parts(&second));
    assert_ne!(secret, other);
    let path = format!("auth/tokens/2026-11-22/{}.json", first.record.token_id);
    let record = std::fs::read_to_string(directory.path().join(path)).unwrap();
    assert!(
        record.contains(&first.record.sha256) && first.record.sha256.len() == 64,
        "{record}"
    );
    assert!(!record.contains(&secret), "{record}");
}

#[test]
fn a_token_is_valid_up_to_the_microsecond_before_it_expires() {
    let (_directory, auth) = store();
    let issued = issue(&auth);
    let verify = |micros| auth.tokens().verify(&issued.token, at_micros(micros));
    let end = 3_600_000_000;
    assert!(verify(end - 1).is_ok());
    for micros in [end, end + 1, end * 1_000] {
        let refused = verify(micros).unwrap_err();
        assert!(
            matches!(refused, CredentialError::TokenExpired { expired_at, .. } if expired_at == at(3_600))
        );
    }
    // A clock that was set back does not make a token invalid.
    assert!(verify(-1).is_ok());
}

#[test]
fn an_expiry_beyond_the_calendar_is_refused() {
    let (_directory, auth) = store();
    let now = "9999-12-30T00:00:00Z".parse().unwrap();
    let refused = auth
        .tokens()
        .issue(user(1), TokenKind::Token, ttl("90d"), now)
        .unwrap_err();
    assert!(
        matches!(refused, CredentialError::BadTtl { .. }),
        "{refused}"
    );
}

#[test]
fn a_token_with_any_character_changed_is_refused() {
    let (_directory, auth) = store();
    let token = issue(&auth).token.reveal().to_owned();
    for at_byte in 0..token.len() {
        for other in ['0', 'a', 'A', 'g', '_', '.', '=', '~', 'й']
            .into_iter()
            .filter(|c| !token[at_byte..].starts_with(*c))
        {
            let altered = format!("{}{other}{}", &token[..at_byte], &token[at_byte + 1..]);
            let refused = refusal(&auth, &altered, at(1));
            let expected = matches!(
                refused,
                CredentialError::TokenMalformed { .. } | CredentialError::TokenUnknown
            );
            assert!(expected, "{altered}: {refused}");
        }
    }
}

#[test]
fn a_token_cut_or_lengthened_anywhere_is_refused() {
    let (_directory, auth) = store();
    let token = issue(&auth).token.reveal().to_owned();
    for at_byte in 0..token.len() {
        refusal(&auth, &token[..at_byte], at(1));
        refusal(
            &auth,
            &format!("{}0{}", &token[..at_byte], &token[at_byte..]),
            at(1),
        );
    }
    for tail in ["0", "00", "_", "_00", ".", "=", "A"] {
        refusal(&auth, &format!("{token}{tail}"), at(1));
    }
}

#[test]
fn the_id_of_one_token_and_the_secret_of_another_are_no_token() {
    let (_directory, auth) = store();
    let (first, second) = (issue(&auth), issue(&auth));
    let (id, _) = first.token.reveal().rsplit_once('_').unwrap();
    let (_, secret) = second.token.reveal().rsplit_once('_').unwrap();
    let refused = refusal(&auth, &format!("{id}_{secret}"), at(1));
    assert!(
        matches!(refused, CredentialError::TokenUnknown),
        "{refused}"
    );
}

#[test]
fn a_token_of_another_store_is_unknown() {
    let ((_directory, auth), (_other_directory, other)) = (store(), store());
    let refused = refusal(&auth, issue(&other).token.reveal(), at(1));
    assert!(
        matches!(refused, CredentialError::TokenUnknown),
        "{refused}"
    );
    assert!(refused.hint().unwrap().contains("--store"));
}

#[test]
fn a_token_is_worth_nothing_in_a_copy_of_the_files_under_another_company() {
    let (directory, auth) = store();
    let issued = issue(&auth);
    let other = CompanyId::from_uuid(uuid::Uuid::from_u128(8));
    let copied = AuthDir::open(directory.path(), other).unwrap();
    assert!(matches!(
        refusal(&copied, issued.token.reveal(), at(1)),
        CredentialError::TokenUnknown
    ));
}

#[test]
fn garbage_and_other_kinds_of_token_are_not_tokens_of_this_program() {
    let (_directory, auth) = store();
    let (id, secret) = ("0".repeat(32), "0".repeat(64));
    for (token, what) in [
        ("", "empty"),
        (" \n", "empty"),
        ("hello", "does not begin with popug_token_"),
        ("Popug_token_00_00", "does not begin with popug_token_"),
        (
            "Bearer popug_token_00_00",
            "does not begin with popug_token_",
        ),
        (
            "eyJhbGciOiJub25lIn0.e30.",
            "does not begin with popug_token_",
        ),
        ("popug_token_", "cut off or mistyped"),
        ("popug_token__", "cut off or mistyped"),
        ("popug_token_\0", "cut off or mistyped"),
        ("popug_token_попуг", "cut off or mistyped"),
        (&format!("popug_token_{id}{secret}"), "cut off or mistyped"),
        (&format!("popug_token_{secret}_{id}"), "cut off or mistyped"),
        (
            &format!("popug_token_{id}_{}", "A".repeat(64)),
            "cut off or mistyped",
        ),
        (
            &format!("popug_token_{id}_{secret}_"),
            "cut off or mistyped",
        ),
        (
            &format!("popug_token_{}", "0".repeat(2_000_000)),
            "cut off or mistyped",
        ),
    ] {
        let refused = refusal(&auth, token, at(1));
        let CredentialError::TokenMalformed { what: found } = refused else {
            panic!("{refused}")
        };
        assert!(found.contains(what), "{:.60}: {found}", token);
    }
    assert!(matches!(
        refusal(&auth, &format!("popug_token_{id}_{secret}"), at(1)),
        CredentialError::TokenUnknown
    ));
}

/// Earlier versions signed their tokens and recorded no hash of them.
#[test]
fn a_token_that_an_earlier_version_signed_is_refused_with_the_next_step_and_not_listed() {
    let (_directory, auth) = store();
    let id = TokenId::random(at(0));
    let day = auth.tokens_directory().join("2026-11-22");
    private_file::create_directory(&day).unwrap();
    let record = format!(
        r#"{{"format":1,"token":{{"token_id":"{id}","user_id":"{}","kind":"token","issued_at":"2026-11-22T10:00:00Z","expires_at":"2026-11-22T11:00:00Z"}}}}"#,
        user(1)
    );
    private_file::replace(&day.join(format!("{id}.json")), record.as_bytes()).unwrap();
    let refused = refusal(&auth, &format!("v4.public.{}", "A".repeat(250)), at(1));
    assert!(
        matches!(refused, CredentialError::TokenOutdated),
        "{refused}"
    );
    assert!(refused.hint().unwrap().contains("token issue"));
    assert_eq!(auth.tokens().list().unwrap(), []);
    let guessed = format!("popug_token_{}_{}", id.hex(), "0".repeat(64));
    assert!(matches!(
        refusal(&auth, &guessed, at(1)),
        CredentialError::TokenUnknown
    ));
    let unknown = auth.tokens().revoke(id, at(1)).unwrap_err();
    assert!(matches!(unknown, CredentialError::NoSuchToken { .. }));
}

#[test]
fn a_revoked_token_is_refused_from_then_on_and_stays_revoked() {
    let (_directory, auth) = store();
    let (issued, other) = (issue(&auth), issue(&auth));
    let id = issued.record.token_id;
    assert_eq!(
        auth.tokens().revoke(id, at(5)).unwrap().revoked_at,
        Some(at(5))
    );
    assert_eq!(
        auth.tokens().revoke(id, at(9)).unwrap().revoked_at,
        Some(at(5))
    );
    let refused = refusal(&auth, issued.token.reveal(), at(1));
    assert!(
        matches!(refused, CredentialError::TokenRevoked { revoked_at, .. } if revoked_at == at(5)),
        "{refused}"
    );
    assert!(auth.tokens().verify(&other.token, at(10)).is_ok());
    let unknown = auth
        .tokens()
        .revoke(TokenId::random(at(0)), at(5))
        .unwrap_err();
    assert!(matches!(unknown, CredentialError::NoSuchToken { .. }));
}

#[test]
fn a_token_whose_record_was_lost_is_refused() {
    let (_directory, auth) = store();
    let issued = issue(&auth);
    std::fs::remove_dir_all(auth.tokens_directory()).unwrap();
    let refused = refusal(&auth, issued.token.reveal(), at(1));
    assert!(
        matches!(refused, CredentialError::TokenUnknown),
        "{refused}"
    );
    assert!(auth.tokens().list().unwrap().is_empty());
    issue(&auth);
    assert_eq!(auth.tokens().list().unwrap().len(), 1);
}

#[test]
fn a_damaged_record_is_named_and_lets_nobody_in() {
    let (_directory, auth) = store();
    let (issued, other) = (issue(&auth), issue(&auth));
    let path = |record: &TokenRecord| {
        auth.tokens_directory()
            .join(format!("2026-11-22/{}.json", record.token_id))
    };
    let others = std::fs::read(path(&other.record)).unwrap();
    for bytes in [
        &b""[..],
        b"{}",
        b"\xff",
        br#"{"format":1,"token":{"kind":"root"}}"#,
        &others,
    ] {
        private_file::replace(&path(&issued.record), bytes).unwrap();
        let refused = refusal(&auth, issued.token.reveal(), at(1));
        assert!(
            matches!(refused, CredentialError::Damaged { .. }),
            "{refused}"
        );
        assert!(
            refused
                .to_string()
                .contains(&issued.record.token_id.to_string()),
            "{refused}"
        );
        assert!(auth.tokens().list().is_err());
    }
    assert!(auth.tokens().verify(&other.token, at(1)).is_ok());
}

#[test]
fn the_list_shows_kinds_and_states_oldest_first() {
    let (_directory, auth) = store();
    let tokens = auth.tokens();
    let late = tokens
        .issue(user(2), TokenKind::Session, Ttl::SESSION, at(50))
        .unwrap()
        .record;
    let early = tokens
        .issue(user(1), TokenKind::Token, ttl("10s"), at(10))
        .unwrap()
        .record;
    let middle = tokens
        .issue(user(1), TokenKind::Token, ttl("2w"), at(20))
        .unwrap()
        .record;
    tokens.revoke(middle.token_id, at(30)).unwrap();
    std::fs::write(auth.tokens_directory().join("2026-11-22/.leftover.new"), "").unwrap();
    let listed = tokens.list().unwrap();
    assert_eq!(
        listed.iter().map(|r| r.token_id).collect::<Vec<_>>(),
        [early.token_id, middle.token_id, late.token_id]
    );
    assert_eq!(
        listed.iter().map(|r| r.kind.name()).collect::<Vec<_>>(),
        ["token", "token", "session"]
    );
    let states = |now| listed.iter().map(|r| r.state(now)).collect::<Vec<_>>();
    assert_eq!(
        states(at(19)),
        [TokenState::Valid, TokenState::Revoked, TokenState::Valid]
    );
    assert_eq!(
        states(at(20)),
        [TokenState::Expired, TokenState::Revoked, TokenState::Valid]
    );
}

#[test]
fn records_are_forgotten_a_month_after_their_token_expired() {
    let (_directory, auth) = store();
    const DAY: i64 = 86_400;
    let issued = issue(&auth);
    let other = |day| {
        auth.tokens()
            .issue(user(2), TokenKind::Token, ttl("1h"), at(day * DAY))
            .unwrap()
    };
    other(30);
    assert_eq!(auth.tokens().list().unwrap().len(), 2);
    let refused = refusal(&auth, issued.token.reveal(), at(30 * DAY));
    assert!(
        matches!(refused, CredentialError::TokenExpired { .. }),
        "{refused}"
    );
    other(31);
    assert_eq!(auth.tokens().list().unwrap().len(), 2);
    let refused = refusal(&auth, issued.token.reveal(), at(31 * DAY));
    assert!(
        matches!(refused, CredentialError::TokenUnknown),
        "{refused}"
    );
}

const CHILD_STORE: &str = "POPUG_TEST_TOKENS_STORE";
const CHILDREN: usize = 4;
const TOKENS_EACH: usize = 10;

/// Runs itself again in several processes, each of which issues tokens and revokes every second
/// one.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test reads the store of its other processes from the environment"
)]
fn several_processes_issuing_and_revoking_at_once_lose_nothing() {
    if let Some(directory) = std::env::var_os(CHILD_STORE) {
        return issue_and_revoke(&AuthDir::open(directory.as_ref(), company()).unwrap());
    }
    let (directory, auth) = store();
    let child = || {
        let name = "credentials::tokens::tests::several_processes_issuing_and_revoking_at_once_lose_nothing";
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", name, "--nocapture"])
            .env(CHILD_STORE, directory.path());
        Child::start(command.stdout(std::process::Stdio::null()))
    };
    let children: Vec<_> = (0..CHILDREN).map(|_| child()).collect();
    for mut child in children {
        assert!(child.wait().success());
    }
    let listed = auth.tokens().list().unwrap();
    assert_eq!(listed.len(), CHILDREN * TOKENS_EACH);
    assert_eq!(
        listed
            .iter()
            .filter(|record| record.revoked_at.is_some())
            .count(),
        CHILDREN * TOKENS_EACH / 2
    );
}

fn issue_and_revoke(auth: &AuthDir) {
    for number in 0..TOKENS_EACH {
        let issued = issue(auth);
        assert!(auth.tokens().verify(&issued.token, at(1)).is_ok());
        if number % 2 == 0 {
            auth.tokens().revoke(issued.record.token_id, at(2)).unwrap();
        }
    }
}

#[test]
fn a_reader_never_sees_a_record_half_written() {
    let (_directory, auth) = store();
    let issued = issue(&auth);
    let record = issued.record.clone();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..50 {
                auth.tokens()
                    .registry()
                    .put(&record, &auth.lock().unwrap())
                    .unwrap();
            }
        });
        while !writer.is_finished() {
            auth.tokens().verify(&issued.token, at(1)).unwrap();
            assert_eq!(auth.tokens().list().unwrap(), std::slice::from_ref(&record));
        }
    });
}

/// Every command verifies a token, so this must be cheap. The bound is generous: it finds work that
/// grows with the number of tokens, or a password hash in the wrong place.
#[test]
fn verifying_a_token_is_fast_however_many_there_are() {
    let (_directory, auth) = store();
    let issued = issue(&auth);
    let lock = auth.lock().unwrap();
    for _ in 0..100 {
        let record = TokenRecord {
            token_id: TokenId::random(at(0)),
            ..issued.record.clone()
        };
        auth.tokens().registry().put(&record, &lock).unwrap();
    }
    let verify = || {
        let started = std::time::Instant::now();
        auth.tokens().verify(&issued.token, at(1)).unwrap();
        started.elapsed()
    };
    let mut times: Vec<_> = (0..101).map(|_| verify()).collect();
    times.sort();
    println!("verify: median {:?}, fastest {:?}", times[50], times[0]);
    assert!(times[50].as_millis() < 10, "{:?}", times[50]);
}
