//! Where things lie: everything under the workspace's target folder, so that `cargo clean` removes it.

use std::path::{Path, PathBuf};

use crate::Error;

/// `target/cluster`; `CARGO_TARGET_DIR` moves it, as it moves Cargo's own output.
pub(crate) fn root() -> PathBuf {
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) if !dir.is_empty() => {
            let dir = PathBuf::from(dir);
            // Cargo takes a relative one from where it was called; tests run in their package's folder.
            if dir.is_absolute() { dir } else { workspace().join(dir) }
        }
        _ => workspace().join("target"),
    };
    target.join("cluster")
}

/// Built binaries, one folder per module and version.
pub(crate) fn bin() -> PathBuf {
    root().join("bin")
}

/// One folder per running cluster.
pub(crate) fn runs() -> PathBuf {
    root().join("runs")
}

fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_path_buf()
}

/// Writes a file that only its owner may read: keys and tokens are everywhere here.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::file("write", path))
}

/// Creates a folder with its parents.
pub(crate) fn create_dir(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(Error::file("create", path))
}

/// Opens a lock file and waits until nobody else holds it. Dropping the file releases it, and so does
/// the death of the process, however it dies.
pub(crate) fn lock(path: &Path) -> Result<std::fs::File, Error> {
    let mut options = std::fs::OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(Error::file("open the lock", path))?;
    file.lock().map_err(Error::file("lock", path))?;
    Ok(file)
}

/// The last lines of a log, for an error message.
pub(crate) fn tail(path: &Path) -> String {
    const LINES: usize = 15;
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// Where a program of the machine is, if it is in the `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())
}
