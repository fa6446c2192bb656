//! A checksum in every page of a SQLite file, so that a flipped bit is found as damage.
//!
//! SQLite's pages carry none: a flipped bit in a row would be read as a value, and one in the
//! header of a page would hide rows. So our files are opened through a layer over the system's
//! files (a VFS shim, see <https://www.sqlite.org/vfs.html>). A page that is written to the
//! database ends with a checksum of its bytes and its place; a page that is read and does not match
//! is an error, whatever it is read for. The header of the database reserves the bytes for the
//! checksum, so every SQLite can read such a file. Pages that a SQLite without this layer wrote do
//! not match.
//!
//! The write-ahead file is left as it is: its frames have checksums, which SQLite compares when the
//! first process opens it. But SQLite does not check that the write-ahead file continues this very
//! database; somebody may have replaced the database alone by an older copy. So the database counts
//! its generations (in the header's `user_version`). The first transaction after a merge begins the
//! next generation, which stands in the write-ahead file until it is merged. Therefore the
//! generation in the database itself equals the generation that is read, or is one less.
//!
//! The layer also leaves a path as it is given. SQLite's own layer would resolve a held directory
//! (`held.rs`) to its present name and open the companions of the file by that name, and a moment
//! later another store may have it.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::{mem, ptr, slice};

use rusqlite::{Connection, OpenFlags, ffi};
use sha2::{Digest, Sha256};

const NAME: &CStr = c"popug-checked-pages";
/// The same layer without checksums.
const PLAIN: &CStr = c"popug-plain-pages";
const PAGE_BYTES: usize = 4096;
const SUM_BYTES: usize = 8;
/// No page is shorter. A shorter read is one of the header, which is read again with its page.
const PAGE_BYTES_MIN: usize = 512;
/// See <https://www.sqlite.org/fileformat2.html#the_database_header>.
pub(super) const HEADER_BYTES: usize = 100;
/// The place in the header of the number of bytes that are reserved at the end of every page.
const RESERVED_AT: usize = 20;
/// The place in the header of the generation.
const GENERATION_AT: ffi::sqlite3_int64 = 60;

/// Opens a database of this version to read and write it. Each page is checked when it is read.
pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    open_if(true, path, OpenFlags::default())
}

/// Opens a database: of this version if `checked`, otherwise of an older one.
pub(super) fn open_if(
    checked: bool,
    name: impl AsRef<Path>,
    flags: OpenFlags,
) -> rusqlite::Result<Connection> {
    register()?;
    Connection::open_with_flags_and_vfs(name, flags, if checked { NAME } else { PLAIN })
}

/// Begins the next generation, inside a transaction, if all earlier commits are merged into the
/// database.
pub(super) fn begin_generation(db: &Connection) -> rusqlite::Result<()> {
    let read = generation(db)?;
    match generation_in_database(db)? {
        Some(merged) if merged == read => {
            db.pragma_update(None, "user_version", read.wrapping_add(1))
        }
        _ => Ok(()),
    }
}

/// Whether the generation that is read is that of the database itself or the next one.
pub(super) fn is_of_one_piece(db: &Connection) -> rusqlite::Result<bool> {
    // During a read transaction no process merges later frames.
    let _snapshot = if db.is_autocommit() {
        Some(db.unchecked_transaction()?)
    } else {
        None
    };
    let read = generation(db)?;
    Ok(generation_in_database(db)?
        .is_none_or(|merged| merged == read || merged.wrapping_add(1) == read))
}

fn generation(db: &Connection) -> rusqlite::Result<i32> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// The generation in the database itself, without the write-ahead file. `None` if there is no file.
fn generation_in_database(db: &Connection) -> rusqlite::Result<Option<i32>> {
    let mut field = [0; 4];
    // SAFETY: the connection is open, and this operation writes a pointer to its file into the last
    // argument. The file is open as long as the connection is, and has methods if it is open. Four
    // bytes are read into four bytes, through SQLite's own handle, because closing another handle
    // of this process would drop its locks.
    let outcome = unsafe {
        let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
        let into = (&raw mut file).cast();
        succeeded(ffi::sqlite3_file_control(
            db.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_FILE_POINTER,
            into,
        ))?;
        let methods = file.as_ref().and_then(|file| file.pMethods.as_ref());
        let Some(read) = methods.and_then(|methods| methods.xRead) else {
            return Ok(None);
        };
        read(file, field.as_mut_ptr().cast(), 4, GENERATION_AT)
    };
    succeeded(outcome)?;
    Ok(Some(i32::from_be_bytes(field)))
}

