//! Plans for `AmaltheaSession`.

use super::{
    cluster::{self, AskClusterError, Known},
    kind::{Forecast, PlannedKind},
    report::conditions_text,
    workload::{steps, text, until, whole},
};
use crate::{
    cmd::terminal::printable,
    control::amalthea::Index,
    core::{
        amalthea::{Observed, PlanContext, Preview, deadlines::Decision, events::rule, preview},
        manifest::Write,
        object::Kind,
        settings::SessionSettings,
        workload::WorkloadKind as _,
    },
};
use anyhow::Context as _;
use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use sojourn_crds::amalthea::{API_VERSION, AmaltheaSession, KIND};
use std::fmt::Write as _;

/// The row of `AmaltheaSession`.
#[derive(Debug)]
pub(super) struct AmaltheaSessions;

impl PlannedKind for AmaltheaSessions {
    fn api_version(&self) -> &'static str {
        API_VERSION
    }

    fn kind(&self) -> &'static str {
        KIND
    }

    fn observe<'a>(
        &'a self,
        client: &'a Client,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Known, AskClusterError>> {
        cluster::observe_workload::<AmaltheaSession>(client, namespace, name).boxed()
    }

    fn forecast(
        &self,
        stored: Value,
        known: &Known,
        settings: &SessionSettings,
        now: Timestamp,
    ) -> anyhow::Result<Box<dyn Forecast>> {
        let session: AmaltheaSession =
            serde_json::from_value(stored).context("the session cannot be read")?;
        let mut index = Index::default();
        for object in &known.objects {
            index.apply_object(object.clone());
        }
        let key = index.apply_session(session).context("the session has no name")?;
        let mut observed = index.observe(&key).context("the session is not observed")?;
        for object in &known.unlabelled {
            let slot = (object.kind, object.name.clone());
            observed.children.entry(slot).or_insert_with(|| object.clone().into());
        }
        // What is not among all that could be read is not there.
        observed.measurements.claim_is_gone = known.asked && known.notes.is_empty();
        // Secrets are not shown, so it does not matter what is in them.
        let context = PlanContext { now, entropy: [0; 32], settings };
        let checked =
            AmaltheaSession::validate(&observed.session, &context).context("the session has no spec")?;
        let preview = preview(&checked, &observed, &context);
        Ok(Box::new(Session { exists: known.session.is_some(), preview, observed, now }))
    }
}

/// A session, and what would be done for it.
#[derive(Debug)]
struct Session {
    /// Whether it is in the cluster.
    exists: bool,
    preview: Preview,
    observed: Observed,
    now: Timestamp,
}

impl Forecast for Session {
    fn creates(&self) -> Vec<(Kind, String)> {
        let created = self.preview.plan.write.iter().filter(|write| matches!(write, Write::Create { .. }));
        created.map(|write| (write.target().0, write.target().1.to_owned())).collect()
    }

    fn text(&self) -> String {
        let (mut out, preview) = (String::new(), &self.preview);
        if let Some(run) = &preview.begin_run {
            let _ = writeln!(out, "  + run {run} is written down first: the session resumes");
        }
        out.push_str(&text(&preview.plan, &self.observed, &preview.keep));
        let status = &preview.report.status;
        let _ = writeln!(out, "  status {}", status.state.as_str());
        // The ID of a first run follows from the UID, which a session that is not there has not.
        let run = status.run_id.as_ref().filter(|_| self.exists);
        for (name, text) in [("url", status.url.as_ref()), ("error", status.error.as_ref()), ("run", run)] {
            if let Some(text) = text {
                let _ = writeln!(out, "    {name}: {}", printable(text));
            }
        }
        out.push_str(&conditions_text(&status.conditions));
        if preview.scheduled_decisions.is_empty() {
            out.push_str("  next: nothing is due because of the time alone\n");
        }
        for wake in &preview.scheduled_decisions {
            let when = format!("{} ({})", whole(wake.at), until(wake.at, self.now));
            let _ = writeln!(out, "  next: {when}: {}", self.reason(wake.what));
        }
        out
    }

    fn plan(&self) -> Value {
        let (preview, plan) = (&self.preview, &self.preview.plan);
        json!({
            "exists": self.exists,
            "beginRun": preview.begin_run,
            "children": steps(plan, &self.observed, &preview.keep),
            "finalizers": plan.finalizers,
        })
    }

    fn status(&self) -> Value {
        json!(self.preview.report.status)
    }

    fn deadlines(&self) -> Value {
        let decisions = self.preview.scheduled_decisions.iter();
        decisions
            .map(|decision| json!({"at": decision.at.to_string(), "why": self.reason(decision.what)}))
            .collect()
    }
}

impl Session {
    /// What is decided at a deadline, and by which rule.
    fn reason(&self, what: Decision) -> String {
        let rule = |why| rule(&self.observed.session, why);
        match what {
            Decision::Hibernate(why) => format!("hibernate it: {}", rule(why)),
            Decision::Delete(why) => format!("delete it: {}", rule(why)),
            Decision::GiveUpScheduling => "say that it failed: no node took its pod".to_owned(),
            Decision::TellUnready => "say which container is not ready".to_owned(),
            Decision::ForgetFailure => "see that it has not crashed again".to_owned(),
            Decision::EndJob => "delete its Job, in whose pod other containers run on".to_owned(),
            Decision::AskIfIdle => "ask whether somebody uses it".to_owned(),
            Decision::TellUnschedulable => "say that no node takes its pod".to_owned(),
        }
    }
}
