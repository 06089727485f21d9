//! What every command that prints text needs.

use sojourn_crds::text::on_one_line;
use std::io::{self, Write as _};

/// Writes to standard output. A reader that went away, such as `head`, is no failure.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Text that rewrites nothing of what a terminal shows.
pub(crate) fn printable(text: &str) -> String {
    on_one_line(text).into_owned()
}
