//! The judgement: facts in, one line a check out. Pure; nothing is asked here.

mod configuration;
#[cfg(test)]
mod tests;

use super::facts::{Crd, Endpoint, Facts, Handshake, Installation, Lease, Seen, Trial, Unseen};
use crate::core::manifest::covers;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// How good it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could, or nobody can say.
    Warn,
    /// It does not work, or not for long.
    Fail,
}

impl Level {
    /// In one word.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Health {
    /// What was checked.
    pub(super) name: String,
    /// How it is.
    pub(super) level: Level,
    /// What was seen.
    pub(super) message: String,
    /// What to do about it.
    pub(super) way_out: Option<String>,
}

fn ok(name: impl Into<String>, message: impl Into<String>) -> Health {
    Health { name: name.into(), level: Level::Ok, message: message.into(), way_out: None }
}

fn bad(level: Level, name: impl Into<String>, message: impl Into<String>, way_out: &str) -> Health {
    Health { name: name.into(), level, message: message.into(), way_out: Some(way_out.to_owned()) }
}

fn fail(name: impl Into<String>, message: impl Into<String>, way_out: &str) -> Health {
    bad(Level::Fail, name, message, way_out)
}

fn warn(name: impl Into<String>, message: impl Into<String>, way_out: &str) -> Health {
    bad(Level::Warn, name, message, way_out)
}

/// What is not known is not well: it is said, and by whom it can be found out.
fn unseen(name: &str, why: &Unseen) -> Health {
    match why {
        Unseen::Forbidden => {
            warn(name, "you may not look", "run it as somebody who may, such as a cluster administrator")
        }
        Unseen::Failed(error) => warn(name, error.clone(), "try again"),
    }
}

/// Everything that there is to say.
pub(super) fn judge(facts: &Facts) -> Vec<Health> {
    let mut checks: Vec<Health> = facts.crds.iter().map(crd).collect();
    match &facts.configurations {
        Err(why) => checks.push(unseen("webhook configurations", why)),
        Ok(()) if facts.installations.is_empty() => checks.push(fail(
            "webhook configurations",
            "there are none of Sojourn's, so nothing is guarded",
            "install the chart, or helm upgrade the release whose configurations were deleted",
        )),
        Ok(()) => {}
    }
    for installation in &facts.installations {
        let mut found = configuration::judge(installation);
        found.push(handshake(&installation.handshake));
        found.extend(installation.endpoints.as_ref().map(endpoints));
        found.extend(installation.lease.as_ref().map(|seen| lease(seen, facts.now)));
        found.push(rights(installation));
        found.extend(shared_namespace(installation));
        found.push(bad_trial(installation, &facts.me));
        found.push(good_trial(installation));
        let several = facts.installations.len() > 1;
        checks.extend(found.into_iter().map(|check| Health {
            name: if several { format!("{} of {}", check.name, installation.name) } else { check.name },
            ..check
        }));
    }
    checks
}

fn crd(crd: &Crd) -> Health {
    let name = format!("CRD {}", crd.name);
    let live = match &crd.live {
        Err(why) => return unseen(&name, why),
        Ok(None) => {
            return fail(
                name,
                "it is not there",
                "install the chart with deployCrd=true, or apply crds/yaml",
            );
        }
        Ok(Some(live)) => live,
    };
    let established = live["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Established" && condition["status"] == "True");
    if !established {
        return fail(
            name,
            "the API server does not serve it",
            "kubectl describe crd says why; another CRD may have its names",
        );
    }
    if !is_same(&crd.wanted, live) {
        return warn(
            name,
            "it is not the one of this version",
            "helm upgrade with this version's chart; if another release owns the CRD, the notes of helm say how",
        );
    }
    ok(name, "served, and as this version has it")
}

