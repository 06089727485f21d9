//! The files themselves: created by this process, readable by its user only. Files of other users are never touched.
//!
//! Blocking: the store calls this where blocking is allowed. No file is held open between two calls, so that the
//! number of sessions is not bounded by that of file descriptors.

use super::{
    buffer::Item,
    lines::Written,
    names::{Owner, Stream, uid_of},
};
use rustix::fs::OFlags;
use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// For the owner of the process to read and write.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;
const ROOT: u32 = 0;

/// The one directory of all captures.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// The directory is the operator's own.
    own: bool,
}

impl Directory {
    /// `shared` if it is there, else `own`.
    pub(super) fn choose(own: &Path, shared: Option<&Path>) -> Self {
        let shared = shared.filter(|path| path.is_dir());
        let path = shared.unwrap_or(own);
        Self { path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()), own: shared.is_none() }
    }

    pub(super) fn file(&self, owner: &Owner, stream: Stream) -> PathBuf {
        self.path.join(owner.file_name(stream))
    }

    /// Creates the directory if it does not exist. One of another user is not used: below a temporary directory any
    /// user may have created it first.
    fn prepare(&self) -> io::Result<()> {
        if !self.own {
            return Ok(());
        }
        match DirBuilder::new().mode(DIRECTORY_MODE).create(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let ours = [fs::symlink_metadata(&self.path)?, fs::metadata(&self.path)?]
                    .iter()
                    .all(|found| found.uid() == me() || found.uid() == ROOT);
                if ours { Ok(()) } else { Err(io::Error::other("the directory belongs to another user")) }
            }
            made => made,
        }
    }

    /// Makes a file, or finds the one that an earlier life of this process left.
    pub(super) fn begin(&self, owner: &Owner, stream: Stream) -> io::Result<Written> {
        self.prepare()?;
        let path = self.file(owner, stream);
        match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path) {
            Ok(_) => return Ok(Written::default()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let mut file = open(OpenOptions::new().read(true).append(true), &path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (written, repair) = Written::found(&bytes);
        file.write_all(repair)?;
        Ok(written)
    }

    /// Writes `bytes` where the file was left, `at` bytes from its beginning. Makes none.
    pub(super) fn append(&self, owner: &Owner, stream: Stream, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = open(OpenOptions::new().append(true), &self.file(owner, stream))?;
        if file.metadata()?.len() > at {
            // Half of an earlier attempt.
            file.set_len(at)?;
        }
        file.write_all(bytes)
    }

    /// The file to read from, if there is one.
    pub(super) fn read(&self, owner: &Owner, stream: Stream) -> io::Result<Option<File>> {
        match open(OpenOptions::new().read(true), &self.file(owner, stream)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Removes the files of `owner`, those that are there.
    pub(super) fn remove(&self, owner: &Owner) -> io::Result<()> {
        // Each is tried, whatever becomes of the others.
        let removed = Stream::ALL.map(|stream| gone(fs::remove_file(self.file(owner, stream))));
        removed.into_iter().collect()
    }

    /// Removes the files of objects that are not `alive`, and returns how many. A directory that others keep files in
    /// is left as it is: DCP names its files as we do.
    pub(super) fn sweep(&self, alive: &HashSet<String>) -> io::Result<usize> {
        if !self.own {
            return Ok(0);
        }
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            entries => entries?,
        };
        let mut swept = 0;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_str().and_then(uid_of).is_some_and(|uid| !alive.contains(uid)) {
                gone(fs::remove_file(entry.path()))?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}

/// A file of a session while it is written.
#[derive(Debug)]
pub(super) struct Growing {
    stream: Stream,
    written: Written,
    /// Lines that could not be written.
    lost: u64,
}

impl Growing {
    pub(super) fn new(stream: Stream, written: Written) -> Self {
        Self { stream, written, lost: 0 }
    }

    /// Writes those of `items` that are for this file. What cannot be written is left out, and said when it can. Only
    /// the first failure in a row is returned.
    pub(super) fn write(&mut self, directory: &Directory, owner: &Owner, items: &[Item]) -> io::Result<()> {
        let items = || items.iter().filter(|item| item.stream == self.stream);
        let Some(first) = items().next().filter(|_| !self.written.full) else { return Ok(()) };
        let (mut written, mut bytes) = (self.written, Vec::new());
        if self.lost > 0 {
            let said = format!("[{} left out: they could not be written]", self.lost);
            written.add(&said, first.at, &mut bytes);
        }
        for item in items() {
            written.add(&item.text, item.at, &mut bytes);
        }
        match directory.append(owner, self.stream, self.written.bytes, &bytes) {
            Ok(()) => {
                self.written = written;
                self.lost = 0;
                Ok(())
            }
            // Removed together with its object.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => {
                let known = self.lost > 0;
                self.lost += items().count() as u64;
                if known { Ok(()) } else { Err(error) }
            }
        }
    }
}

/// Opens a file that is there. Links, files of others and what is no file at all are not ours.
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let careful = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = options.custom_flags(careful.bits().cast_signed()).open(path)?;
    let found = file.metadata()?;
    if found.is_file() && found.uid() == me() && found.nlink() == 1 {
        return Ok(file);
    }
    Err(io::Error::other("it is not a file that this process made"))
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
