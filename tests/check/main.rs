//! `sojourn check` as a person or a pipeline runs it, and the corpus of the rules through it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step of a test is a failed test")]

mod corpus;
mod inputs;
mod outputs;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a run of the binary ended.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// Runs `sojourn check` in `folder`.
fn check(folder: &Path, args: &[&str], input: &[u8]) -> Ran {
    sojourn(folder, &[&["check"], args].concat(), input)
}

fn sojourn(folder: &Path, args: &[&str], input: &[u8]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sojourn"))
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that refuses its input stops reading.
    let writer = std::thread::spawn(move || stdin.write_all(&input).ok());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran {
        code: output.status.code().expect("it was killed"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A session against which nothing speaks, with `more` in its spec.
fn session(name: &str, more: &str) -> String {
    format!(
        "apiVersion: amalthea.dev/v1alpha1\nkind: AmaltheaSession\nmetadata:\n  name: {name}\n\
         spec:\n  session:\n    image: busybox:1.36\n    readinessProbe:\n      type: none\n{more}"
    )
}

/// What makes a session one that is refused: line 11 of [`session`].
const BAD: &str = "  culling:\n    maxAge: 1d\n";
/// What makes a session one that is warned about.
const DUBIOUS: &str = "  culling:\n    maxAge: 1h\n    maxIdleDuration: 2h\n";
