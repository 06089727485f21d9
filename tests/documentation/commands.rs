//! Every command in the documentation is run by a test or by the demo, or is listed with the reason why not.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const STORY: &str = "tests/demo/src/story.rs";
const IDES: &str = "tests/ides/endpoints.rs";

/// What runs a command of a cluster: words that the command has in this order, the file that runs it, and what of the
/// command is to be found in that file. The first row that fits counts.
const RUN: &[(&str, &str, &[&str])] = &[
    (
        "kubectl apply examples/interactive.yaml",
        STORY,
        &["\"apply\", \"-f\", INTERACTIVE", "examples/interactive.yaml"],
    ),
    ("kubectl apply examples/batch.yaml", STORY, &["\"apply\", \"-f\", BATCH", "examples/batch.yaml"]),
    ("kubectl apply examples/ide.yaml", STORY, &["\"apply\", \"-f\", IDE]", "examples/ide.yaml"]),
    (
        "kubectl apply examples/bad-duration.yaml",
        STORY,
        &["\"apply\", \"-f\", BAD_DURATION", "examples/bad-duration.yaml"],
    ),
    (
        "kubectl apply examples/bad-notebook.yaml",
        "tests/chart/release.rs",
        &["\"apply\", \"-f\", &format!(\"{EXAMPLES}/bad-notebook.yaml\")"],
    ),
    (
        "kubectl apply examples/bad-agentic.yaml",
        "tests/e2e/agentic.rs",
        &["example(&scene, \"bad-agentic\")"],
    ),
    ("kubectl get ams interactive -w", STORY, &["\"get\", \"ams\", \"interactive\", \"-w\""]),
    ("kubectl get ams batch -w", STORY, &["\"get\", \"ams\", \"batch\", \"-w\""]),
    ("kubectl get ams interactive willHibernateAt", "tests/e2e/culling.rs", &["will_hibernate_at"]),
    ("kubectl get pvc -ds-0", "tests/node/around.rs", &["-ds-0"]),
    ("kubectl label pvc interactive part-of", "tests/e2e/claims.rs", &["told.split(\"kubectl \")"]),
    ("kubectl get idesession web-client -w", STORY, &["\"get\", \"idesession\", \"web-client\", \"-w\""]),
    ("kubectl get lease", "tests/node/restart.rs", &["\"get\", \"lease\"", "holderIdentity"]),
    ("kubectl get amaltheasessions --output yaml", "src/cmd/check/document/tests.rs", &["kind: List"]),
    ("kubectl describe idesession web-client", STORY, &["\"describe\", \"idesession\", \"web-client\""]),
    (
        "kubectl patch ams hibernated",
        STORY,
        &["\"patch\", \"ams\", \"interactive\", \"--type=merge\"", "hibernated"],
    ),
    ("kubectl patch ams lastInteraction", "tests/e2e/culling.rs", &["lastInteraction"]),
    ("kubectl patch ams memory", "tests/e2e/strategies.rs", &["{\"resources\": {\"requests\": {\"memory\""]),
    (
        "kubectl patch job activeDeadlineSeconds",
        STORY,
        &["\"patch\", \"job\", \"batch\", \"--type=merge\"", "activeDeadlineSeconds"],
    ),
    (
        "kubectl patch idesession launchConfigurations",
        STORY,
        &["\"patch\", \"idesession\", \"web-client\"", "launchConfigurations"],
    ),
    (
        "kubectl patch idesession desiredState",
        STORY,
        &["\"patch\", \"idesession\", \"web-client\"", "desiredState"],
    ),
    (
        "kubectl create secret OIDC_ISSUER_URL",
        "tests/node/login.rs",
        &["OIDC_ISSUER_URL", "AUTHORIZED_EMAILS"],
    ),
    ("kubectl create secret clone.yaml", "tests/node/repositories.rs", &["clone.yaml", "privateKey"]),
    (
        "kubectl create secret configData",
        "tests/operations/secrets.rs",
        &["\"remote\": \"s3\"", "configData"],
    ),
    ("kubectl create secret DEBUG_SESSION_PORT", IDES, &["DEBUG_SESSION_PORT", "DEBUG_SESSION_TOKEN"]),
    ("kubectl label secret sojourn.dev/ide-endpoint=true", IDES, &["sojourn.dev/ide-endpoint"]),
    (
        "kubectl rollout restart statefulset",
        "tests/node/around.rs",
        &["\"rollout\", \"restart\", \"statefulset\""],
    ),
    (
        "kubectl rollout status deployment/sojourn",
        "tests/chart/release.rs",
        &["\"rollout\", \"status\", \"deployment/sojourn\""],
    ),
    (
        "kubectl annotate secret sojourn.dev/rotate",
        "tests/certs/rotation.rs",
        &["\"annotate\", \"--overwrite\", \"secret\"", "sojourn.dev/rotate="],
    ),
    (
        "kubectl delete validatingwebhookconfiguration",
        "tests/operations/doctor.rs",
        &["\"delete\", \"validatingwebhookconfiguration,mutatingwebhookconfiguration\""],
    ),
    (
        "helm install old-values.yaml",
        "tests/node/takeover.rs",
        &["install(cluster).await", "uninstall(cluster).await"],
    ),
    (
        "helm install sojourn charts/sojourn --create-namespace",
        "tests/demo/src/node.rs",
        &["\"install\", release, chart, \"--namespace\", namespace, \"--create-namespace\""],
    ),
    ("helm upgrade sojourn imageRewriteRules", "tests/chart/rendered.rs", &["imageRewriteRules"]),
    (
        "helm upgrade sojourn webhooks.clientAuthority",
        "tests/chart/rendered.rs",
        &["webhooks.clientAuthority.configMapName="],
    ),
    ("helm upgrade sojourn ide.endpointSecret", "tests/chart/rendered.rs", &["endpointSecret"]),
    ("helm uninstall sojourn", "tests/operations/uninstall.rs", &["\"uninstall\", \"sojourn\""]),
    ("curl /debug/log", "src/serve/admin/tests.rs", &["/debug/log", "PUT"]),
    ("curl idesessions/NAME/log", "tests/ides/logs.rs", &["idesessions/{session}/log"]),
    ("docker build --target sidecars", "tests/node/stage.rs", &["Dockerfile", "of_dockerfile"]),
    ("docker build", "tests/node/stage.rs", &["Dockerfile", "of_dockerfile"]),
];