/// Whether two CRDs mean the same. Schemas must be equal to the letter; beside them the API server fills in.
fn is_same(wanted: &Value, live: &Value) -> bool {
    let schemas = |crd: &Value| -> Vec<Value> {
        let versions = crd["spec"]["versions"].as_array().cloned().unwrap_or_default();
        versions.into_iter().map(|version| version["schema"].clone()).collect()
    };
    schemas(wanted) == schemas(live) && covers(&live["spec"], &wanted["spec"])
}

fn handshake(handshake: &Handshake) -> Health {
    let name = "certificate";
    match handshake {
        Handshake::Verified => ok(name, "the bundle of the configurations verifies what the server shows"),
        Handshake::Refused(error) => fail(
            name,
            format!("the bundle does not verify what the server shows: {error}"),
            "the operator writes the bundle; see in its log why it does not",
        ),
        Handshake::Unreachable(error) => warn(
            name,
            format!(
                "the server is not reached from here ({error}); the trials below show whether the API server is better off"
            ),
            "run it in the cluster: kubectl exec deployment/NAME -- /sojourn doctor",
        ),
        Handshake::NoBundle => fail(
            name,
            "the configurations hold no certificate to verify the server with",
            "the operator writes the bundle; see whether it runs, and its log",
        ),
    }
}

fn endpoints(seen: &Seen<Vec<Endpoint>>) -> Health {
    let name = "endpoints";
    let all = match seen {
        Err(why) => return unseen(name, why),
        Ok(all) => all,
    };
    let ready: Vec<&Endpoint> = all.iter().filter(|endpoint| endpoint.ready).collect();
    let nodes: BTreeSet<_> = ready.iter().filter_map(|endpoint| endpoint.node.as_deref()).collect();
    match ready.len() {
        0 => fail(
            name,
            format!("none of {} replicas is ready, so what is guarded cannot be written", all.len()),
            "kubectl describe the pods; /readyz on port 8081 names what is not ready",
        ),
        1 => warn(
            name,
            "one replica is ready: while it restarts, what is guarded cannot be written",
            "run two: helm upgrade --set replicas=2",
        ),
        count if nodes.len() == 1 => warn(
            name,
            format!("{count} replicas are ready, all on node {}", nodes.iter().copied().collect::<String>()),
            "see why the scheduler does not spread them: kubectl describe the pods",
        ),
        count => ok(name, format!("{count} replicas are ready")),
    }
}

fn lease(seen: &Seen<Option<Lease>>, now: Timestamp) -> Health {
    let name = "leader";
    let lease = match seen {
        Err(why) => return unseen(name, why),
        Ok(None) => {
            return fail(
                name,
                "there is no Lease: no replica has ever reconciled",
                "see whether the operator runs; without --leader-elect there is no Lease, and one replica only is allowed",
            );
        }
        Ok(Some(lease)) => lease,
    };
    let age = lease.renewed.map(|renewed| now.duration_since(renewed).as_secs());
    match age {
        _ if lease.holder.is_empty() => fail(
            name,
            "nobody holds the Lease, so nothing is reconciled",
            "see whether the operator runs, and its log",
        ),
        // A clock that is a little ahead is no fault.
        Some(age) if age <= i64::from(lease.seconds) => {
            ok(name, format!("{} holds the Lease, renewed {} s ago", lease.holder, age.max(0)))
        }
        Some(age) => fail(
            name,
            format!("{} has not renewed the Lease for {age} s, so nothing is reconciled", lease.holder),
            "see whether the operator runs and reaches the API server, and its log; or set this machine's clock",
        ),
        None => fail(name, "the Lease was never renewed", "see whether the operator runs, and its log"),
    }
}

