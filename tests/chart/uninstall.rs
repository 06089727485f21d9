//! What comes when the release is gone: it is told what the operators were told, and may do less.

use crate::{hook_of, must, objects, of_kind, template};
use serde_json::{Value, json};

/// The objects of the hook, and its Job apart.
async fn hook(values: &[&str]) -> (Vec<Value>, Vec<Value>, String) {
    let rendered = must(template(values).await);
    let after = objects(&rendered).filter(|object| hook_of(object) == Some("post-delete"));
    let (jobs, others) = after.partition(|object| object["kind"] == "Job");
    (jobs, others, rendered)
}

fn rules(objects: &[Value], kind: &str) -> Vec<Value> {
    let roles = objects.iter().filter(|object| object["kind"] == kind);
    roles.flat_map(|role| role["rules"].as_array().unwrap().clone()).collect()
}

#[tokio::test]
async fn it_is_told_what_the_operators_were_told() {
    for values in [
        &["--set", "clusterScoped=true,ide.endpointSecret=ides/vscode,httpsSessionIngress=true"][..],
        &["--set", "namespaces={a,b},nonInteractive.onDeadline=Hibernate,extraArgs={--log-filter=debug}"],
        &["--set", "imagePullSecrets[0].name=pull,image.repository=mirror.example.org/s,podLabels.team=x"],
        &[
            "--set",
            "controllerManager.manager.args={--leader-elect},tolerations[0].operator=Exists,nodeSelector.a=b",
        ],
    ] {
        let (jobs, others, rendered) = hook(values).await;
        let deployment = &of_kind(&rendered, "Deployment")[0]["spec"];
        let (job, operator) = (&jobs[0]["spec"]["template"], &deployment["template"]);
        let (own, theirs) = (&job["spec"]["containers"][0], &operator["spec"]["containers"][0]);
        let arguments = |container: &Value| container["args"].as_array().unwrap()[1..].to_vec();
        assert_eq!((&own["args"][0], &theirs["args"][0]), (&json!("release"), &json!("run")));
        assert_eq!(arguments(own), arguments(theirs), "{values:?}");
        for field in ["env", "image", "imagePullPolicy", "securityContext", "resources"] {
            assert!(own[field] == theirs[field] && !own[field].is_null(), "{field}: {values:?}");
        }
        for field in ["imagePullSecrets", "securityContext", "nodeSelector", "tolerations", "affinity"] {
            assert_eq!(job["spec"][field], operator["spec"][field], "{field}: {values:?}");
        }
        // No Service sends requests of the API server to it, and its class must still be there.
        let selector = deployment["selector"]["matchLabels"].as_object().unwrap();
        let labels = &job["metadata"]["labels"];
        assert!(selector.iter().any(|(label, value)| labels[label] != *value), "{labels}");
        assert_eq!(job["spec"]["priorityClassName"], Value::Null);
        let account = &job["spec"]["serviceAccountName"];
        assert!(others.iter().any(|it| it["kind"] == "ServiceAccount" && it["metadata"]["name"] == *account));
        assert_ne!(*account, operator["spec"]["serviceAccountName"], "that one is gone");
    }
    let (jobs, ..) = hook(&["--set", "priorityClassName=other"]).await;
    assert_eq!(jobs[0]["spec"]["template"]["spec"]["priorityClassName"], "other");
}

#[tokio::test]
async fn it_has_rights_where_sessions_were_served_and_no_others() {
    let (_, others, rendered) = hook(&["--set", "namespaces={a,b}"]).await;
    let places: Vec<_> = others.iter().filter(|it| it["kind"] == "Role").collect();
    let places: Vec<_> = places.iter().map(|role| role["metadata"]["namespace"].as_str().unwrap()).collect();
    assert_eq!(places, ["home", "a", "b"]);
    assert!(!others.iter().any(|object| object["kind"].as_str().unwrap().starts_with("Cluster")));
    assert_eq!(rules(&others, "Role"), rules(&of_kind(&rendered, "Role"), "Role"));

    let (_, others, rendered) = hook(&["--set", "clusterScoped=true"]).await;
    let operator = rules(&of_kind(&rendered, "ClusterRole")[..1], "ClusterRole");
    let own = rules(&others, "ClusterRole");
    assert!(own.iter().all(|rule| operator.contains(rule)) && own.len() < operator.len());
    assert!(!json!(own).to_string().contains("webhookconfigurations"), "{own:?}");
    assert_eq!(rules(&others, "Role"), rules(&of_kind(&rendered, "Role"), "Role"));
    for binding in others.iter().filter(|it| it["kind"].as_str().unwrap().ends_with("Binding")) {
        let role = &binding["roleRef"];
        assert!(others.iter().any(|it| it["kind"] == role["kind"] && it["metadata"]["name"] == role["name"]));
        assert_eq!(binding["subjects"][0]["name"], "release-sojourn-release");
    }
}

#[tokio::test]
async fn it_comes_after_its_rights_and_leaves_with_them() {
    let (jobs, others, _) = hook(&[]).await;
    let of = |object: &Value, key: &str| object["metadata"]["annotations"][key].as_str().unwrap().to_owned();
    for right in &others {
        let weights = (of(right, "helm.sh/hook-weight"), of(&jobs[0], "helm.sh/hook-weight"));
        assert_eq!(weights, ("-1".to_owned(), "0".to_owned()));
        let policy = of(right, "helm.sh/hook-delete-policy");
        assert_eq!(policy, "before-hook-creation,hook-succeeded", "as of what is removed first");
    }
    assert_eq!(jobs[0]["spec"]["activeDeadlineSeconds"], 280, "helm waits for 300 s");
    let (jobs, others, _) = hook(&["--set", "uninstall.release=false"]).await;
    assert!(jobs.is_empty() && others.is_empty(), "{others:?}");
}
