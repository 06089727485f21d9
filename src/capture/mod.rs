//! What the processes of IDE sessions write, and what the operator has to say of a session, kept in files.
//!
//! * [`names`]: what is captured, of whom, and the names of its files
//! * [`lines`]: how lines stand in a file, and its quota
//! * [`store`]: what writes, reads and removes the files
//!
//! Three promises. Whoever brings a line never waits, neither for a disk nor for another session; what is too much is
//! left out, and that is said where it would stand. Nobody chooses which file is touched: names are made of name and
//! UID of the object. And a file is only ever one that this process made, in one directory.

mod buffer;
mod files;
pub(crate) mod lines;
pub(crate) mod names;
pub(crate) mod store;

pub use names::{NameOwnerError, Owner, Stream};
pub use store::{Capture, OpenCaptureError, RemoveCaptureError, Updates, Writer};
