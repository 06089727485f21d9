//! `sojourn plan`: what would be done for the sessions of a manifest, what would be reported, and when what is due.
//!
//! What decides is the core that the operator runs; this file reads, asks a cluster when it is told to,
//! and prints. Nothing is written anywhere.

mod amalthea;
mod cluster;
mod ide_session;
mod kind;
mod outline;
mod report;
mod workload;

use super::check::{
    document::Document,
    examine::{self, Examination, Input},
    files,
    kinds::Kinds,
};
use super::connect::Cluster;
use super::terminal::{print, printable};
use crate::{
    core::settings::SessionSettings,
    settings::{OAUTH2_PROXY_IMAGE, Settings, flags::Flags, flags::on_deadline},
};
use clap::{Args, Command, FromArgMatches};
use jiff::Timestamp;

use cluster::Known;
use outline::{Outline, Standing, Subject};
use report::Output;
use sojourn_crds::amalthea::OnDeadline;
use sojourn_webhooks::{AdmissionSettings, settings::PodSecurity};
use std::path::PathBuf;
use std::process::ExitCode;

/// Something is denied.
const DENIED: u8 = 1;
/// Some input could not be read, or there is nothing in it to plan for.
const UNUSABLE: u8 = 2;

/// Arguments of `sojourn plan`.
#[derive(Args, Debug)]
pub struct Show {
    /// A file with sessions, or - for standard input.
    #[arg(value_name = "FILE|-")]
    input: PathBuf,
    #[command(flatten)]
    cluster: Cluster,
    /// The namespace of objects that name none. By default that of the context, or `default`.
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
    /// How the result is written.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
    /// What the installation does with a batch session that reaches its maxAge: Fail or Hibernate.
    #[arg(long, default_value = "Fail", value_parser = on_deadline, value_name = "WHAT")]
    non_interactive_on_deadline: OnDeadline,
    /// Which pods the installation makes for sessions: Original or Restricted.
    #[arg(long, default_value = "Original", value_name = "WHICH")]
    pod_security: PodSecurity,
    /// Image of oauth2-proxy in sessions that authenticate with it.
    #[arg(long, default_value = OAUTH2_PROXY_IMAGE, value_name = "IMAGE")]
    oauth2_proxy_image: String,
    /// A secret of the session's namespace to pull images with, beside the session's own; repeatable.
    #[arg(long = "pull-secret", value_name = "NAME", action = clap::ArgAction::Append)]
    pull_secrets: Vec<String>,
}

impl Show {
    /// Plans, prints, and says how it went: 0 when nothing is denied, 1 when something is, 2 when an input could not
    /// be read or holds nothing to plan for.
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let (mut inputs, mut errors) = (Vec::new(), Vec::new());
        files::read(&self.input, &mut inputs, &mut errors);
        for error in &errors {
            eprintln!("sojourn: {}", printable(&error.to_string()));
        }
        let settings = self.settings()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let outlines = runtime.block_on(self.plan(&inputs, &settings))?;
        print(&report::render(&outlines, self.output)?)?;
        let planned = outlines.iter().any(|outline| !matches!(outline.subject, Subject::Unknown));
        let denied = outlines.iter().any(|outline| matches!(outline.subject, Subject::Denied));
        Ok(ExitCode::from(match (errors.is_empty() && planned, denied) {
            (false, _) => UNUSABLE,
            (true, true) => DENIED,
            (true, false) => 0,
        }))
    }

    /// The settings of an installation with these arguments and this environment.
    fn settings(&self) -> anyhow::Result<SessionSettings> {
        let matches = Flags::augment_args(Command::new("run")).try_get_matches_from(["run"])?;
        let flags = Flags {
            non_interactive_on_deadline: self.non_interactive_on_deadline,
            pod_security: self.pod_security,
            oauth2_proxy_image: self.oauth2_proxy_image.clone(),
            pull_secrets: self.pull_secrets.clone(),
            ..Flags::from_arg_matches(&matches)?
        };
        Ok(Settings::read(flags, &|name| std::env::var(name).ok())?.sessions)
    }

    async fn plan(&self, inputs: &[Input], settings: &SessionSettings) -> anyhow::Result<Vec<Outline>> {
        let asked = self.cluster.kubeconfig.is_some() || self.cluster.context.is_some();
        let (client, namespace) = match asked {
            true => {
                let (client, namespace) = self.cluster.connect().await?;
                (Some(client), namespace)
            }
            false => (None, "default".to_owned()),
        };
        let namespace = self.namespace.clone().unwrap_or(namespace);
        let kinds = Kinds::compiled()?;
        let mut outlines = Vec::new();
        for input in inputs {
            for document in &input.documents {
                let (namespace, name) = (namespace_of(document, &namespace), name(document));
                let known = match (&client, kind::of(document)) {
                    (Some(client), Some(kind)) => kind.observe(client, &namespace, &name).await?,
                    _ => Known::default(),
                };
                let mut outline = outline(&kinds, input, document, &namespace, &known, settings)?;
                if let (Some(client), Subject::Planned(_, forecast)) = (&client, &outline.subject) {
                    // The names that would be taken are asked for, as a POST would find them.
                    let unlabelled = cluster::unlabelled(client, &namespace, forecast.creates()).await?;
                    if !unlabelled.is_empty() {
                        let known = Known { unlabelled, ..known };
                        outline = self::outline(&kinds, input, document, &namespace, &known, settings)?;
                    }
                }
                outlines.push(outline);
            }
        }
        Ok(outlines)
    }
}

