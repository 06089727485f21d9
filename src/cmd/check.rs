//! `sojourn check`: the cluster's verdict on manifests, without a cluster.
//!
//! What decides is pure ([`examine`]); this file reads, prints and turns the result into an exit code.

pub mod document;
pub mod examine;
pub mod files;
pub mod kinds;
pub mod problem;
pub mod report;
pub mod schema;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use sojourn_crds::amalthea::OnDeadline;
use sojourn_webhooks::{
    AdmissionSettings,
    settings::{KubernetesVersion, PodSecurity},
};

use self::examine::Input;
use self::files::InputError;
use self::kinds::Kinds;
use self::report::Output;
use super::terminal::{print, printable};
use crate::settings::flags::on_deadline;

/// Something is denied, or `--strict` and something is warned about.
const DENIED: u8 = 1;
/// Some input could not be read.
const UNUSABLE: u8 = 2;

/// Arguments of `sojourn check`.
#[derive(Args, Debug)]
pub struct Check {
    /// Files, folders (all .yaml, .yml and .json in them), or - for standard input.
    #[arg(required = true, value_name = "FILE|DIR|-")]
    inputs: Vec<PathBuf>,
    /// The objects as they are: those that are here too are judged as updates.
    #[arg(long, value_name = "FILE|DIR|-")]
    old: Vec<PathBuf>,
    /// Fail on warnings too.
    #[arg(long)]
    strict: bool,
    /// How the result is written.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
    /// What the installation does with a batch session that reaches its maxAge: Fail or Hibernate.
    #[arg(long, default_value = "Fail", value_parser = on_deadline, value_name = "WHAT")]
    non_interactive_on_deadline: OnDeadline,
    /// Which pods the installation makes for sessions: Original or Restricted.
    #[arg(long, default_value = "Original", value_name = "WHICH")]
    pod_security: PodSecurity,
    /// Version of the cluster that the sessions are for, such as 1.30; else the newest that is supported.
    #[arg(long, value_name = "VERSION")]
    kubernetes_version: Option<KubernetesVersion>,
}

impl Check {
    /// Checks, prints, and says how it went: 0 when nothing is denied, 1 when something is, 2 when an input could
    /// not be read.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let mut errors = Vec::new();
        let inputs = read_all(&self.inputs, &mut errors);
        let old = read_all(&self.old, &mut errors);
        let settings = AdmissionSettings {
            on_deadline: self.non_interactive_on_deadline,
            pod_security: self.pod_security,
            kubernetes: self.kubernetes_version.unwrap_or_default(),
            ..AdmissionSettings::default()
        };
        let examination = examine::examine(&Kinds::compiled()?, &inputs, &old, settings, Timestamp::now());
        print(&report::render(&examination, self.output)?)?;
        for error in &errors {
            eprintln!("sojourn: {}", printable(&error.to_string()));
        }
        let denied = examination.denied > 0 || (self.strict && examination.warnings() > 0);
        Ok(ExitCode::from(match (errors.is_empty(), denied) {
            (false, _) => UNUSABLE,
            (true, true) => DENIED,
            (true, false) => 0,
        }))
    }
}

fn read_all(arguments: &[PathBuf], errors: &mut Vec<InputError>) -> Vec<Input> {
    let mut inputs = Vec::new();
    for argument in arguments {
        files::read(argument, &mut inputs, errors);
    }
    inputs
}
