use crate::support;
use sojourn::control::{Operator, watch};
use sojourn::core::settings::SessionSettings;
use std::{sync::Arc, time::Duration};

struct NoCount;
impl sojourn::control::reconcile::Counters for NoCount {
    fn pass(&self, took: Duration, class: Option<sojourn::core::amalthea::ErrorClass>) {
        println!("pass {took:?} {class:?}");
    }
    fn write(&self, kind: sojourn::core::live::Kind, verb: &'static str) {
        println!("write {kind} {verb}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thin() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cluster = support::cluster().await;
    let client = cluster.client().await.unwrap();
    let ns = sojourn_cluster::test_namespace(&client, "thin").await.unwrap();
    let settings = SessionSettings {
        rclone_storage_class: "csi".into(),
        sidecars_image: "renku/sidecars:latest".into(),
        oauth2_proxy_image: "x".into(),
        none_same_site_cookie: false,
        https_ingress: false,
        image_rewrite: None,
        on_deadline: Default::default(),
        openshift: false,
    };
    let op = Arc::new(Operator::new(
        client.clone(),
        settings,
        Duration::from_secs(90),
        "test".into(),
        Arc::new(NoCount),
    ));
    let mut tasks = tokio::task::JoinSet::new();
    let unsynced = watch::Unsynced::default();
    watch::start(&op, &watch::Scope::Cluster, &unsynced, &mut tasks);
    let (_lead, rx) = tokio::sync::watch::channel(true);
    for _ in 0..4 {
        let op = op.clone();
        let rx = rx.clone();
        tasks.spawn(async move { op.work(rx).await });
    }
    for (name, extra) in [
        ("hello", ""),
        ("batch", "  sessionType: NonInteractive\n  culling: {maxAge: 1h, maxHibernatedDuration: 1h}\n"),
    ] {
        let yaml = format!(
            "apiVersion: amalthea.dev/v1alpha1\nkind: AmaltheaSession\nmetadata: {{name: {name}, namespace: {ns}}}\nspec:\n{extra}  session: {{image: busybox, resources: {{requests: {{cpu: 1}}}}}}\n  ingress: {{host: example.org}}\n"
        );
        let out = sojourn_cluster::kubectl(cluster, &["apply", "-f", "-"], Some(&yaml)).await.unwrap();
        println!("{out:?}");
    }
    for i in 0..8 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if i == 4 {
            sojourn_cluster::kubectl(
                cluster,
                &[
                    "patch",
                    "ams",
                    "-n",
                    &ns,
                    "hello",
                    "--type=merge",
                    "-p",
                    "{\"spec\":{\"hibernated\":true}}",
                ],
                None,
            )
            .await
            .unwrap();
            sojourn_cluster::kubectl(
                cluster,
                &[
                    "patch",
                    "ams",
                    "-n",
                    &ns,
                    "batch",
                    "--type=merge",
                    "-p",
                    "{\"spec\":{\"hibernated\":true}}",
                ],
                None,
            )
            .await
            .unwrap();
        }
        if i == 6 {
            sojourn_cluster::kubectl(
                cluster,
                &[
                    "patch",
                    "ams",
                    "-n",
                    &ns,
                    "hello",
                    "--type=merge",
                    "-p",
                    "{\"spec\":{\"hibernated\":false}}",
                ],
                None,
            )
            .await
            .unwrap();
            sojourn_cluster::kubectl(
                cluster,
                &[
                    "patch",
                    "ams",
                    "-n",
                    &ns,
                    "batch",
                    "--type=merge",
                    "-p",
                    "{\"spec\":{\"hibernated\":false}}",
                ],
                None,
            )
            .await
            .unwrap();
        }
        let out = sojourn_cluster::kubectl(
            cluster,
            &["get", "ams,sts,job,pod,ingress,svc,pvc,secret", "-n", &ns],
            None,
        )
        .await
        .unwrap();
        println!("{}", out.stdout);
    }
    let out = sojourn_cluster::kubectl(cluster, &["get", "ams,sts,job", "-n", &ns, "-o", "yaml"], None)
        .await
        .unwrap();
    println!("{}", out.stdout);
    let out = sojourn_cluster::kubectl(cluster, &["get", "events", "-n", &ns], None).await.unwrap();
    println!("{}", out.stdout);
}