/// From now on closing the database empties a merged write-ahead file instead of removing it.
pub(super) fn keep_write_ahead_file(db: &Connection) -> rusqlite::Result<()> {
    let mut keep: c_int = 1;
    // SAFETY: the connection is open, and for this operation the last argument is read and written as one `int`.
    succeeded(unsafe {
        let keep = (&raw mut keep).cast();
        ffi::sqlite3_file_control(
            db.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_PERSIST_WAL,
            keep,
        )
    })
}

/// Opens an empty database, to be created, of a random generation.
pub(super) fn create(path: &Path) -> rusqlite::Result<Connection> {
    let db = open(path)?;
    db.pragma_update(None, "page_size", PAGE_BYTES)?;
    let mut reserved = c_int::try_from(SUM_BYTES).expect("a few bytes");
    // SAFETY: the connection is open, and for this operation the last argument is read as one `int`.
    let outcome = unsafe {
        let reserved = (&raw mut reserved).cast();
        ffi::sqlite3_file_control(
            db.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_RESERVE_BYTES,
            reserved,
        )
    };
    succeeded(outcome)?;
    db.pragma_update(None, "user_version", rand::random::<i32>())?;
    Ok(db)
}

/// Whether the pages of a database with this `header` have room for checksums. Files of older
/// versions have none.
pub(super) fn has_room(header: &[u8; HEADER_BYTES]) -> bool {
    usize::from(header[RESERVED_AT]) == SUM_BYTES
}

/// Whether an error reports a page that does not match its checksum.
pub(super) fn is_mismatch(error: &ffi::Error) -> bool {
    error.extended_code == ffi::SQLITE_IOERR_DATA
}

fn succeeded(outcome: c_int) -> rusqlite::Result<()> {
    let failed = || rusqlite::Error::SqliteFailure(ffi::Error::new(outcome), None);
    if outcome == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(failed())
    }
}

/// The first bytes of SHA-256 over the place of a page and the page without its checksum.
fn checksum(page: &[u8], at: ffi::sqlite3_int64) -> [u8; SUM_BYTES] {
    let sum = Sha256::new()
        .chain_update(at.to_le_bytes())
        .chain_update(page);
    *sum.finalize().first_chunk().expect("longer than that")
}

fn is_sound(page: &[u8], at: ffi::sqlite3_int64) -> bool {
    page.len() == PAGE_BYTES
        && page
            .split_last_chunk()
            .is_some_and(|(content, sum)| *sum == checksum(content, at))
}

/// The VFS under this layer; null until the layer is registered.
static ORIGINAL: AtomicPtr<ffi::sqlite3_vfs> = AtomicPtr::new(ptr::null_mut());

/// Registers the layer with SQLite, with checksums and without, once in a process. It is never
/// removed.
fn register() -> rusqlite::Result<()> {
    static REGISTERED: OnceLock<c_int> = OnceLock::new();
    succeeded(*REGISTERED.get_or_init(|| {
        // SAFETY: SQLite's default VFS is valid as long as the process lives, and so are the leaked
        // copies. The copies differ in their names and in how they resolve a path; one also in how
        // it opens files and in the size of a file. All other functions are the original's, which
        // identify a VFS only by `pAppData`.
        unsafe {
            let found = ffi::sqlite3_vfs_find(ptr::null());
            let Some(original) = found.as_ref() else {
                return ffi::SQLITE_ERROR;
            };
            ORIGINAL.store(found, Ordering::Release);
            let plain = ffi::sqlite3_vfs {
                pNext: ptr::null_mut(),
                zName: PLAIN.as_ptr(),
                xFullPathname: Some(full_path),
                ..*original
            };
            let checked = ffi::sqlite3_vfs {
                szOsFile: original.szOsFile
                    + c_int::try_from(mem::size_of::<Methods>()).expect("a few pointers"),
                zName: NAME.as_ptr(),
                xOpen: Some(open_file),
                ..plain
            };
            match ffi::sqlite3_vfs_register(Box::leak(Box::new(plain)), 0) {
                ffi::SQLITE_OK => ffi::sqlite3_vfs_register(Box::leak(Box::new(checked)), 0),
                refused => refused,
            }
        }
    }))
}

