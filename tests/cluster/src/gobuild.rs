//! Builds the programs of one Go module. Promises: once per version, one builder at a time on a
//! machine, nothing half-written in the result folder, a sign of life on stderr while it lasts.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

use crate::assets::Module;
use crate::{Error, paths};

/// Debug information is not even made: the linker would leave it out.
const COMPILER_FLAGS: &str = "-gcflags=all=-dwarf=false";

const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// Builds `programs` of `module` into `folder`.
pub(crate) async fn build(
    module: &'static Module,
    folder: &Path,
    programs: &[(&'static str, &'static str)],
) -> Result<(), Error> {
    let bin = paths::bin();
    paths::create_dir(&bin)?;
    let lock = bin.join(format!("{}.lock", module.name));
    // Waiting for another process that builds the same is a blocking system call.
    let guard = tokio::task::spawn_blocking(move || paths::lock(&lock));
    let _guard = guard.await.map_err(|error| Error::Spawn {
        program: "the wait for the build lock".into(),
        source: std::io::Error::other(error),
    })??;
    let missing: Vec<_> = programs.iter().filter(|(name, _)| !folder.join(name).is_file()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let go = paths::find_program("go").ok_or_else(|| Error::FindGo { binaries: names.clone() })?;

    // The module is written out instead of built in place: the sources of this crate may be read-only
    // or gone, and `go` may touch go.sum.
    let source = paths::root().join("build").join(module.key());
    paths::create_dir(&source)?;
    for (name, text) in [("go.mod", module.go_mod), ("go.sum", module.go_sum)] {
        let path = source.join(name);
        std::fs::write(&path, text).map_err(Error::file("write", &path))?;
    }
    let output = source.join("out");
    paths::create_dir(&output)?;
    let log = source.join("build.log");

    say(&format!(
        "building {} {} ({names}), about {} the first time",
        module.name,
        module.version(),
        module.patience
    ));
    let begun = Instant::now();
    let log_file = std::fs::File::create(&log).map_err(Error::file("write", &log))?;
    let log_copy = log_file.try_clone().map_err(Error::file("write", &log))?;
    let mut child = Command::new(&go)
        .current_dir(&source)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        // The compiler starts once for each package: collecting its garbage costs a tenth of a cold build.
        .envs([("GOGC", "off"), ("GOMEMLIMIT", "1500MiB")])
        .args(["build", "-trimpath", "-buildvcs=false", COMPILER_FLAGS, "-ldflags", &module.ldflags(), "-o"])
        // The closing slash makes it a folder even for one package.
        .arg(format!("{}/", output.display()))
        .args(missing.iter().map(|(_, package)| *package))
        .stdin(Stdio::null())
        .stdout(log_file)
        .stderr(log_copy)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| Error::Spawn { program: go.display().to_string(), source })?;
    let status = loop {
        match tokio::time::timeout(SIGN_OF_LIFE, child.wait()).await {
            Ok(status) => {
                break status.map_err(|source| Error::Spawn { program: "go build".into(), source })?;
            }
            Err(_) => say(&format!("still building {}, {} s", module.name, begun.elapsed().as_secs())),
        }
    };
    if !status.success() {
        return Err(Error::Build { module: module.name, tail: paths::tail(&log), log });
    }

    paths::create_dir(folder)?;
    for (name, package) in missing {
        // Go names a binary after the last element of its package that is not a major version.
        let built = package.rsplit('/').find(|part| !is_major_version(part)).unwrap_or(package);
        let (from, to) = (output.join(built), folder.join(name));
        std::fs::rename(&from, &to).map_err(Error::file("move into place", &to))?;
    }
    say(&format!("built {} in {} s", module.name, begun.elapsed().as_secs()));
    Ok(())
}

fn is_major_version(part: &str) -> bool {
    part.strip_prefix('v')
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// One line on the real stderr: the print macros are swallowed by the test harness, and a silent wait
/// of minutes looks like a hang.
fn say(line: &str) {
    // Nobody to tell is no reason to stop.
    let _ = writeln!(std::io::stderr(), "sojourn-cluster: {line}");
}