fn rights(installation: &Installation) -> Health {
    let name = "rights";
    let rights = match &installation.rights {
        Err(why) => return unseen(name, why),
        Ok(rights) => rights,
    };
    let missing: Vec<&str> =
        rights.iter().filter(|right| !right.allowed).map(|right| right.what.as_str()).collect();
    if rights.is_empty() {
        return warn(
            name,
            "nobody knows which user the operator is",
            "the webhook configurations name it; helm upgrade brings them back",
        );
    }
    if missing.is_empty() {
        return ok(name, format!("the operator has all {} that it needs", rights.len()));
    }
    fail(
        name,
        format!("the operator may not {}", missing.join(", ")),
        "helm upgrade brings the chart's roles back; docs/rights.md says what each is for",
    )
}

/// Sessions beside the operator are in reach of what else is in its namespace. Where all namespaces are served, it is up
/// to who may write sessions there.
fn shared_namespace(installation: &Installation) -> Option<Health> {
    let user = installation.operator_user()?;
    let (home, _) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let shared = installation.namespaces()?.iter().any(|namespace| namespace == home);
    shared.then(|| {
        warn(
            "namespace of sessions",
            format!("sessions live in {home}, beside the operator"),
            "give them a namespace of their own: helm upgrade --set namespaces={sessions} --set createNamespaces=true",
        )
    })
}

/// What the API server says when it could not get an answer from a webhook.
const UNANSWERED: &str = "failed calling webhook";
/// The code and field that our rules name for the session that cannot work.
const TELLING: &str = "spec.culling.maxAge";

fn bad_trial(installation: &Installation, me: &str) -> Health {
    let name = "refusal";
    match &installation.bad_trial {
        Trial::Refused { code: 422, message } if message.contains(TELLING) => {
            ok(name, "a session that cannot work is refused, with the reason")
        }
        Trial::Refused { code: 403, message } if !message.contains(UNANSWERED) => warn(
            name,
            format!("you may not create sessions in namespace {}: {message}", installation.trial_namespace),
            "run it as somebody who may, or name another namespace by --trial-namespace",
        ),
        Trial::Refused { message, .. } if message.contains(UNANSWERED) => unanswered(name, message),
        Trial::Refused { code: 404, message } => not_served(name, message),
        Trial::Refused { message, .. } => fail(
            name,
            format!("a session that cannot work is refused, but not by us: {message}"),
            "look for other webhooks and policies that judge sessions",
        ),
        Trial::Admitted if installation.operator_user().as_deref() == Some(me) => {
            warn(name, "you are the operator, whose requests are not judged", "run it as somebody else")
        }
        Trial::Admitted => fail(
            name,
            format!("a session that cannot work is admitted in namespace {}", installation.trial_namespace),
            "see whether the configurations cover the namespace; helm upgrade brings them back",
        ),
        Trial::Unknown(error) => fail(name, error.clone(), "see whether the CRD is served, and try again"),
    }
}

fn good_trial(installation: &Installation) -> Health {
    let name = "admission";
    match &installation.good_trial {
        Trial::Admitted => ok(name, "a session that can work is admitted"),
        Trial::Refused { message, .. } if message.contains(UNANSWERED) => unanswered(name, message),
        Trial::Refused { code: 404, message } => not_served(name, message),
        Trial::Refused { code: 403, message } => warn(
            name,
            format!("you may not create sessions in namespace {}: {message}", installation.trial_namespace),
            "run it as somebody who may, or name another namespace by --trial-namespace",
        ),
        Trial::Refused { message, .. } => fail(
            name,
            format!("a session that can work is refused: {message}"),
            "look for other webhooks and policies that judge sessions",
        ),
        Trial::Unknown(error) => fail(name, error.clone(), "see whether the CRD is served, and try again"),
    }
}

fn not_served(name: &str, message: &str) -> Health {
    fail(name, message, "sessions are not served, or there is no such namespace; see --trial-namespace")
}

fn unanswered(name: &str, message: &str) -> Health {
    fail(
        name,
        format!("the API server does not reach the webhooks: {message}"),
        "see whether the operator runs, and whether a NetworkPolicy or firewall keeps the API server from the webhooks' port (9443, unless the chart says otherwise)",
    )
}