/// What nothing here runs, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("docker push", "needs a registry of the reader's"),
    ("helm template CHART", "the reader's own chart"),
    ("helm upgrade OLD", "the original's chart is not here"),
    ("helm uninstall OLD", "the original's chart is not here"),
    ("kubectl annotate crd helm.sh/resource-policy=keep", "it is for the original's chart"),
    ("kubectl patch secret /data/replica.POD", "a repair by hand of what only a killed replica leaves"),
    ("kubectl delete amaltheasessions --all", "ordinary deletion, of all at a time"),
    ("kubectl create configmap api-server", "tests give the authority to an operator in a file"),
    ("kubectl port-forward", "tests reach the ports of a replica themselves"),
    ("kubectl delete crd", "ordinary deletion"),
];

/// A command of a page, and what the page shows of its output.
struct Shown {
    place: String,
    text: String,
    output: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages for readers: their paths from the root of the repository, and their texts.
fn pages() -> Vec<(String, String)> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|it| it == "md"));
    let mut paths: Vec<PathBuf> = docs.chain([root().join("README.md")]).collect();
    paths.sort();
    let name = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    paths.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// The commands in the blocks of a page that are for a shell.
fn shown(page: &str, text: &str) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    let mut block = None;
    let mut goes_on = false;
    for (at, line) in text.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            block = block.is_none().then_some(language);
            goes_on = false;
            continue;
        }
        let prompted = match block {
            Some("console") => line.trim_start().strip_prefix("$ "),
            Some("sh" | "bash") => Some(line.trim()).filter(|line| !line.is_empty()),
            _ => continue,
        };
        if goes_on {
            let last = found.last_mut().unwrap();
            last.text.push(' ');
            last.text.push_str(line.trim().trim_end_matches('\\'));
        } else if let Some(command) = prompted {
            let text = command.trim_end_matches('\\').to_owned();
            found.push(Shown { place: format!("{page}:{}", at + 1), text, output: Vec::new() });
        } else {
            found.last_mut().unwrap().output.push(line.to_owned());
        }
        goes_on = (goes_on || prompted.is_some()) && line.ends_with('\\');
    }
    found
}