/// Where an object is; empty for a kind that belongs to no namespace.
fn namespace_of(document: &Document, default: &str) -> String {
    if kind::of(document).is_some_and(|kind| !kind.is_namespaced()) {
        return String::new();
    }
    let named = document.object["metadata"]["namespace"].as_str().filter(|name| !name.is_empty());
    named.unwrap_or(default).to_owned()
}

fn name(document: &Document) -> String {
    let metadata = &document.object["metadata"];
    let generated = metadata["generateName"].as_str().map(|start| format!("{start}00000"));
    metadata["name"].as_str().map(str::to_owned).or(generated).unwrap_or_default()
}

/// What there is to say about one object of the input.
fn outline(
    kinds: &Kinds,
    input: &Input,
    document: &Document,
    namespace: &str,
    known: &Known,
    settings: &SessionSettings,
) -> anyhow::Result<Outline> {
    // The API server's clock stands still for a second at a time.
    let now = Timestamp::from_second(Timestamp::now().as_second())?;
    let mut outline = Outline {
        file: input.file.clone(),
        place: document.place(&Default::default()),
        kind: document.text("kind").to_owned(),
        namespace: namespace.to_owned(),
        name: name(document),
        problems: Vec::new(),
        notes: known.notes.clone(),
        subject: Subject::Unknown,
    };
    let Some(kind) = kind::of(document) else { return Ok(outline) };
    let examination = examined(kinds, input, document, known, settings, now)?;
    let denied = examination.denied > 0;
    outline.problems = examination.problems;
    if denied {
        outline.subject = Subject::Denied;
        return Ok(outline);
    }
    let stored =
        cluster::as_stored(&document.object, known.session.as_ref(), &outline.namespace, &outline.name, now);
    let forecast = kind.forecast(stored, known, settings, now)?;
    outline.notes.extend(forecast.suppositions().iter().map(|text| (*text).to_owned()));
    let standing = match (known.asked, &known.session) {
        (false, _) => Standing::Offline,
        (true, Some(_)) => Standing::Exists,
        (true, None) => Standing::New,
    };
    outline.subject = Subject::Planned(standing, forecast);
    Ok(outline)
}

/// What the cluster would say to the object alone, as an update when it is there.
fn examined(
    kinds: &Kinds,
    input: &Input,
    document: &Document,
    known: &Known,
    settings: &SessionSettings,
    now: Timestamp,
) -> anyhow::Result<Examination> {
    let of = |documents| vec![Input { file: input.file.clone(), documents }];
    let old = match &known.session {
        Some(session) => super::check::document::parse(&serde_json::to_vec(session)?)?,
        None => Vec::new(),
    };
    let mut new = document.clone();
    if let Some(namespace) = known.session.as_ref().and_then(|session| session["metadata"].get("namespace")) {
        new.object["metadata"]["namespace"] = namespace.clone();
    }
    let admission = AdmissionSettings {
        on_deadline: settings.on_deadline,
        pod_security: settings.pod_security,
        ..AdmissionSettings::default()
    };
    Ok(examine::examine(kinds, &of(vec![new]), &of(old), admission, now))
}

/// The kinds that plans are made for, as manifests name them.
#[cfg(test)]
pub(crate) fn kinds() -> impl Iterator<Item = &'static str> {
    kind::KINDS.into_iter().map(|kind| kind.kind())
}