/// Leaves an absolute path as it is. Its links are not resolved here, but when the path is used.
unsafe extern "C" fn full_path(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    capacity: c_int,
    into: *mut c_char,
) -> c_int {
    // SAFETY: the arguments are SQLite's own: `name` ends with a zero, `into` has room for `capacity` bytes, and they
    // do not overlap.
    unsafe {
        let bytes = CStr::from_ptr(name).to_bytes_with_nul();
        if !bytes.starts_with(b"/") {
            let original = ORIGINAL.load(Ordering::Acquire);
            let Some(full_path) = (*original).xFullPathname else {
                return ffi::SQLITE_CANTOPEN;
            };
            return full_path(original, name, capacity, into);
        }
        if bytes.len() > usize::try_from(capacity).unwrap_or(0) {
            return ffi::SQLITE_CANTOPEN;
        }
        ptr::copy_nonoverlapping(name, into, bytes.len());
        ffi::SQLITE_OK
    }
}

/// The methods of an open database. They stand in the memory that SQLite gives to the file, after
/// the data of the original VFS.
#[repr(C)]
struct Methods {
    /// First, because the pointer to the methods leads to the whole struct.
    ours: ffi::sqlite3_io_methods,
    originals: *const ffi::sqlite3_io_methods,
}

impl Methods {
    /// # Safety
    /// `file` is a database that [`open_file`] has opened.
    unsafe fn originals<'a>(file: *mut ffi::sqlite3_file) -> &'a ffi::sqlite3_io_methods {
        // SAFETY: `open_file` has pointed `pMethods` at the first field of `Methods`.
        unsafe { &*(*(*file).pMethods.cast::<Methods>()).originals }
    }
}

