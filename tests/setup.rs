//! `setup.sh` names what a machine lacks, and `timed.sh` keeps exit codes. Programs are stubs in a `PATH` of the test's
//! own: nothing is installed, and no root is needed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step of a test is a failed test")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Mutex,
};

/// Held while a stub is written or a process starts: a file that a new process still holds open for writing, for the
/// moment until it becomes another program, cannot be run.
static STARTS: Mutex<()> = Mutex::new(());

/// What every machine of these tests has.
const STUBS: &[(&str, &str)] = &[
    ("cargo", "echo 'cargo 1.89.0 (0123456 2025-08-01)'"),
    ("go", "echo 'go version go1.24.1 linux/amd64'"),
    ("id", "echo 1000"),
    ("cc", ""),
    ("make", ""),
    ("setpriv", ""),
    ("git", ""),
    ("git-lfs", ""),
    ("ssh", ""),
    ("sshd", ""),
    ("apt-get", "echo 'must not be called'; exit 9"),
];

/// A machine: a folder with stubs of programs.
struct Machine(PathBuf);

impl Machine {
    fn new(name: &str) -> Self {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("setup-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let machine = Self(folder);
        STUBS.iter().for_each(|(program, script)| machine.has(program, script));
        machine
    }

    fn has(&self, program: &str, script: &str) {
        let path = self.0.join(program);
        let _held = STARTS.lock();
        fs::write(&path, format!("#!{}\n{script}\n", bash().display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn lacks(&self, program: &str) {
        fs::remove_file(self.0.join(program)).unwrap();
    }

    fn setup(&self, arguments: &[&str]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/setup.sh");
        output(Command::new(bash()).arg(script).args(arguments).env("PATH", &self.0))
    }

    /// The lines that it stops with.
    fn problems(&self, arguments: &[&str]) -> Vec<String> {
        let output = self.setup(arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn output(command: &mut Command) -> Output {
    let held = STARTS.lock();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(held);
    child.wait_with_output().unwrap()
}

/// The shell itself: a machine has no other folder of programs.
fn bash() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join("bash")).find(|path| path.is_file()).unwrap()
}

#[test]
fn a_machine_that_has_it_all_installs_nothing() {
    let machine = Machine::new("complete");
    for arguments in [&[][..], &["--build"]] {
        let output = machine.setup(arguments);
        assert!(
            output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(),
            "{output:?}"
        );
    }
    assert_eq!(machine.setup(&["--nodes"]).status.code(), Some(2));
}

#[test]
fn a_user_reads_the_command_that_installs_what_is_missing() {
    let machine = Machine::new("user");
    machine.lacks("git-lfs");
    machine.lacks("ssh");
    let said = ["setup: packages are missing: sudo apt-get install git-lfs openssh-client"];
    assert_eq!(machine.problems(&[]), said);
    // No session is cloned or reached where things are only built.
    assert!(machine.setup(&["--build"]).status.success());

    machine.lacks("apt-get");
    let said = ["setup: install these first (the names are those of Debian): git-lfs openssh-client"];
    assert_eq!(machine.problems(&[]), said);
}

#[test]
fn root_installs_what_is_missing() {
    let machine = Machine::new("root");
    machine.has("id", "echo 0");
    machine.lacks("cc");
    machine.lacks("git-lfs");
    let log = machine.0.join("log");
    machine.has("apt-get", &format!("echo \"$*\" >>{}", log.display()));
    assert_eq!(machine.problems(&[]), ["setup: still missing after the installation: gcc libc6-dev git-lfs"]);
    let installs = "-o DPkg::Lock::Timeout=300 -qq --yes install gcc libc6-dev git-lfs";
    assert!(fs::read_to_string(&log).unwrap().lines().any(|line| line == installs));

    let cc = machine.0.join("cc");
    machine.has("apt-get", &format!("printf '' >>{0}; /bin/chmod +x {0}", cc.display()));
    machine.has("git-lfs", "");
    let output = machine.setup(&["--node"]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn old_compilers_are_named_with_what_is_needed() {
    let machine = Machine::new("old");
    machine.has("cargo", "echo 'cargo 1.85.1 (d73d2caf9 2024-12-31)'");
    machine.lacks("go");
    machine.lacks("git-lfs");
    let said = [
        "setup: cargo is version 1.85; 1.89 or newer is needed: https://rustup.rs",
        "setup: go is missing; version 1.24 or newer is needed: https://go.dev/dl",
        "setup: packages are missing: sudo apt-get install git-lfs",
    ];
    assert_eq!(machine.problems(&[]), said);
    machine.has("id", "echo 0");
    assert_eq!(machine.problems(&[])[..2], said[..2], "root installs nothing for a build that cannot work");
}

#[test]
fn a_real_node_needs_root() {
    let machine = Machine::new("node");
    let said = ["setup: a real node needs root: sudo --preserve-env=PATH make test-node"];
    assert_eq!(machine.problems(&["--node"]), said);
}

#[test]
fn the_versions_are_those_of_the_manifests() {
    let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let manifest = read("Cargo.toml");
    let rust = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).unwrap();
    let (major, minor) = rust.trim_end_matches('"').split_once('.').unwrap();
    assert!(read("tests/cluster/setup.sh").contains(&format!(" {major} {minor} https://rustup.rs")));
}

#[test]
fn steps_are_timed_and_keep_their_exit_codes() {
    let times = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("times-{}/test", std::process::id()));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/timed.sh");
    let timed = |arguments: &[&str]| {
        let output = output(Command::new(bash()).arg(&script).args(arguments).env("TIMES", &times));
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(timed(&["--begin"]), (Some(0), String::new()));
    assert_eq!(timed(&["cluster binaries", "sleep", "1"]).0, Some(0));
    assert_eq!(timed(&["tests", "true"]).0, Some(0));
    let (code, said) = timed(&["--end"]);
    assert_eq!(code, Some(0));
    let (cluster, rest) =
        said.strip_prefix("time: cluster binaries ").unwrap().split_once(" s, tests ").unwrap();
    assert!(cluster.parse::<u32>().unwrap() >= 1 && rest.contains("; in all "), "{said}");

    let (code, said) = timed(&["lint", "bash", "-c", "exit 7"]);
    assert_eq!(code, Some(7));
    assert!(said.contains(", lint (failed) "), "{said}");
    fs::remove_dir_all(times.parent().unwrap()).unwrap();
}

#[test]
fn ci_ends_with_the_counts_and_with_the_code_of_what_failed() {
    let machine = Machine::new("ci");
    machine.has("id", "echo 0");
    let path = std::env::var_os("PATH").unwrap();
    let path =
        std::env::join_paths([machine.0.clone()].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run");
    let run = || {
        let output = output(Command::new(bash()).arg(&script).env("PATH", &path).env("TMPDIR", &machine.0));
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    machine.has("make", "echo \"test result: ok of $1\"; echo more");
    let (code, said) = run();
    assert_eq!(code, Some(0), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    let [.., times, first, second] = &lines[..] else { panic!("{said}") };
    assert!(times.starts_with("time: make test ") && times.contains(", make lint "), "{said}");
    assert_eq!([*first, *second], ["test result: ok of test", "test result: ok of test-node"]);

    machine.has("make", "echo \"test result: $1\"; [ $1 = test ] || exit 2");
    let (code, said) = run();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains(", make lint (failed) "), "{said}");
    assert_eq!(said.lines().last(), Some("test result: test"));
    let left = fs::read_dir(&machine.0).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(
        !left.into_iter().any(|name| name.to_string_lossy().starts_with("tmp.")),
        "it leaves no file behind"
    );
}
