//! Bytes that wait on the disk until they are read: written once, from front to back, and read as
//! often as needed, with little memory.
//!
//! The first mebibytes stay in memory. The rest is in a file without a name, so nothing remains
//! of it, even if the process is killed. Every block has a checksum, which is compared when the block is
//! read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};

/// The number of bytes that stay in memory.
const KEPT_BYTES: usize = 4 << 20;
const BLOCK_BYTES: usize = 1 << 20;

pub(crate) struct Spool {
    /// The directory of the file.
    directory: PathBuf,
    kept: Vec<u8>,
    file: Option<File>,
    /// The checksums of the blocks in the file.
    sums: Vec<u32>,
    /// The bytes after the last block in the file, less than a block.
    rest: Vec<u8>,
}

impl Spool {
    /// An empty spool. Its file is made in `directory` as soon as it is needed.
    pub(crate) fn in_directory(directory: &Path) -> Spool {
        Spool {
            directory: directory.to_owned(),
            kept: Vec::new(),
            file: None,
            sums: Vec::new(),
            rest: Vec::new(),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Reads from the byte at `offset` on.
    pub(crate) fn read_from(&self, offset: u64) -> SpoolReader<'_> {
        SpoolReader {
            spool: self,
            offset,
            block: Vec::new(),
            loaded: None,
        }
    }

    fn end_block(&mut self) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(nameless(&self.directory)?),
        };
        file.write_all_at(&self.rest, place_of(self.sums.len()))?;
        self.sums.push(crc32fast::hash(&self.rest));
        self.rest.clear();
        Ok(())
    }

    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if the disk does not return the bytes that were written.
    fn load(&self, index: usize, block: &mut Vec<u8>) -> io::Result<()> {
        block.resize(BLOCK_BYTES, 0);
        let file = self.file.as_ref().expect("a block was written");
        file.read_exact_at(block, place_of(index))?;
        if crc32fast::hash(block) == self.sums[index] {
            return Ok(());
        }
        let text = "the disk returned other bytes than were written to a temporary file";
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }
}

fn place_of(block: usize) -> u64 {
    block as u64 * BLOCK_BYTES as u64
}

/// A new file in `directory` that the system removes when it is closed.
fn nameless(directory: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let opened = rustix::io::retry_on_intr(|| {
        rustix::fs::openat(CWD, directory, flags, Mode::RUSR | Mode::WUSR)
    });
    match opened {
        Ok(descriptor) => Ok(descriptor.into()),
        // Some file systems make no files without names.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR) => {
            let name = directory.join(format!(".spool-{}.new", std::process::id()));
            super::remove(&name)?;
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(0o600);
            let file = options.open(&name)?;
            std::fs::remove_file(&name)?;
            Ok(file)
        }
        Err(error) => Err(error.into()),
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (piece, most) = match KEPT_BYTES - self.kept.len() {
            0 => (&mut self.rest, BLOCK_BYTES),
            _ => (&mut self.kept, KEPT_BYTES),
        };
        let length = bytes.len().min(most - piece.len());
        piece.extend_from_slice(&bytes[..length]);
        if self.rest.len() == BLOCK_BYTES {
            self.end_block()?;
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a spool while nothing is written to it.
pub(crate) struct SpoolReader<'s> {
    spool: &'s Spool,
    offset: u64,
    block: Vec<u8>,
    /// The block of the file that is in `block`.
    loaded: Option<usize>,
}

impl Read for SpoolReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let spool = self.spool;
        let piece = match self.offset.checked_sub(spool.kept.len() as u64) {
            None => &spool.kept[self.offset as usize..],
            Some(beyond) => {
                let (index, within) = (
                    (beyond / BLOCK_BYTES as u64) as usize,
                    (beyond % BLOCK_BYTES as u64) as usize,
                );
                let block = if index >= spool.sums.len() {
                    // Nothing is beyond the rest.
                    if index > spool.sums.len() {
                        return Ok(0);
                    }
                    &spool.rest
                } else {
                    if self.loaded != Some(index) {
                        self.loaded = None;
                        spool.load(index, &mut self.block)?;
                        self.loaded = Some(index);
                    }
                    &self.block
                };
                block.get(within..).unwrap_or_default()
            }
        };
        let length = piece.len().min(into.len());
        into[..length].copy_from_slice(&piece[..length]);
        self.offset += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of which no two blocks are alike.
    fn bytes(length: usize) -> Vec<u8> {
        (0..length as u32)
            .flat_map(|n| (n / 4).to_le_bytes()[..1].to_vec())
            .zip((0_usize..).map(|n| (n / 1000) as u8))
            .map(|(one, other)| one ^ other)
            .collect()
    }

    fn spooled(directory: &Path, bytes: &[u8]) -> Spool {
        let mut spool = Spool::in_directory(directory);
        bytes
            .chunks(300_007)
            .for_each(|chunk| spool.write_all(chunk).unwrap());
        spool
    }

    #[test]
    fn the_bytes_come_back_from_every_offset_and_no_file_has_a_name() {
        let home = tempfile::tempdir().unwrap();
        for length in [
            0,
            1,
            KEPT_BYTES,
            KEPT_BYTES + 1,
            KEPT_BYTES + BLOCK_BYTES,
            KEPT_BYTES + 2 * BLOCK_BYTES + 7,
        ] {
            let bytes = bytes(length);
            let spool = spooled(home.path(), &bytes);
            assert_eq!(spool.file.is_some(), length >= KEPT_BYTES + BLOCK_BYTES);
            assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
            for offset in [0, 1, KEPT_BYTES, KEPT_BYTES + BLOCK_BYTES + 5, length] {
                let mut read = Vec::new();
                spool
                    .read_from(offset as u64)
                    .read_to_end(&mut read)
                    .unwrap();
                assert!(
                    read == bytes[offset.min(length)..],
                    "{offset} of {length} bytes"
                );
            }
        }
    }

    #[test]
    fn a_bit_that_flips_on_the_disk_is_found() {
        let home = tempfile::tempdir().unwrap();
        let spool = spooled(home.path(), &bytes(KEPT_BYTES + 2 * BLOCK_BYTES));
        let file = spool.file.as_ref().unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, place_of(1) + 77).unwrap();
        file.write_all_at(&[byte[0] ^ 4], place_of(1) + 77).unwrap();
        let mut read = Vec::new();
        let error = spool.read_from(0).read_to_end(&mut read).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(read.len(), KEPT_BYTES + BLOCK_BYTES);
    }

    #[test]
    fn a_directory_that_takes_no_file_is_an_error_of_writing() {
        let home = tempfile::tempdir().unwrap();
        let mut spool = Spool::in_directory(&home.path().join("missing"));
        let written = spool.write_all(&bytes(KEPT_BYTES + BLOCK_BYTES));
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
