//! Services that lead out of the cluster, and addresses that are pods' own.

use super::*;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;
use std::sync::Mutex;

/// Resolves everything to one address and remembers what it was asked.
#[derive(Default)]
struct System(Mutex<Vec<String>>);

impl Lookup for System {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.0.lock().unwrap().push(name.to_owned());
        Box::pin(std::future::ready(Ok(vec![IpAddr::from([10, 0, 0, 9])])))
    }

    fn is_pod_of(&self, _: &str, _: IpAddr) -> bool {
        false
    }
}

fn resolver() -> (Arc<System>, EndpointResolver) {
    let system = Arc::new(System::default());
    (system.clone(), EndpointResolver::new(&["ides".to_owned()], "cluster.local", system))
}

fn service(name: &str) -> Service {
    Service {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            uid: Some(format!("uid-{name}")),
            ..ObjectMeta::default()
        },
        ..Service::default()
    }
}

fn pod(uid: &str, body: serde_json::Value) -> Pod {
    let mut pod: Pod = serde_json::from_value(body).unwrap();
    pod.metadata.uid = Some(uid.to_owned());
    pod
}

#[tokio::test]
async fn a_service_is_resolved_by_its_whole_name() {
    let (system, resolver) = resolver();
    resolver.retain_external("ides", &HashSet::new());
    for name in ["vscode.ides.svc", "vscode.ides.svc.cluster.local"] {
        resolver.resolve(name).await.unwrap();
        assert_eq!(system.0.lock().unwrap().pop().unwrap(), "vscode.ides.svc.cluster.local.");
    }
    for name in ["ide.example.com", "vscode.elsewhere.svc"] {
        resolver.resolve(name).await.unwrap();
        assert_eq!(system.0.lock().unwrap().pop().unwrap(), name, "as it is");
    }
}

#[tokio::test]
async fn a_service_that_can_lead_anywhere_is_not_resolved() {
    let (system, resolver) = resolver();
    let error = resolver.resolve("out.ides.svc").await.unwrap_err().to_string();
    assert_eq!(error, "the Services of its namespace are not known yet");
    resolver.apply_external("ides", &service("out"));
    resolver.retain_external("ides", &["uid-out".to_owned()].into());
    for name in ["out.ides.svc", "out.ides.svc.cluster.local"] {
        let error = resolver.resolve(name).await.unwrap_err().to_string();
        assert_eq!(error, "it is a Service of type ExternalName, which can lead anywhere");
    }
    assert!(system.0.lock().unwrap().is_empty(), "nothing was asked");
    resolver.remove_external("ides", &service("out"));
    resolver.resolve("out.ides.svc").await.unwrap();
    resolver.apply_external("ides", &service("out"));
    resolver.retain_external("ides", &HashSet::new());
    resolver.resolve("out.ides.svc").await.unwrap();
}

#[test]
fn addresses_are_those_of_pods_that_have_them_now() {
    let (_, resolver) = resolver();
    let is_pod = |address: &str| resolver.is_pod_of("ides", address.parse().unwrap());
    let running = json!({"status": {"phase": "Running", "podIP": "10.1.0.1", "podIPs": [{"ip": "10.1.0.1"}, {"ip": "fd00::1"}]}});
    resolver.apply_pod("ides", &pod("a", running.clone()));
    assert!(is_pod("10.1.0.1") && is_pod("fd00::1") && !is_pod("10.1.0.2"));
    assert!(!resolver.is_pod_of("other", "10.1.0.1".parse().unwrap()));
    resolver.apply_pod("ides", &pod("a", json!({"status": {"phase": "Succeeded", "podIP": "10.1.0.1"}})));
    assert!(!is_pod("10.1.0.1"), "the next pod may have it");
    resolver.apply_pod("ides", &pod("a", running.clone()));
    resolver.remove_pod("ides", &pod("a", json!({})));
    assert!(!is_pod("10.1.0.1"));
    resolver.apply_pod("ides", &pod("a", running));
    resolver.retain_pods("ides", &["b".to_owned()].into());
    assert!(!is_pod("10.1.0.1"));
    let on_node = json!({"spec": {"hostNetwork": true, "containers": []}, "status": {"podIP": "10.1.0.1"}});
    resolver.apply_pod("ides", &pod("b", on_node));
    assert!(!is_pod("10.1.0.1"), "it is the node's");
}
