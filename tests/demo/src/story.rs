//! What the demo shows, one function a step.

use crate::shell::Shell;
use anyhow::ensure;

const INTERACTIVE: &str = "charts/sojourn/examples/interactive.yaml";
const BATCH: &str = "charts/sojourn/examples/batch.yaml";
const BAD_DURATION: &str = "charts/sojourn/examples/bad-duration.yaml";
const BAD_IMMUTABLE: &str = "charts/sojourn/examples/bad-immutable.yaml";
const BAD_JOB: &str = "charts/sojourn/examples/bad-job.yaml";

const IDE: &str = "charts/sojourn/examples/ide.yaml";
const LOGIN: &str = "charts/sojourn/examples/login.yaml";

/// The process that the fake IDE gives to its first session.
const FIRST_PROCESS: &str = "10014";

/// Tells it all, to the end or to the first step that is not as told. With a real node the end is another one: there
/// sessions are processes, and no IDE is connected.
pub(crate) async fn tell(shell: &Shell, node: bool) -> anyhow::Result<()> {
    interactive(shell).await?;
    batch(shell).await?;
    hibernate_and_resume(shell).await?;
    refusals(shell).await?;
    described(shell).await?;
    match node {
        true => login(shell).await?,
        false => ide(shell).await?,
    }
    shell.title("All was as told")
}

async fn interactive(shell: &Shell) -> anyhow::Result<()> {
    shell.title("1. An interactive session starts")?;
    shell.run("kubectl", &["apply", "-f", INTERACTIVE]).await?;
    shell.watch(&["get", "ams", "interactive", "-w"], "Running").await?;
    let children =
        shell.run("kubectl", &["get", "statefulset,service,ingress,pvc,secret,pod", "-o", "name"]).await?;
    for child in [
        "statefulset.apps/interactive",
        "service/interactive",
        "ingress.networking.k8s.io/interactive",
        "persistentvolumeclaim/interactive",
        "secret/interactive---internal",
        "pod/interactive-0",
    ] {
        ensure!(children.lines().any(|line| line == child), "{child} was to be there");
    }
    Ok(())
}

async fn batch(shell: &Shell) -> anyhow::Result<()> {
    shell.title("2. A batch session starts, and its Job may live as long as the session")?;
    shell.run("kubectl", &["apply", "-f", BATCH]).await?;
    shell.watch(&["get", "ams", "batch", "-w"], "Running").await?;
    let path =
        "jsonpath=deadline {.spec.activeDeadlineSeconds} s, kept {.spec.ttlSecondsAfterFinished} s{\"\\n\"}";
    let job = shell.run("kubectl", &["get", "job", "batch", "-o", path]).await?;
    ensure!(job.starts_with("deadline 3600 s"), "the Job was to have an hour");
    Ok(())
}

async fn hibernate_and_resume(shell: &Shell) -> anyhow::Result<()> {
    shell.title("3. The interactive session hibernates: no pod, no way in; its files stay")?;
    let hibernated = |on: bool| format!("{{\"spec\":{{\"hibernated\":{on}}}}}");
    shell.run("kubectl", &["patch", "ams", "interactive", "--type=merge", "-p", &hibernated(true)]).await?;
    shell.watch(&["get", "ams", "interactive", "-w"], "Hibernated").await?;
    let left = shell.run("kubectl", &["get", "ingress,pvc", "-o", "name"]).await?;
    ensure!(!left.contains("ingress"), "the Ingress was to be gone");
    ensure!(left.contains("persistentvolumeclaim/interactive"), "the claim was to stay");

    shell.title("   ... and resumes")?;
    shell.run("kubectl", &["patch", "ams", "interactive", "--type=merge", "-p", &hibernated(false)]).await?;
    shell.watch(&["get", "ams", "interactive", "-w"], "Running").await
}

async fn refusals(shell: &Shell) -> anyhow::Result<()> {
    shell.title("4. Another location for a session: refused, a session stays what it is")?;
    shell.refused("kubectl", &["apply", "-f", BAD_IMMUTABLE], &["spec.location"]).await?;

    shell.title("5. Wrong durations and more: refused, all of it named in one answer")?;
    let reasons = [
        "spec.culling.maxAge",
        "24h",
        "spec.culling.maxIdleDuration",
        "5m",
        "spec.session.storage.mountPath",
        "spec.ingress.host",
    ];
    shell.refused("kubectl", &["apply", "-f", BAD_DURATION], &reasons).await?;

    shell.title("6. A Job of the batch session that would end before the session may: refused")?;
    let reasons = ["spec.activeDeadlineSeconds", "60 s", "3600 s"];
    shell.refused("kubectl", &["apply", "-f", BAD_JOB], &reasons).await?;
    let raise = ["patch", "job", "batch", "--type=merge", "-p", "{\"spec\":{\"activeDeadlineSeconds\":60}}"];
    shell.refused("kubectl", &raise, &["spec.activeDeadlineSeconds"]).await
}

