//! The output of `strace -f -y -xx`, as changes of files.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::content::pieces;
use super::disk::Change;

/// Every call that changes a file, or makes a change durable. The program does not use the last
/// ones; a test fails if it begins to.
pub const CALLS: &str = "trace=openat,creat,open,write,pwrite64,writev,pwritev,pwritev2,lseek,ftruncate,truncate,\
                         fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,\
                         fallocate,link,linkat,symlink,symlinkat,copy_file_range,sendfile,sync_file_range";

pub struct Traced {
    store: PathBuf,
    names: BTreeMap<PathBuf, Option<usize>>,
    lengths: Vec<u64>,
    /// The offset of the next `write` of a descriptor; `None` for the end.
    positions: HashMap<String, Option<u64>>,
    changes: Vec<Change>,
}

impl Traced {
    pub fn new(store: &Path, names: BTreeMap<PathBuf, Option<usize>>, lengths: Vec<u64>) -> Traced {
        Traced {
            store: store.to_owned(),
            names,
            lengths,
            positions: HashMap::new(),
            changes: Vec::new(),
        }
    }

    pub fn changes(&mut self, trace: &str) -> Vec<Change> {
        for call in crate::helpers::strace::calls(trace) {
            self.saw(&call);
        }
        std::mem::take(&mut self.changes)
    }

    fn saw(&mut self, call: &str) {
        let (name, arguments) = call.split_once('(').expect("a call");
        match name {
            "openat" => self.opened(call, arguments),
            "mkdir" | "mkdirat" => self.named(arguments, |path| Change::MakeDirectory { path }),
            "unlink" | "unlinkat" | "rmdir" => {
                self.named(arguments, |path| Change::Remove { path })
            }
            "rename" | "renameat" | "renameat2" => self.moved(arguments),
            _ => self.on_descriptor(name, arguments),
        }
    }

    /// The place below the store of each path among the arguments.
    fn paths(&self, arguments: &str) -> Vec<Option<PathBuf>> {
        let parts: Vec<_> = arguments.split('"').collect();
        let path = |part: &[&str]| {
            let directory = annotated(part[0]).unwrap_or_default();
            let path = directory.join(PathBuf::from(OsString::from_vec(bytes(part[1]))));
            self.below(&through_descriptor(&path, &self.store))
        };
        parts.chunks_exact(2).map(path).collect()
    }

    fn below(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.store).ok().map(Path::to_owned)
    }

    fn named(&mut self, arguments: &str, change: impl Fn(PathBuf) -> Change) {
        if let Some(path) = self.paths(arguments).swap_remove(0) {
            let change = change(path);
            match &change {
                Change::Remove { path } => drop(self.names.remove(path)),
                Change::MakeDirectory { path } => drop(self.names.insert(path.clone(), None)),
                _ => unreachable!("only these have one path"),
            }
            self.changes.push(change);
        }
    }

    fn moved(&mut self, arguments: &str) {
        let mut paths = self.paths(arguments);
        let (Some(to), Some(from)) = (paths.pop().flatten(), paths.pop().flatten()) else {
            return;
        };
        if let Some(file) = self.names.remove(&from) {
            self.names.insert(to.clone(), file);
        }
        self.changes.push(Change::Move { from, to });
    }

    fn opened(&mut self, call: &str, arguments: &str) {
        let Some(path) = self.paths(arguments).swap_remove(0) else {
            return;
        };
        let descriptor = call
            .rsplit_once(" = ")
            .expect("a result")
            .1
            .split('<')
            .next()
            .expect("a number")
            .to_owned();
        let is_append = arguments.contains("O_APPEND");
        self.positions.insert(descriptor, (!is_append).then_some(0));
        if arguments.contains("O_CREAT") && !self.names.contains_key(&path) {
            let file = self.lengths.len();
            self.lengths.push(0);
            self.names.insert(path.clone(), Some(file));
            self.changes.push(Change::Create { path, file });
        } else if arguments.contains("O_TRUNC")
            && let Some(Some(file)) = self.names.get(&path)
        {
            self.lengths[*file] = 0;
            self.changes.push(Change::Cut {
                file: *file,
                length: 0,
            });
        }
    }

    fn on_descriptor(&mut self, name: &str, arguments: &str) {
        let Some(path) = annotated(arguments) else {
            return;
        };
        let Some(path) = self.below(&path) else {
            return;
        };
        let descriptor = arguments.split('<').next().expect("a number").to_owned();
        let file = match self.names.get(&path) {
            Some(Some(file)) => *file,
            None if path == Path::new("") => {
                return self.changes.push(Change::SyncDirectory { path });
            }
            Some(None) => return self.changes.push(Change::SyncDirectory { path }),
            // Removed while it is open.
            None => return,
        };
        let number = |from_end: usize| -> u64 {
            let numbers = arguments.rsplit_once(')').expect("an end").0;
            numbers
                .rsplit(", ")
                .nth(from_end)
                .expect("a number")
                .parse()
                .expect("a number")
        };
        match name {
            "fsync" | "fdatasync" => self.changes.push(Change::Sync { file }),
            "ftruncate" => {
                self.lengths[file] = number(0);
                self.changes.push(Change::Cut {
                    file,
                    length: number(0),
                });
            }
            "lseek" => {
                let at = arguments
                    .rsplit_once(" = ")
                    .expect("a result")
                    .1
                    .parse()
                    .expect("a number");
                self.positions.insert(descriptor, Some(at));
            }
            "pwrite64" => self.written(file, number(0), arguments),
            "write" => {
                let position = self
                    .positions
                    .get(&descriptor)
                    .copied()
                    .expect("it was opened");
                let at = position.unwrap_or(self.lengths[file]);
                let end = self.written_through(file, at, arguments);
                if position.is_some() {
                    self.positions.insert(descriptor, Some(end));
                }
            }
            other => panic!("{other} of {} is not understood", path.display()),
        }
    }

    fn written(&mut self, file: usize, at: u64, arguments: &str) {
        self.written_through(file, at, arguments);
    }

    /// The end of the write.
    fn written_through(&mut self, file: usize, at: u64, arguments: &str) -> u64 {
        let mut bytes = bytes(arguments.split('"').nth(1).expect("bytes"));
        let done: usize = arguments
            .rsplit_once(" = ")
            .expect("a result")
            .1
            .trim()
            .parse()
            .expect("a number");
        assert!(bytes.len() >= done, "the trace has all bytes");
        bytes.truncate(done);
        let end = at + done as u64;
        self.lengths[file] = self.lengths[file].max(end);
        let at = usize::try_from(at).expect("a small file");
        let pieces = pieces(at, &bytes);
        self.changes.push(Change::Write { file, pieces });
        end
    }
}

/// The path that strace adds to a descriptor.
fn annotated(text: &str) -> Option<PathBuf> {
    let (_, rest) = text.split_once('<')?;
    let path = rest.split_once('>')?.0;
    Some(PathBuf::from(OsString::from_vec(bytes(path))))
}

/// A process names the files of its store through the descriptor of the store's directory.
fn through_descriptor(path: &Path, store: &Path) -> PathBuf {
    let mut parts = path.components();
    let is_descriptor = path.starts_with("/proc/self/fd") && parts.by_ref().nth(4).is_some();
    if is_descriptor {
        store.join(parts.as_path())
    } else {
        path.to_owned()
    }
}

/// `\x61\x62` as bytes.
fn bytes(hex: &str) -> Vec<u8> {
    let byte =
        |pair: &str| u8::from_str_radix(pair, 16).unwrap_or_else(|_| panic!("{pair} is no byte"));
    hex.split("\\x").skip(1).map(byte).collect()
}
