//! A new store, whole or not at all: it is made beside its place and moved there when it is
//! complete.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::app::AppError;

/// # Errors
/// [`AppError::StoreExists`] unless nothing is at `root`, or an empty directory.
pub fn check_free(root: &Path) -> Result<(), AppError> {
    let is_free = match std::fs::read_dir(root) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if is_free { Ok(()) } else { Err(AppError::StoreExists { path: root.to_owned() }) }
}

/// Runs `build` in a directory beside `root` whose name tells what is `under_way`, and moves what
/// it made to `root`.
///
/// # Errors
/// Whatever `build` returned; then nothing stays.
pub fn build_and_move<T>(
    root: &Path,
    under_way: &str,
    build: impl FnOnce(&Path) -> Result<T, AppError>,
) -> Result<T, AppError> {
    check_free(root)?;
    let beside = beside(root, under_way)?;
    let built = build(&beside).and_then(|made| move_into_place(&beside, root).map(|()| made));
    if built.is_err() {
        // What was begun is no store and of no use to anybody.
        let _ = std::fs::remove_dir_all(&beside);
    }
    built
}

fn parent_of(root: &Path) -> &Path {
    root.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(root: &Path, under_way: &str) -> Result<PathBuf, AppError> {
    let name = root.file_name().map_or_else(|| "store".into(), |name| name.to_string_lossy().into_owned());
    let beside = parent_of(root).join(format!(".{name}.{under_way}-{}", std::process::id()));
    // Left behind by a killed process that had our number.
    let _ = std::fs::remove_dir_all(&beside);
    // Nobody else looks into a store, however its files were made.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&beside);
    made.map_err(|source| AppError::Io { action: "create", path: beside.clone(), source })?;
    Ok(beside)
}

fn move_into_place(beside: &Path, root: &Path) -> Result<(), AppError> {
    let io = |action, path: &Path| {
        let path = path.to_owned();
        move |source| AppError::Io { action, path, source }
    };
    std::fs::File::open(beside).and_then(|directory| directory.sync_all()).map_err(io("sync", beside))?;
    std::fs::rename(beside, root).map_err(io("create", root))?;
    let parent = parent_of(root);
    std::fs::File::open(parent).and_then(|directory| directory.sync_all()).map_err(io("sync", parent))
}
