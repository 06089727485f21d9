//! The chart, as helm and a real API server see it: what it renders, what it refuses, and a release through its
//! whole life, with an operator that has the release's rights and no others.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed step of a test is a failed test")]

mod release;
mod rendered;
mod uninstall;

use serde_json::Value;
use sojourn_cluster::Output;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/sojourn");
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/sojourn/examples");

/// Runs helm; `kubeconfig` is needed for what asks a cluster.
fn helm(program: &Path, kubeconfig: Option<&Path>, args: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(program)
        .args(args)
        .env("KUBECONFIG", kubeconfig.unwrap_or(Path::new("/nonexistent")))
        .env("HELM_CACHE_HOME", home.path())
        .env("HELM_CONFIG_HOME", home.path())
        .env("HELM_DATA_HOME", home.path())
        .output()
        .unwrap();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn must(output: Output) -> String {
    assert!(output.success(), "{}{}", output.stdout, output.stderr);
    output.stdout
}

async fn helm_binary() -> PathBuf {
    let built = sojourn_cluster::build_all().await.unwrap();
    built.into_iter().find(|(name, _)| *name == "helm").unwrap().1
}

async fn template(args: &[&str]) -> Output {
    let common = ["template", "release", CHART, "--namespace", "home", "--kube-version", "1.34.0"];
    helm(&helm_binary().await, None, &[&common, args].concat())
}

/// The rendered objects of a kind that belong to the release.
fn of_kind(rendered: &str, kind: &str) -> Vec<Value> {
    let own = objects(rendered).filter(|object| hook_of(object).is_none());
    own.filter(|object| object["kind"] == kind).collect()
}

fn objects(rendered: &str) -> impl Iterator<Item = Value> {
    rendered.split("\n---").filter_map(|text| serde_saphyr::from_str::<Value>(text).ok())
}

/// At what an object comes that does not belong to the release.
fn hook_of(object: &Value) -> Option<&str> {
    object["metadata"]["annotations"]["helm.sh/hook"].as_str()
}