async fn described(shell: &Shell) -> anyhow::Result<()> {
    shell.title("7. What a session has been through")?;
    let events = shell.run_from("kubectl", &["describe", "ams", "interactive"], "Events:").await?;
    for reason in ["Hibernated", "Resumed"] {
        ensure!(events.contains(reason), "the events were to tell of {reason:?}");
    }
    shell.run("kubectl", &["get", "ams"]).await?;
    Ok(())
}

async fn login(shell: &Shell) -> anyhow::Result<()> {
    shell.title("8. A session behind a login: a proxy of ours stands before it and asks for a token")?;
    shell.run("kubectl", &["apply", "-f", LOGIN]).await?;
    shell.watch(&["get", "ams", "guarded", "-w"], "Running").await?;
    let path = "jsonpath={.spec.containers[*].name}{\"\\n\"}";
    let names = shell.run("kubectl", &["get", "pod", "guarded-0", "-o", path]).await?;
    ensure!(names.contains("authproxy"), "the proxy was to be in the pod");
    let write = "echo hello from the session >/home/jovyan/work/hello.txt";
    let exec = ["exec", "guarded-0", "-c", "amalthea-session", "--", "sh", "-c", write];
    shell.run("kubectl", &exec).await?;

    shell.title("   ... of which another pod sees nothing without the token")?;
    shell.run("kubectl", &["run", "visitor", "--image=busybox", "--", "sleep", "3600"]).await?;
    shell.run("kubectl", &["wait", "pod", "visitor", "--for=condition=Ready", "--timeout=120s"]).await?;
    let address = ["get", "service", "guarded", "-o", "jsonpath={.spec.clusterIP}"];
    let page =
        format!("http://{}/sessions/guarded/hello.txt", shell.quietly("kubectl", &address).await?.text);
    let visit = ["exec", "visitor", "--", "wget", "-qO-", &page];
    shell.refused("kubectl", &visit, &["401"]).await?;
    let token = "--header=Authorization: Bearer change-me";
    let visit = ["exec", "visitor", "--", "wget", "-qO-", token, &page];
    let seen = shell.run("kubectl", &visit).await?;
    ensure!(seen == "hello from the session\n", "the session was to answer");
    Ok(())
}

async fn ide(shell: &Shell) -> anyhow::Result<()> {
    shell.title("8. A debug session in an IDE, which is a fake one here, and the process that it debugs")?;
    shell.run("kubectl", &["apply", "-f", IDE]).await?;
    // The IDE tells of the process a moment after it has accepted the session.
    shell.watch(&["get", "idesession", "web-client", "-w"], FIRST_PROCESS).await?;
    let file = ["get", "idesession", "web-client", "-o", "jsonpath={.status.stdOutFile}"];
    let file = shell.run("kubectl", &file).await?;
    let lines = shell.run("head", &["-n", "1", &file]).await?;
    ensure!(lines.starts_with("1 "), "what the process writes was to be captured");

    shell.title("9. Something else to launch: refused, a session stays what it is")?;
    let other = r#"{"spec":{"launchConfigurations":"[{\"type\":\"python\"}]"}}"#;
    let edit = ["patch", "idesession", "web-client", "--type=merge", "-p", other];
    let said = "launchConfigurations cannot be changed after the IdeSession is created.";
    shell.refused("kubectl", &edit, &["spec.launchConfigurations", said]).await?;

    shell.title("10. The session is stopped, for good")?;
    let desire = |state: &str| format!("{{\"spec\":{{\"desiredState\":\"{state}\"}}}}");
    let patch = ["patch", "idesession", "web-client", "--type=merge", "-p"];
    shell.run("kubectl", &[&patch[..], &[&desire("Stopped")]].concat()).await?;
    shell.watch(&["get", "idesession", "web-client", "-w"], "Stopped").await?;
    let said = "desiredState cannot be changed once it is set to Stopped.";
    shell
        .refused("kubectl", &[&patch[..], &[&desire("Running")]].concat(), &["spec.desiredState", said])
        .await?;
    let events = shell.run_from("kubectl", &["describe", "idesession", "web-client"], "Events:").await?;
    for reason in ["Starting", "Started", "Stopping", "Stopped"] {
        ensure!(events.contains(reason), "the events were to tell of {reason:?}");
    }
    Ok(())
}
