//! Names for simulated popugs, Cyrillic and Latin, and logins that follow from them.

use std::collections::HashSet;

/// First names, as they are written and for a login.
const CYRILLIC: [(&str, &str); 24] = [
    ("Борис", "boris"),
    ("Вера", "vera"),
    ("Глеб", "gleb"),
    ("Дарья", "darya"),
    ("Егор", "egor"),
    ("Жанна", "zhanna"),
    ("Зоя", "zoya"),
    ("Иван", "ivan"),
    ("Кира", "kira"),
    ("Лев", "lev"),
    ("Майя", "maya"),
    ("Никита", "nikita"),
    ("Олег", "oleg"),
    ("Полина", "polina"),
    ("Роман", "roman"),
    ("Софья", "sofya"),
    ("Тимур", "timur"),
    ("Ульяна", "ulyana"),
    ("Фёдор", "fedor"),
    ("Харитон", "khariton"),
    ("Эльза", "elza"),
    ("Юлия", "yulia"),
    ("Яков", "yakov"),
    ("Алёна", "alyona"),
];

/// Surnames with one form for every gender: kinds of parrots.
const CYRILLIC_KINDS: [(&str, &str); 10] = [
    ("Жако", "zhako"),
    ("Ара", "ara"),
    ("Какаду", "kakadu"),
    ("Кеа", "kea"),
    ("Лори", "lori"),
    ("Какапо", "kakapo"),
    ("Каик", "kaik"),
    ("Нестор", "nestor"),
    ("Амазон", "amazon"),
    ("Сенегал", "senegal"),
];

const LATIN: [(&str, &str); 16] = [
    ("Alice", "alice"),
    ("Bruno", "bruno"),
    ("Chloë", "chloe"),
    ("Diego", "diego"),
    ("Edith", "edith"),
    ("François", "francois"),
    ("Greta", "greta"),
    ("Håkon", "hakon"),
    ("Inês", "ines"),
    ("Jörg", "joerg"),
    ("Kate", "kate"),
    ("Luís", "luis"),
    ("Maud", "maud"),
    ("Noël", "noel"),
    ("Olive", "olive"),
    ("Piotr", "piotr"),
];

const LATIN_KINDS: [(&str, &str); 10] = [
    ("Macaw", "macaw"),
    ("Lory", "lory"),
    ("Rosella", "rosella"),
    ("O'Conure", "oconure"),
    ("Lovebird", "lovebird"),
    ("Budgie", "budgie"),
    ("Corella", "corella"),
    ("Pionus", "pionus"),
    ("Galah", "galah"),
    ("Caique", "caique"),
];

/// A user to be registered.
pub(super) struct Person {
    pub login: String,
    pub full_name: String,
    pub email: String,
}

/// Gives each user a free login.
pub(super) struct Names {
    taken: HashSet<String>,
    next: usize,
}

impl Names {
    pub(super) fn beside(taken: HashSet<String>) -> Names {
        Names { taken, next: 0 }
    }

    /// Three Cyrillic names, then a Latin one.
    pub(super) fn next(&mut self) -> Person {
        let (round, is_latin) = (self.next / 4, self.next % 4 == 3);
        let (first, kind) = if is_latin {
            (
                LATIN[round % LATIN.len()],
                LATIN_KINDS[(round + round / LATIN.len()) % LATIN_KINDS.len()],
            )
        } else {
            let nth = self.next - round;
            (
                CYRILLIC[nth % CYRILLIC.len()],
                CYRILLIC_KINDS[(nth + nth / CYRILLIC.len()) % CYRILLIC_KINDS.len()],
            )
        };
        self.next += 1;
        let login = self.free_login(&format!("{}.{}", first.1, kind.1));
        Person {
            full_name: format!("{} {}", first.0, kind.0),
            email: format!("{login}@popug.example"),
            login,
        }
    }

    fn free_login(&mut self, wanted: &str) -> String {
        let numbered = (2..).map(|n| format!("{wanted}{n}"));
        let mut logins = std::iter::once(wanted.to_owned()).chain(numbered);
        let login = logins
            .find(|login| !self.taken.contains(login))
            .expect("some number is free");
        self.taken.insert(login.clone());
        login
    }
}
