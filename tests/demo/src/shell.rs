//! Runs commands as a person would type them, and shows what they print.

use anyhow::{Context, bail, ensure};
use sojourn_cluster::Cluster;
use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The tools of a cluster, used from the root of the repository.
pub(crate) struct Shell {
    root: PathBuf,
    kubectl: PathBuf,
    helm: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
    colour: bool,
}

/// What a command printed, on both streams, and whether it succeeded.
pub(crate) struct Printed {
    pub(crate) text: String,
    pub(crate) success: bool,
}

impl Shell {
    pub(crate) fn new(cluster: &Cluster) -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self {
            root: package.ancestors().nth(2).unwrap_or(package).to_path_buf(),
            kubectl: cluster.binary("kubectl"),
            helm: cluster.binary("helm"),
            kubeconfig: cluster.kubeconfig().to_path_buf(),
            home: cluster.dir().to_path_buf(),
            colour: std::io::stdout().is_terminal(),
        }
    }

    /// Where kubectl is.
    pub(crate) fn tools(&self) -> &Path {
        self.kubectl.parent().unwrap_or(&self.root)
    }

    pub(crate) fn say(&self, line: &str) -> anyhow::Result<()> {
        let mut out = std::io::stdout();
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    }

    pub(crate) fn title(&self, text: &str) -> anyhow::Result<()> {
        self.say(&self.painted("1", &format!("\n== {text}")))
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn show_command(&self, program: &str, args: &[&str]) -> anyhow::Result<()> {
        let quoted = |arg: &&str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,{}".contains(c);
            if arg.chars().all(plain) && !arg.contains('{') { (*arg).to_owned() } else { format!("'{arg}'") }
        };
        let args: Vec<_> = args.iter().map(quoted).collect();
        self.say(&self.painted("36", &format!("$ {program} {}", args.join(" "))))
    }

    fn show(&self, text: &str) -> anyhow::Result<()> {
        text.lines().try_for_each(|line| self.say(&format!("  {line}")))
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let path = if program == "helm" { &self.helm } else { &self.kubectl };
        let mut command = Command::new(path);
        command
            .args(args)
            .current_dir(&self.root)
            .env("KUBECONFIG", &self.kubeconfig)
            // Caches of clusters that are gone would be taken for this one's: ports come again.
            .env("KUBECACHEDIR", self.home.join("kubectl-cache"))
            .env("HELM_CACHE_HOME", self.home.join("helm-cache"))
            .env("HELM_CONFIG_HOME", self.home.join("helm-config"))
            .env("HELM_DATA_HOME", self.home.join("helm-data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a command without showing it.
    pub(crate) async fn quietly(&self, program: &str, args: &[&str]) -> anyhow::Result<Printed> {
        let output = tokio::time::timeout(LIMIT, self.command(program, args).output())
            .await
            .with_context(|| format!("{program} {} took longer than {LIMIT:?}", args.join(" ")))?
            .with_context(|| format!("{program} could not be run"))?;
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(Printed { text: text.concat(), success: output.status.success() })
    }

    /// Runs a command, shows it and what it prints, and returns that. It must succeed.
    pub(crate) async fn run(&self, program: &str, args: &[&str]) -> anyhow::Result<String> {
        self.show_command(program, args)?;
        let printed = self.quietly(program, args).await?;
        self.show(&printed.text)?;
        ensure!(printed.success, "{program} {} was to succeed", args.join(" "));
        Ok(printed.text)
    }

    /// As [`Self::run`], and shows only what is printed from the line that begins with `from` on.
    pub(crate) async fn run_from(&self, program: &str, args: &[&str], from: &str) -> anyhow::Result<String> {
        self.show_command(program, args)?;
        let printed = self.quietly(program, args).await?;
        ensure!(printed.success, "{program} {} was to succeed: {}", args.join(" "), printed.text);
        let at = printed.text.lines().position(|line| line.starts_with(from));
        let at = at.with_context(|| format!("{program} {} was to print {from}", args.join(" ")))?;
        let text = printed.text.lines().skip(at).collect::<Vec<_>>().join("\n");
        self.show(&format!("...\n{text}"))?;
        Ok(text)
    }

    /// Runs a command, shows it and what it prints. It must be refused with all of `reasons`.
    pub(crate) async fn refused(&self, program: &str, args: &[&str], reasons: &[&str]) -> anyhow::Result<()> {
        self.show_command(program, args)?;
        let printed = self.quietly(program, args).await?;
        self.show(&printed.text)?;
        ensure!(!printed.success, "{program} {} was to be refused", args.join(" "));
        for reason in reasons {
            ensure!(printed.text.contains(reason), "the answer was to speak of {reason:?}");
        }
        Ok(())
    }

    /// Watches with kubectl and shows each line, until one has the word `until`.
    pub(crate) async fn watch(&self, args: &[&str], until: &str) -> anyhow::Result<()> {
        self.show_command("kubectl", args)?;
        let mut child = self.command("kubectl", args).spawn().context("kubectl could not be run")?;
        let mut lines = BufReader::new(child.stdout.take().context("kubectl has no output")?).lines();
        let seen = tokio::time::timeout(LIMIT, async {
            while let Some(line) = lines.next_line().await? {
                self.show(&line)?;
                if line.split_whitespace().any(|word| word == until) {
                    return Ok(true);
                }
            }
            anyhow::Ok(false)
        })
        .await;
        child.kill().await.ok();
        match seen {
            Ok(seen) => ensure!(seen?, "the watch ended before {until} was seen"),
            Err(_) => bail!("{until} was not seen within {LIMIT:?}"),
        }
        Ok(())
    }
}