/// Commands in the text of a page, between backticks: those of programs that can be asked.
fn mentioned(page: &str, text: &str) -> Vec<Shown> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.contains("```"));
    let spans = lines.flat_map(|(at, line)| line.split('`').skip(1).step_by(2).map(move |span| (at, span)));
    let asked =
        spans.filter(|(_, span)| ["make ", "sojourn "].iter().any(|program| span.starts_with(program)));
    asked
        .map(|(at, span)| Shown {
            place: format!("{page}:{}", at + 1),
            text: span.into(),
            output: Vec::new(),
        })
        .collect()
}

/// The words of each command of a line, as a shell splits them: quotes are kept together, comments are left out.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some('"'), '\\') => word.get_or_insert_default().extend(characters.next()),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ') => commands.last_mut().unwrap().extend(word.take()),
            (None, '|' | '&') => {
                commands.last_mut().unwrap().extend(word.take());
                commands.push(Vec::new());
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    commands.last_mut().unwrap().extend(word);
    commands.retain(|words| !words.is_empty());
    commands
}

/// Whether a command has the words of a pattern, in their order, as words or as parts of words.
fn fits(pattern: &str, command: &[String]) -> bool {
    let mut words = command.iter();
    let program = pattern.split(' ').next();
    command.first().map(String::as_str) == program
        && pattern.split(' ').all(|part| words.any(|word| word.contains(part)))
}

fn sojourn(arguments: &[String]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sojourn")).args(arguments).current_dir(root()).output().unwrap()
}

/// What is wrong with a command.
fn judge(command: &[String]) -> Result<(), String> {
    let line = command.join(" ");
    match command[0].as_str() {
        "make" => {
            let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
            for word in &command[1..] {
                let known = match word.split_once('=') {
                    Some((variable, _)) => makefile.contains(&format!("$({variable})")),
                    None => makefile.lines().any(|line| line.starts_with(&format!("{word}: "))),
                };
                if !known {
                    return Err(format!("the Makefile has no {word:?}"));
                }
            }
            Ok(())
        }
        // Everything before `--help` is parsed as it would be without it.
        "sojourn" => {
            let output = sojourn(&[&command[1..], &["--help".to_owned()]].concat());
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            output.status.success().then_some(()).ok_or(format!("the command line is refused: {said}"))
        }
        "kubectl" | "helm" | "curl" | "git" | "docker" => {
            if NOT_RUN.iter().any(|(pattern, _)| fits(pattern, command)) {
                return Ok(());
            }
            let Some((_, file, pieces)) = RUN.iter().find(|(pattern, ..)| fits(pattern, command)) else {
                return Err(format!(
                    "no test runs `{line}`: add a row to RUN in tests/documentation/commands.rs with the file that runs \
                     it, or to NOT_RUN with the reason why nothing does"
                ));
            };
            let source = std::fs::read_to_string(root().join(file)).map_err(|e| format!("{file}: {e}"))?;
            match pieces.iter().find(|piece| !source.contains(**piece)) {
                None => Ok(()),
                Some(piece) => Err(format!("{file} is to run `{line}`, but does not contain {piece}")),
            }
        }
        other => {
            Err(format!("nothing here knows the program {other:?}: teach tests/documentation/commands.rs"))
        }
    }
}

