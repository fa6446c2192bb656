//! The Unix users for whom an account runs the program: those who used `sudo`, `doas`, `pkexec` or
//! `su`.
//!
//! They have separate sessions and histories, apart from each other and from the account itself.
//! Invariant: each of these programs names the user who called it and cannot be made to name
//! another one. So a forged name, such as a login uid where the system has set none, only adds to
//! the true ones and leads to no other caller's directory.

/// The kernel's login uid of a process whose session began without a login.
const NO_LOGIN_UID: u32 = u32::MAX;

/// Empty if the account acts for itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Callers(Vec<String>);

impl Callers {
    /// The callers of a process of the account `own`: the uids that system and environment name,
    /// and the login that `doas` names.
    pub fn of(
        own: u32,
        uids: impl IntoIterator<Item = Option<u32>>,
        doas_user: Option<&str>,
    ) -> Callers {
        let mut callers: Vec<String> = Vec::new();
        for uid in uids
            .into_iter()
            .flatten()
            .filter(|uid| *uid != own && *uid != NO_LOGIN_UID)
        {
            let uid = uid.to_string();
            if !callers.contains(&uid) {
                callers.push(uid);
            }
        }
        callers.extend(
            doas_user
                .filter(|login| !login.is_empty())
                .map(|login| format!("doas-{}", escaped(login))),
        );
        Callers(callers)
    }

    /// The name of a directory for exactly these callers.
    pub fn directory_name(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| format!("caller-{}", self.0.join("+")))
    }
}

/// The login as a part of a path that differs for each login and contains no separators.
fn escaped(login: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02x}"),
    };
    login.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POPUG: u32 = 900;
    const ANNA: u32 = 1001;
    const DIMA: u32 = 1002;

    fn directory(uids: [Option<u32>; 3], doas_user: Option<&str>) -> Option<String> {
        Callers::of(POPUG, uids, doas_user).directory_name()
    }

    #[test]
    fn an_account_that_acts_for_itself_has_no_caller() {
        assert_eq!(directory([None, None, None], None), None);
        assert_eq!(directory([Some(POPUG), None, None], None), None);
        assert_eq!(
            directory([Some(NO_LOGIN_UID), Some(POPUG), None], Some("")),
            None
        );
    }

    #[test]
    fn each_caller_has_a_directory_however_they_came() {
        assert_eq!(
            directory([Some(NO_LOGIN_UID), Some(ANNA), None], None).unwrap(),
            "caller-1001"
        );
        assert_eq!(
            directory([Some(ANNA), Some(ANNA), None], None).unwrap(),
            "caller-1001"
        );
        assert_eq!(
            directory([Some(ANNA), None, None], None).unwrap(),
            "caller-1001",
            "su"
        );
        assert_eq!(
            directory([None, None, Some(DIMA)], None).unwrap(),
            "caller-1002",
            "pkexec"
        );
        assert_eq!(
            directory([None, None, None], Some("anna")).unwrap(),
            "caller-doas-anna"
        );
        assert_eq!(
            directory([None, Some(0), None], None).unwrap(),
            "caller-0",
            "root"
        );
    }

    #[test]
    fn nobody_gets_into_the_directory_of_another_by_what_they_can_make_up() {
        let annas = [
            [Some(NO_LOGIN_UID), Some(ANNA), None],
            [Some(ANNA), Some(ANNA), None],
            [Some(ANNA), None, None],
        ];
        let annas = annas.map(|uids| directory(uids, None));
        // If the system has set no login uid, a process may set it once; sudo and doas still name
        // the caller.
        for made_up in [
            directory([Some(ANNA), Some(DIMA), None], None),
            directory([Some(ANNA), None, None], Some("dima")),
        ] {
            assert!(
                made_up.is_some() && !annas.contains(&made_up),
                "{made_up:?}"
            );
        }
        let odd = directory([None, None, None], Some("../caller-1001+x")).unwrap();
        assert_eq!(odd, "caller-doas-%2e%2e%2fcaller-1001%2bx");
    }
}
