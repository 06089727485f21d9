//! What we warn of against what Pod Security refuses: pods of generated sessions in namespaces that enforce a standard,
//! made with each setting of the operator.

mod generate;

use crate::{children::children, oracle::Oracle, ours};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
    core::DynamicObject,
};
use serde_json::{Value, json};
use sojourn::{
    control::api,
    core::{object::Kind, settings::SessionSettings},
};
use sojourn_cluster::{eventually, test_namespace};
use sojourn_webhooks::{
    Finding,
    rules::pod_security::{ENFORCE_LABEL, Enforced, Level},
    settings::PodSecurity,
};

/// Sessions, each of a seed of its own.
const SEEDS: u64 = 200;

/// What the API server calls a violation, and what we write in a warning of one.
const NAMES: [(&str, &[&str]); 12] = [
    ("allowPrivilegeEscalation != false (", &["allowPrivilegeEscalation"]),
    // Who runs as user 0 hears of it once.
    ("runAsNonRoot != true (", &["runAsNonRoot", "spec.session.runAsUser: 0;"]),
    ("runAsUser=0 (", &["runAsUser: 0;"]),
    ("seccompProfile (", &["seccompProfile"]),
    ("unrestricted capabilities (", &["securityContext.capabilities"]),
    ("non-default capabilities (", &["securityContext.capabilities"]),
    ("privileged (", &["securityContext.privileged"]),
    ("hostPort (", &["hostPort"]),
    ("seLinuxOptions (", &["seLinuxOptions"]),
    ("probe or lifecycle host (", &[".host: "]),
    ("restricted volume types (", &["spec.extraVolumes"]),
    ("hostPath volumes (", &["spec.extraVolumes"]),
];

/// The same for AppArmor, whose name has a plural.
const APP_ARMOR: (&str, &[&str]) = ("forbidden AppArmor profile", &["appArmorProfile", "AppArmor "]);

#[tokio::test(flavor = "multi_thread")]
async fn what_we_warn_of_is_what_pod_security_refuses() {
    let oracle = Oracle::start().await;
    let mut wrong = Vec::new();
    let (mut refused, mut allowed) = (0, 0);
    for level in [Level::Baseline, Level::Restricted] {
        let namespace = enforcing(&oracle, level).await;
        for pod_security in [PodSecurity::Original, PodSecurity::Restricted] {
            let settings = SessionSettings { pod_security, ..crate::children::settings() };
            for seed in 0..SEEDS {
                let written = generate::session(seed);
                let mut session = oracle.take(&written).await.unwrap().expect("the schema takes it");
                session["metadata"]["namespace"] = json!(namespace);
                let enforced = Enforced { level, minor: oracle.kubernetes.minor };
                let ours = ours::pod_security(&session, enforced, pod_security);
                let theirs = refusal(&oracle, &session, &settings).await;
                *(if theirs.is_some() { &mut refused } else { &mut allowed }) += 1;
                if let Some(difference) = difference(&ours, theirs.as_deref()) {
                    wrong.push(format!(
                        "{level}, {pod_security:?}, seed {seed}: {difference}\n  {}",
                        written["spec"]
                    ));
                }
            }
        }
    }
    oracle.stop().await;
    println!("{refused} pods refused, {allowed} allowed");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused > SEEDS && allowed > SEEDS, "{refused} refused, {allowed} allowed: too much alike");
}

/// A namespace that enforces a standard, once the API server does so.
async fn enforcing(oracle: &Oracle, level: Level) -> String {
    let name = test_namespace(&oracle.client, level.as_str()).await.unwrap();
    let namespaces: Api<Namespace> = Api::all(oracle.client.clone());
    let label = json!({"metadata": {"labels": {ENFORCE_LABEL: level.as_str()}}});
    namespaces.patch(&name, &PatchParams::default(), &Patch::Merge(&label)).await.unwrap();
    let pod = json!({"metadata": {"name": "probe"}, "spec": {"containers": [
        {"name": "a", "image": "a", "securityContext": {"privileged": true}}]}});
    eventually("the standard is enforced", async || create(oracle, &name, &pod).await.is_err())
        .await
        .unwrap();
    name
}

/// Creates a pod for a dry run. Why it is refused is an answer.
async fn create(oracle: &Oracle, namespace: &str, pod: &Value) -> Result<(), String> {
    let pods = api::api(&oracle.client, Kind::Pod, Some(namespace));
    let object: DynamicObject = serde_json::from_value(pod.clone()).unwrap();
    let params = PostParams { dry_run: true, ..PostParams::default() };
    match pods.create(&params, &object).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) => Err(status.message.clone()),
        Err(error) => panic!("{error}"),
    }
}

/// Why Pod Security refuses the pod of a session, if it does.
async fn refusal(oracle: &Oracle, session: &Value, settings: &SessionSettings) -> Option<String> {
    let children = children(session, settings).unwrap();
    let pod = children.iter().find(|child| child.kind == Kind::Pod).expect("a session has a pod");
    let namespace = session["metadata"]["namespace"].as_str().unwrap();
    let message = create(oracle, namespace, &pod.manifest).await.err()?;
    // The setting must not make a pod invalid.
    assert!(message.contains("violates PodSecurity"), "{message}: {}", pod.manifest);
    Some(message)
}

/// What one side says and the other does not.
fn difference(ours: &[Finding], theirs: Option<&str>) -> Option<String> {
    let said = |(theirs_name, our_names): (&str, &[&str])| {
        let theirs = theirs.is_some_and(|message| message.contains(theirs_name));
        let ours = ours.iter().any(|finding| our_names.iter().any(|name| finding.to_string().contains(name)));
        (theirs, ours)
    };
    // A volume of the node has two names, and capabilities have one for each standard.
    let unlike = |name: &(&str, &[&str])| {
        let (theirs, ours) = said(*name);
        let twins = NAMES.iter().chain([&APP_ARMOR]).filter(|other| other.1 == name.1);
        let theirs_by_any_name = twins.into_iter().any(|other| said(*other).0);
        (theirs && !ours) || (ours && !theirs_by_any_name)
    };
    let unlike: Vec<_> =
        NAMES.iter().chain([&APP_ARMOR]).filter(|name| unlike(name)).map(|name| name.0).collect();
    let verdicts_differ = ours.is_empty() != theirs.is_none();
    (verdicts_differ || !unlike.is_empty())
        .then(|| format!("{unlike:?}\n  the API server: {theirs:?}\n  we: {:?}", texts(ours)))
}

fn texts(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}