#[test]
fn every_command_is_run_somewhere() {
    let mut wrong = Vec::new();
    let mut all = Vec::new();
    for (page, text) in pages() {
        for Shown { place, text, .. } in shown(&page, &text).into_iter().chain(mentioned(&page, &text)) {
            for command in commands(&text) {
                wrong.extend(judge(&command).err().map(|why| format!("{place}: {why}")));
                all.push(command);
            }
        }
    }
    assert!(all.len() > 50, "only {} commands are found", all.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let rows = RUN.iter().map(|row| row.0).chain(NOT_RUN.iter().map(|row| row.0));
    let idle: Vec<&str> = rows.filter(|pattern| !all.iter().any(|command| fits(pattern, command))).collect();
    assert!(idle.is_empty(), "no page has a command for the rows {idle:?}");
}

#[test]
fn a_command_that_nothing_runs_is_found() {
    let command = |text: &str| commands(text).remove(0);
    assert!(judge(&command("kubectl cordon node-1")).unwrap_err().contains("add a row to RUN"));
    assert!(judge(&command("make tea")).unwrap_err().contains("\"tea\""));
    assert!(judge(&command("make demo TEA=1")).unwrap_err().contains("TEA=1"));
    assert!(judge(&command("sojourn check --no-such-flag x.yaml")).unwrap_err().contains("--no-such-flag"));
    assert!(judge(&command("sojourn brew")).unwrap_err().contains("brew"));
    assert!(judge(&command("brew tea")).unwrap_err().contains("\"brew\""));
    let words = [vec!["a", "b c"], vec!["d", "e\"f"]];
    assert_eq!(commands(r#"a 'b c' | d "e\"f" # g"#), words);
}

/// What `kubectl` prints when the webhooks refuse, made of what `sojourn check` finds.
fn refusal(file: &str) -> BTreeSet<String> {
    let output = sojourn(&["check".into(), file.into()]);
    let text = String::from_utf8(output.stdout).unwrap();
    let mut found: Vec<String> = Vec::new();
    for line in text.lines() {
        if let Some(hint) = line.strip_prefix("    hint: ") {
            let last = found.last_mut().unwrap();
            last.push_str("; ");
            last.push_str(hint);
        } else if let Some((finding, _)) = line.rsplit_once(" [") {
            let (place, finding) = finding.split_once(": ").unwrap();
            assert!(place.starts_with(file), "{line}");
            let (severity, finding) = finding.split_once(": ").unwrap();
            // Kind and name of the object are in the first line of what kubectl prints.
            let (_, finding) = finding.split_once(": ").unwrap();
            let mark = if severity == "error" { "* " } else { "Warning: " };
            found.push(format!("{mark}{finding}"));
        }
    }
    found.into_iter().collect()
}

#[test]
fn output_that_is_shown_is_what_is_printed() {
    let mut compared = 0;
    for (page, text) in pages() {
        for Shown { place, text, output } in shown(&page, &text) {
            let command = commands(&text).remove(0);
            let files: Vec<&String> = command.iter().filter(|word| word.starts_with("charts/")).collect();
            let bad = files.iter().any(|file| file.contains("/bad-"));
            if output.is_empty() || !bad {
                continue;
            }
            compared += 1;
            match command[0].as_str() {
                "sojourn" => {
                    let printed = String::from_utf8(sojourn(&command[1..]).stdout).unwrap();
                    assert_eq!(output.join("\n").trim_end(), printed.trim_end(), "{place}");
                }
                _ => {
                    let shown = output.into_iter().filter(|line| !line.ends_with(" is invalid:"));
                    assert_eq!(shown.collect::<BTreeSet<_>>(), refusal(files[0]), "{place}");
                }
            }
        }
    }
    assert!(compared >= 4, "only {compared} transcripts are found");
}

#[test]
fn the_pages_hang_together() {
    let pages = pages();
    let (_, index) = pages.iter().find(|(page, _)| page == "docs/README.md").unwrap();
    for (page, text) in &pages {
        let folder = root().join(page).parent().unwrap().to_owned();
        for (at, _) in text.match_indices("](") {
            let link = text[at + 2..].split(')').next().unwrap();
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { root().join(page) } else { folder.join(path) };
            assert!(target.exists(), "{page}: {link} leads nowhere");
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(&target).unwrap();
                let headings = text.lines().filter(|line| line.starts_with('#'));
                let anchors =
                    headings.map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"));
                let kept = |anchor: String| {
                    anchor.replace(|c: char| !c.is_alphanumeric() && c != '-' && c != '_', "")
                };
                assert!(anchors.map(kept).any(|it| it == anchor), "{page}: {link} leads to no heading");
            }
        }
        let name = page.strip_prefix("docs/").filter(|name| *name != "README.md");
        let listed = name.is_none_or(|name| index.contains(&format!("]({name})")));
        assert!(listed, "docs/README.md does not list {page}");
    }
    let (_, readme) = pages.iter().find(|(page, _)| page == "README.md").unwrap();
    assert!(readme.lines().count() <= 200, "README.md is a page of at most 200 lines");
}
