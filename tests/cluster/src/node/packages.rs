//! Packages of Debian in images: their files as they are installed on this machine.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::image::run;
use crate::Error;

/// What no program reads.
const LEFT_OUT: &[&str] = &["/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/lintian"];
/// A package that makes its only file of use when it is installed, and that file.
const MADE: (&str, &str) = ("ca-certificates", "/etc/ssl/certs/ca-certificates.crt");

/// Whether a package is installed.
pub(super) fn is_installed(name: &str) -> bool {
    let mut dpkg = Command::new("dpkg-query");
    dpkg.args(["--show", "--showformat=${db:Status-Status}", name]).stdin(Stdio::null());
    dpkg.output().is_ok_and(|output| output.stdout == b"installed")
}

/// The files and links of an installed package.
pub(super) fn files(name: &str) -> Result<Vec<PathBuf>, Error> {
    let listed = run("dpkg-query", &["--listfiles", name])?;
    let made = (name == MADE.0).then_some(MADE.1);
    let needed = |path: &&str| !LEFT_OUT.iter().any(|folder| path.starts_with(folder));
    let paths = listed.lines().chain(made).filter(needed).map(PathBuf::from);
    // What is listed can be gone: a machine may leave documentation out. Folders, and /bin as a link to one, are made
    // as they are needed.
    Ok(paths.filter(|path| (path.is_symlink() || path.is_file()) && !path.is_dir()).collect())
}
