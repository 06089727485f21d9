//! The stage with a real node: Sojourn as its users install it, and images for the sessions of the story.

use crate::{
    shell::Shell,
    stage::{RELEASE, Stage, println_now},
};
use anyhow::{Context, ensure};
use sojourn_cluster::{Cluster, Image, Options};
use std::time::{Duration, Instant};

/// What to try on this stage, beside the rest.
pub(crate) const INVITATION: [&str; 3] = [
    "kubectl logs -n sojourn-system deployment/sojourn",
    "kubectl port-forward service/guarded 8080:80",
    "curl -H 'Authorization: Bearer change-me' http://127.0.0.1:8080/sessions/guarded/hello.txt",
];
/// How long the webhooks may take to be ready once their pods are.
const READY: Duration = Duration::from_secs(60);

/// Starts everything.
pub(crate) async fn set() -> anyhow::Result<Stage> {
    let began = Instant::now();
    println_now("== A Kubernetes node on this machine (the first time it is built, which takes minutes)")?;
    // What its images are made of is found and installed first.
    sojourn_cluster::build_all_with_node().await?;
    let options = Options { node: true, images: images()?, metrics: false, ..Options::default() };
    let cluster = Cluster::start(options).await?;
    let shell = Shell::new(&cluster);
    shell.say(&format!("  {} is ready", cluster.server()))?;

    shell.title("The chart: two replicas of the operator, in pods of our image")?;
    let (release, namespace) = RELEASE;
    let chart = "charts/sojourn";
    let install = ["install", release, chart, "--namespace", namespace, "--create-namespace"];
    shell.run("helm", &[&install[..], &["--set", "clusterScoped=true"]].concat()).await?;
    let rollout = ["rollout", "status", "deployment", release, "-n", namespace, "--timeout=120s"];
    shell.run("kubectl", &rollout).await?;
    webhooks(&shell).await?;
    Stage { operator: None, _ide: None, shell, cluster }.begin(began).await
}

/// Waits until the API server knows whom to believe that it is a webhook.
async fn webhooks(shell: &Shell) -> anyhow::Result<()> {
    let began = Instant::now();
    let kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations";
    let count = async |path: &str| {
        let path = format!("jsonpath={{.items[*].webhooks[*].{path}}}");
        let printed = shell.quietly("kubectl", &["get", kinds, "-o", &path]).await?;
        anyhow::Ok(printed.text.split_whitespace().count())
    };
    while count("clientConfig.caBundle").await? < count("name").await? {
        ensure!(began.elapsed() < READY, "the webhooks were not ready within {READY:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// Sojourn's own, and stand-ins for those that the examples name, which are made elsewhere and large.
fn images() -> anyhow::Result<Vec<Image>> {
    let program = std::env::current_exe()?.with_file_name("sojourn");
    ensure!(program.is_file(), "{} is not built: run `cargo build -p sojourn`", program.display());
    let ours = |name: &str, stage: &str| {
        let name = format!("ghcr.io/sojourn-dev/{name}:{}", env!("CARGO_PKG_VERSION"));
        Image::of_dockerfile(&name, include_str!("../../../Dockerfile"), stage, &program)
    };
    let shell = || Image::shell().context("there is no shell for the sessions");
    let notebook = "#!/bin/sh\ntrap 'exit 0' TERM\nhttpd -f -p 8888 -h /srv &\nwait\n";
    let notebook = shell()?
        .named("jupyter/minimal-notebook:2023-10-20")
        .text("/bin/notebook", notebook)
        .link("/srv/sessions/interactive", "/home/jovyan/work")
        .link("/srv/sessions/guarded", "/home/jovyan/work")
        .setting("Cmd", serde_json::json!(["notebook"]));
    let python = "#!/bin/sh\ntrap 'exit 0' TERM\nsleep 600 &\nwait\n";
    let python = shell()?.named("python:3.13-slim").text("/bin/python", python);
    Ok(vec![ours("sojourn", "operator"), ours("sojourn-sidecars", "sidecars"), notebook, python])
}

/// Shows the last lines of the operators' logs.
pub(crate) async fn show_log(shell: &Shell) -> anyhow::Result<()> {
    shell.title("The last the operators said")?;
    let logs = ["logs", "-n", RELEASE.1, "--selector=app.kubernetes.io/name=sojourn", "--tail=20"];
    shell.say(&shell.quietly("kubectl", &logs).await?.text)
}
