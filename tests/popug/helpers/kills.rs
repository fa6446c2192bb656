//! Killing the program: at a random moment, or at a named place of a build with `failpoints`.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::sync::Mutex;
use std::time::Duration;

use crate::helpers::harness::{Call, Output, World};
use crate::helpers::settings;
use crate::helpers::sources::{files, read, root};

const SIGKILL: i32 = 9;

/// When to kill.
#[derive(Clone, Debug)]
pub enum Death {
    /// This long after the start.
    After(Duration),
    /// At a passing of a named place: `NAME` or `NAME:N`.
    At(String),
}

/// The end of a run that was to be killed.
pub enum Ended {
    Killed,
    /// It was faster, or never passed the place.
    Finished {
        status: i32,
        stdout: String,
        stderr: String,
    },
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        let Output {
            status,
            stdout,
            stderr,
        } = output;
        Ended::Finished {
            status,
            stdout,
            stderr,
        }
    }
}

/// Every name that the sources give to a place.
pub fn places() -> Vec<String> {
    let mut names = Vec::new();
    for path in files(&root().join("src"), "rs") {
        let text = read(&path);
        let found = text
            .split("failpoint!(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        names.extend(found.map(str::to_owned));
    }
    names.sort();
    names
}

fn name_of(place: &str) -> &str {
    place.split_once(':').map_or(place, |(name, _)| name)
}

/// The number of deaths by place.
#[derive(Default)]
pub struct Tally(Mutex<BTreeMap<String, u64>>);

impl Tally {
    /// Runs `call` and kills it.
    pub fn kill(&self, call: Call<'_>, death: &Death) -> Ended {
        let (child, name) = match death {
            Death::At(place) => (call.env("POPUG_FAILPOINT", place).spawn(), name_of(place)),
            Death::After(_) => (call.spawn(), "at random"),
        };
        if let Death::After(pause) = death {
            std::thread::sleep(*pause);
            child.kill();
        }
        let output = child.output();
        if output.status.signal() == Some(SIGKILL) {
            *self
                .0
                .lock()
                .expect("no panic while it is held")
                .entry(name.to_owned())
                .or_default() += 1;
            return Ended::Killed;
        }
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let status = output.status.code().unwrap_or(-1);
        Ended::Finished {
            status,
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// The number of deaths at any passing of a named place.
    pub fn deaths_at(&self, place: &str) -> u64 {
        self.0
            .lock()
            .expect("no panic while it is held")
            .get(name_of(place))
            .copied()
            .unwrap_or(0)
    }

    pub fn total(&self) -> u64 {
        self.0
            .lock()
            .expect("no panic while it is held")
            .values()
            .sum()
    }

    /// One line for each place, and one for the places of `meant` without a death.
    pub fn lines(&self, meant: &[String]) -> String {
        let struck = self.0.lock().expect("no panic while it is held");
        let mut lines: Vec<_> = struck
            .iter()
            .map(|(name, count)| format!("  {count:6} {name}"))
            .collect();
        lines.extend(
            meant
                .iter()
                .filter(|place| !struck.contains_key(*place))
                .map(|place| format!("       0 {place}")),
        );
        lines.join("\n")
    }
}

/// On a panic prints the round, and keeps its store.
pub struct Seeded<'w> {
    pub seed: u64,
    pub world: &'w World,
}

impl Drop for Seeded<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let kept = std::env::temp_dir().join(format!(
                "popug-torture-{}-{}",
                std::process::id(),
                self.seed
            ));
            crate::helpers::harness::copy(self.world.home(), &kept);
            eprintln!(
                "failed: repeat it with `scripts/torture --seed {}`; its store is {}",
                self.seed,
                kept.display()
            );
        }
    }
}

/// The parameters from `scripts/torture`.
pub struct Asked {
    pub seed: u64,
    pub duration: Duration,
}

impl Asked {
    pub fn read() -> Asked {
        if !cfg!(feature = "failpoints") {
            panic!(
                "without the feature `failpoints` nobody dies at a named place; use scripts/torture"
            );
        }
        let number = |name: &str| {
            settings::number(name)
                .unwrap_or_else(|| panic!("{name} is not set; use scripts/torture"))
        };
        Asked {
            seed: number("POPUG_TORTURE_SEED"),
            duration: Duration::from_secs(number("POPUG_TORTURE_SECONDS")),
        }
    }
}