/// Opens a file as the original VFS does. If it is a database, its pages are checked from then on.
unsafe extern "C" fn open_file(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: the arguments are SQLite's own, which got this function from `register`. `file` has
    // `szOsFile` bytes. The last of them, as many as `Methods` has, are beyond those that the
    // original uses; both sizes are multiples of a pointer's.
    unsafe {
        let original = ORIGINAL.load(Ordering::Acquire);
        let Some(open) = (*original).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        let outcome = open(original, name, file, flags, flags_out);
        if outcome == ffi::SQLITE_OK && flags & ffi::SQLITE_OPEN_MAIN_DB != 0 {
            let originals = (*file).pMethods;
            let behind = file
                .cast::<u8>()
                .add(usize::try_from((*original).szOsFile).expect("a size"));
            #[expect(clippy::cast_ptr_alignment, reason = "as above")]
            let methods = behind.cast::<Methods>();
            let ours = ffi::sqlite3_io_methods {
                // Without mapped memory, which would bypass the check.
                iVersion: (*originals).iVersion.min(2),
                xRead: Some(read),
                xWrite: Some(write),
                xDeviceCharacteristics: Some(characteristics),
                xFetch: None,
                xUnfetch: None,
                ..*originals
            };
            methods.write(Methods { ours, originals });
            (*file).pMethods = methods.cast();
        }
        outcome
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    into: *mut c_void,
    amount: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the arguments are SQLite's own: `into` holds `amount` bytes. All are filled; bytes
    // after the end of the file are zeros.
    unsafe {
        let Some(read) = Methods::originals(file).xRead else {
            return ffi::SQLITE_IOERR_READ;
        };
        let outcome = read(file, into, amount, at);
        let bytes = usize::try_from(amount).unwrap_or(0);
        if matches!(outcome, ffi::SQLITE_OK | ffi::SQLITE_IOERR_SHORT_READ)
            && bytes >= PAGE_BYTES_MIN
            && !is_sound(slice::from_raw_parts(into.cast::<u8>(), bytes), at)
        {
            return ffi::SQLITE_IOERR_DATA;
        }
        outcome
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    amount: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: the arguments are SQLite's own: `from` holds `amount` bytes.
    unsafe {
        let Some(write) = Methods::originals(file).xWrite else {
            return ffi::SQLITE_IOERR_WRITE;
        };
        let bytes = slice::from_raw_parts(from.cast::<u8>(), usize::try_from(amount).unwrap_or(0));
        let Ok(mut page) = <[u8; PAGE_BYTES]>::try_from(bytes) else {
            return write(file, from, amount, at);
        };
        let (content, sum) = page.split_last_chunk_mut().expect("a page is longer");
        *sum = checksum(content, at);
        write(file, page.as_ptr().cast(), amount, at)
    }
}

/// Forbids reading parts of pages, which have no checksum.
unsafe extern "C" fn characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the argument is SQLite's own.
    unsafe {
        let Some(characteristics) = Methods::originals(file).xDeviceCharacteristics else {
            return 0;
        };
        characteristics(file) & !ffi::SQLITE_IOCAP_SUBPAGE_READ
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table whose rows fill several pages, one of them more than one.
    fn filled(path: &Path) -> Connection {
        let db = create(path).unwrap();
        db.execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT);
             WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 2000) INSERT INTO t SELECT x, hex(x) FROM n;
             INSERT INTO t VALUES (10000, printf('%.20000c', 'y'));",
        )
        .unwrap();
        db
    }

    fn reopened(path: &Path) -> rusqlite::Result<(u64, u64)> {
        open(path)?.query_row("SELECT count(*), sum(length(y)) FROM t", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_page_and_a_page_in_the_place_of_another_are_a_mismatch() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state.sqlite");
        filled(&path).close().unwrap();
        let whole = reopened(&path).unwrap();
        assert_eq!(whole.0, 2001);
        let written = std::fs::read(&path).unwrap();
        assert!(has_room(written.first_chunk().unwrap()));
        assert!(written.len() > 8 * PAGE_BYTES);
        let is_met = |spoilt: &[u8]| {
            std::fs::write(&path, spoilt).unwrap();
            match reopened(&path) {
                Err(rusqlite::Error::SqliteFailure(failure, _)) => {
                    use ffi::ErrorCode::{DatabaseCorrupt, NotADatabase};
                    is_mismatch(&failure) || matches!(failure.code, NotADatabase | DatabaseCorrupt)
                }
                other => panic!("{other:?}"),
            }
        };
        for page in (0..written.len()).step_by(PAGE_BYTES) {
            for at in [0, 1, 3, 4, 7, 11, 18, 20, 100, 103, 2048, 4087, 4088, 4095] {
                let mut spoilt = written.clone();
                spoilt[page + at] ^= 0x04;
                assert!(is_met(&spoilt), "byte {at} of page {}", page / PAGE_BYTES);
            }
        }
        for end in [
            written.len() - 1,
            written.len() - SUM_BYTES,
            written.len() - PAGE_BYTES,
        ] {
            assert!(is_met(&written[..end]), "cut at {end}");
        }
        let mut swapped = written.clone();
        let (second, third) = swapped[PAGE_BYTES..].split_at_mut(PAGE_BYTES);
        second[..PAGE_BYTES].swap_with_slice(&mut third[..PAGE_BYTES]);
        assert!(is_met(&swapped));
        std::fs::write(&path, &written).unwrap();
        assert_eq!(reopened(&path).unwrap(), whole);
    }

    #[test]
    fn a_database_in_a_held_directory_stays_in_it_with_its_companions() {
        let home = tempfile::tempdir().unwrap();
        let (name, moved) = (home.path().join("s"), home.path().join("s.old"));
        for checked in [true, false] {
            std::fs::create_dir(&name).unwrap();
            let held = crate::files::held::Held::open(&name).unwrap();
            drop(filled(&held.path().join("state.sqlite")));
            let db = open_if(
                checked,
                held.path().join("state.sqlite"),
                OpenFlags::default(),
            )
            .unwrap();
            std::fs::rename(&name, &moved).unwrap();
            std::fs::create_dir(&name).unwrap();
            let wal = std::fs::read(moved.join("state.sqlite-wal"))
                .unwrap_or_default()
                .len();
            db.execute_batch("INSERT INTO t VALUES (20000, printf('%.20000c', 'z'));")
                .unwrap();
            assert!(std::fs::read(moved.join("state.sqlite-wal")).unwrap().len() > wal);
            db.close().unwrap();
            assert_eq!(
                std::fs::read_dir(&name).unwrap().count(),
                0,
                "nothing stands where the store was"
            );
            std::fs::remove_dir_all(&moved).unwrap();
            std::fs::remove_dir(&name).unwrap();
        }
    }

    #[test]
    fn another_sqlite_reads_the_same_rows_and_its_pages_are_a_mismatch() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state.sqlite");
        filled(&path).close().unwrap();
        let plain = Connection::open(&path).unwrap();
        let found: String = plain
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(found, "ok");
        assert_eq!(plain.execute("DELETE FROM t WHERE x = 17", []).unwrap(), 1);
        plain.close().unwrap();
        assert!(reopened(&path).is_err());
    }
}
