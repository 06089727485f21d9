//! What the parts of a pod have to fit together for: names that are mounted are made, paths are there once,
//! and images are those that somebody chose.

use super::{
    cluster::{Cluster, cluster},
    fixtures::*,
};
use crate::core::{amalthea::adoption::referenced, manifest::Write, object::Kind};
use rstest::rstest;
use serde_json::{Value, json};
use sojourn_webhooks::settings::PodSecurity;
use std::collections::HashSet;

/// The pod that the plan asks for.
fn pod(cluster: &Cluster) -> Value {
    let writes = cluster.plan().write;
    let workload = writes.iter().find_map(|write| match write {
        Write::Create { kind: Kind::StatefulSet | Kind::Job, manifest, .. } => Some(manifest),
        _ => None,
    });
    workload.unwrap()["spec"]["template"]["spec"].clone()
}

fn list<'a>(object: &'a Value, key: &str) -> &'a [Value] {
    object[key].as_array().map_or(&[], Vec::as_slice)
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers"].into_iter().flat_map(|key| list(pod, key))
}

/// W3: the original mounts a secret of a name that nobody makes.
#[test]
fn oidc_mounts_the_secret_that_is_made() {
    let cluster = cluster(session("hello").ingress().authentication("oidc"));
    let made: Vec<String> = cluster
        .plan()
        .write
        .iter()
        .map(Write::target)
        .filter(|(kind, _)| *kind == Kind::Secret)
        .map(|(_, name)| name.to_owned())
        .collect();
    let pod = pod(&cluster);
    let mounted: Vec<&str> =
        list(&pod, "volumes").iter().filter_map(|volume| volume["secret"]["secretName"].as_str()).collect();
    assert_eq!(made, ["hello---internal"]);
    assert_eq!(mounted, ["hello---internal", "auth-secret"], "the other is the user's");
}

/// The pod of a session mounts the secret of its authentication exactly when the session refers to it. Otherwise a secret
/// could be deleted with a session that does not use it, or be used without a review of the requester's access.
#[rstest]
fn the_secret_of_an_authentication_is_used_only_while_that_is_enabled(
    #[values("token", "oauth2proxy", "oidc")] kind: &str,
    #[values(true, false)] enabled: bool,
) {
    let draft =
        session("hello").ingress().authentication(kind).spec("authentication/enabled", json!(enabled));
    let pod = pod(&cluster(draft.clone()));
    let mounted = list(&pod, "volumes").iter().any(|volume| volume["secret"]["secretName"] == "auth-secret");
    let read = containers(&pod).any(|container| {
        list(container, "envFrom").iter().any(|source| source["secretRef"]["name"] == "auth-secret")
    });
    let session = draft.build();
    let referred = referenced(session.spec.as_ref().unwrap()).contains("auth-secret");
    assert_eq!((mounted, referred), (enabled, enabled));
    assert_eq!(read, enabled && kind == "oidc");
}

/// W7: the original mounts the credentials of all repositories at one path.
#[test]
fn each_repository_has_its_own_credentials() {
    let repository = |name: &str| json!({"remote": format!("https://git.example/{name}"), "cloningConfigSecretRef": {"name": name, "key": "k"}});
    let repositories = json!([repository("a"), repository("b"), repository("c")]);
    let pod = pod(&cluster(session("hello").spec("codeRepositories", repositories)));
    for container in containers(&pod) {
        let paths: Vec<&Value> =
            list(container, "volumeMounts").iter().map(|mount| &mount["mountPath"]).collect();
        let distinct: HashSet<&Value> = paths.iter().copied().collect();
        assert_eq!(paths.len(), distinct.len(), "{} mounts {paths:?}", container["name"]);
    }
    let secret_of = |container: &Value| {
        let mounts = list(container, "volumeMounts");
        let mount = mounts.iter().find(|mount| mount["mountPath"] == "/git-clone-secrets").unwrap();
        let volume = list(&pod, "volumes").iter().find(|volume| volume["name"] == mount["name"]).unwrap();
        volume["secret"]["secretName"].clone()
    };
    let secrets: Vec<Value> = list(&pod, "initContainers").iter().map(secret_of).collect();
    assert_eq!(secrets, ["a", "b", "c"]);
}

