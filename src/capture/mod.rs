//! The output of IDE sessions, and the operator's remarks about them, kept in files.
//!
//! * [`names`]: what is captured, of whom, and the names of its files
//! * [`lines`]: how lines stand in a file, and its quota
//! * [`store`]: what writes, reads and removes the files
//!
//! Three promises. Callers never wait, neither for a disk nor for another session; lines beyond the limits are left
//! out, and the file says so in their place. No input selects a path: file names are made of name and UID of the
//! object. And only files that this process has created, in one directory, are touched.

mod buffer;
mod files;
pub(crate) mod lines;
pub(crate) mod names;
pub(crate) mod store;

pub use names::{NameOwnerError, Owner, Stream};
pub use store::{Capture, OpenCaptureError, RemoveCaptureError, Updates, Writer};
