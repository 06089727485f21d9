//! The operator, run beside the cluster as the chart's Deployment would run it in a pod.

use crate::shell::Shell;
use anyhow::{Context, ensure};
use serde_json::Value;
use sojourn_fake_ide::FakeIde;
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::{Child, ChildStdin, Command};

/// Runs its arguments until they end or standard input closes, which it does when the demo ends, whatever
/// ended it.
const UNTIL_CLOSED: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
pid=$!
{ cat <&3 >/dev/null; kill "$pid"; } 2>/dev/null &
exec 3<&-
wait "$pid"
"#;

/// How long the operator may take to end.
const ENDING: Duration = Duration::from_secs(15);

/// A running operator.
pub(crate) struct Operator {
    child: Child,
    /// Ends it when closed. Not left in the child: waiting for that would close it.
    leash: Option<ChildStdin>,
    log: PathBuf,
    pages: String,
}

impl Operator {
    /// Starts it with the arguments and the environment of `deployment`, changed so that it serves on the
    /// ports of loopback only, and is connected to `ide`.
    pub(crate) fn start(
        deployment: &Value,
        ide: &FakeIde,
        kubeconfig: &Path,
        [webhooks, health]: [u16; 2],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let args = container["args"].as_array().context("the Deployment has no arguments")?;
        let program = std::env::current_exe()?.with_file_name("sojourn");
        ensure!(program.is_file(), "{} is not built: run `cargo build -p sojourn`", program.display());
        let log = folder.join("operator.log");
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new("sh");
        command.args(["-c", UNTIL_CLOSED, "sh"]).arg(program).args(args.iter().filter_map(Value::as_str));
        command.arg("--kubeconfig").arg(kubeconfig).args([
            format!("--webhook-bind-address=127.0.0.1:{webhooks}"),
            format!("--health-probe-bind-address=127.0.0.1:{health}"),
            format!("--metrics-bind-address=127.0.0.1:{health}"),
            "--shutdown-delay=0s".to_owned(),
            format!("--ide-log-directory={}", folder.join("ide-logs").display()),
            // The pods that kwok plays have addresses that nobody has.
            "--ask-proxies=false".to_owned(),
        ]);
        for variable in container["env"].as_array().into_iter().flatten() {
            let name = variable["name"].as_str().unwrap_or_default();
            let value = match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
                Some("metadata.namespace") => deployment["metadata"]["namespace"].as_str(),
                Some("metadata.name") => Some("demo"),
                _ => variable["value"].as_str(),
            };
            command.env(name, value.with_context(|| format!("the Deployment gives no {name}"))?);
        }
        let mut child = command
            .envs(ide.variables())
            // Ctrl-C is for the demo, which then ends everything in order.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("the operator could not be started")?;
        let leash = child.stdin.take();
        let pages = format!("http://127.0.0.1:{health}");
        Ok(Self { child, leash, log, pages })
    }

    /// Where it logs to.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Where it serves probes and metrics.
    pub(crate) fn pages(&self) -> &str {
        &self.pages
    }

    /// Returns when it has ended, which it should not.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        let status = self.child.wait().await;
        anyhow::anyhow!("the operator ended by itself ({status:?})")
    }

    /// Shows the last lines of its log.
    pub(crate) fn show_log(&self, shell: &Shell) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        shell.title("The last the operator said")?;
        lines[lines.len().saturating_sub(20)..].iter().try_for_each(|line| shell.say(&format!("  {line}")))
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) {
        drop(self.leash.take());
        if tokio::time::timeout(ENDING, self.child.wait()).await.is_err() {
            self.child.kill().await.ok();
        }
    }
}