/// W6: what admission refuses, and the original crashes on in every pass. It may be there already.
#[rstest]
#[case::data_source(session("hello").spec("dataSources", json!([{"mountPath": "/data"}])))]
#[case::oidc(session("hello").authentication("oidc"))]
fn what_lacks_its_other_half_crashes_nothing(#[case] draft: Draft) {
    let mut cluster = cluster(draft).running(1);
    cluster.edit("hibernated", json!(true)).settle();
    assert_eq!(cluster.status().state, sojourn_crds::amalthea::State::Hibernated);
}

/// W29: the original has the image of oauth2-proxy in its code.
#[test]
fn images_of_the_operators_own_containers_can_be_chosen() {
    let repositories = json!([{"remote": "https://git.example/a"}]);
    let draft = session("hello").ingress().authentication("oidc").spec("codeRepositories", repositories);
    let mut cluster = cluster(draft);
    cluster.settings.oauth2_proxy_image = "mirror.example/login:1".into();
    cluster.settings.sidecars_image = "mirror.example/sidecars:1".into();
    let pod = pod(&cluster);
    let images: Vec<&Value> = containers(&pod).map(|container| &container["image"]).collect();
    let (login, sidecars) = ("mirror.example/login:1", "mirror.example/sidecars:1");
    assert_eq!(images, [sidecars, "registry.example/notebook:1", login, sidecars]);
}

/// W29: a registry that asks who comes.
#[test]
fn pull_secrets_of_the_installation_join_those_of_the_session() {
    let pull = json!([{"name": "own"}, {"name": "mirror"}]);
    let mut own = cluster(session("hello").spec("imagePullSecrets", pull));
    let mut none = cluster(session("hello").batch());
    for cluster in [&mut own, &mut none] {
        assert!(list(&pod(cluster), "imagePullSecrets").iter().all(|secret| secret["name"] != "common"));
        cluster.settings.pull_secrets = vec!["mirror".into(), "common".into()];
    }
    assert_eq!(
        pod(&own)["imagePullSecrets"],
        json!([{"name": "own"}, {"name": "mirror"}, {"name": "common"}]),
        "each of them once"
    );
    assert_eq!(pod(&none)["imagePullSecrets"], json!([{"name": "mirror"}, {"name": "common"}]));
}

/// A server-side apply refuses two items of one key, and what was created could then never be changed.
#[test]
fn no_list_has_two_items_of_one_key() {
    let variable = |name: &str, value: &str| json!({"name": name, "value": value});
    let env = json!([variable("A", "1"), variable("B", "2"), variable("A", "3")]);
    let draft = session("hello")
        .spec("session/env", env)
        .spec("imagePullSecrets", json!([{"name": "own"}, {"name": "own"}]));
    let local = pod(&cluster(draft));
    assert_eq!(
        local["containers"][0]["env"],
        json!([variable("B", "2"), variable("A", "3")]),
        "the last one counts"
    );
    assert_eq!(local["imagePullSecrets"], json!([{"name": "own"}]));

    let env = json!([variable("RSC_SERVER_PORT", "1")]);
    let remote = pod(&cluster(session("hello").remote().spec("session/env", env)));
    let ports: Vec<&Value> = list(&remote["containers"][0], "env")
        .iter()
        .filter(|entry| entry["name"] == "RSC_SERVER_PORT")
        .collect();
    assert_eq!(ports.len(), 1, "the operator's own");
}

/// A namespace that enforces `restricted` looks at each container, whoever adds it.
#[rstest]
#[case::interactive(session("hello").ingress().authentication("token"))]
#[case::login(session("hello").ingress().authentication("oidc"))]
#[case::batch(session("hello").batch())]
#[case::remote(session("hello").ingress().remote())]
fn a_restricted_pod_gives_up_what_it_does_not_need(#[case] draft: Draft) {
    let extra = |name: &str| json!([{"name": name, "image": "x"}]);
    let draft = draft
        .spec("codeRepositories", json!([{"remote": "https://git.example.org/a/b.git"}]))
        .spec("initContainers", extra("first"))
        .spec("extraContainers", extra("beside"));
    let mut cluster = cluster(draft);
    cluster.settings.pod_security = PodSecurity::Restricted;
    let pod = pod(&cluster);
    assert_eq!(pod["securityContext"]["seccompProfile"], json!({"type": "RuntimeDefault"}));
    for container in containers(&pod) {
        let context = &container["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false, "{container}");
        assert_eq!(context["runAsNonRoot"], true, "{container}");
        assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}), "{container}");
    }
    assert!(containers(&pod).count() >= 4);
}
