//! What helm renders from values, and which values it refuses.

use crate::{CHART, helm, helm_binary, must, of_kind, template};
use serde_json::Value;

#[tokio::test]
async fn lint_finds_nothing() {
    must(helm(&helm_binary().await, None, &["lint", "--strict", CHART]));
}

#[tokio::test]
async fn a_release_for_namespaces_has_rights_in_them_only() {
    let rendered = must(template(&["--set", "namespaces={a,b}"]).await);
    let roles = of_kind(&rendered, "Role");
    let places: Vec<_> = roles.iter().map(|role| role["metadata"]["namespace"].as_str().unwrap()).collect();
    assert_eq!(places, ["home", "a", "b"]);
    let cluster = of_kind(&rendered, "ClusterRole");
    let rules = cluster[0]["rules"].to_string();
    assert!(rules.contains("webhookconfigurations") && !rules.contains("secrets"), "{rules}");
    let guards = of_kind(&rendered, "ValidatingWebhookConfiguration");
    assert!(!guards[0].to_string().contains("idesessions"), "they are in no namespace");
    for webhook in guards[0]["webhooks"].as_array().unwrap() {
        let selector = &webhook["namespaceSelector"]["matchExpressions"][0];
        assert_eq!(selector["values"], serde_json::json!(["a", "b"]));
        assert_eq!(webhook["clientConfig"]["service"]["name"], "release-sojourn-webhook");
        assert!(webhook["clientConfig"]["caBundle"].is_null());
    }
}

#[tokio::test]
async fn values_of_the_original_chart_are_accepted() {
    let values = [
        "--set=controllerManager.replicas=1,controllerManager.manager.image.tag=0.1.0,cloner.image.tag=x",
        "--set=controllerManager.manager.sentry.enabled=true,deploy.csiRclone=false,clusterScoped=true",
        "--set=imageRewriteRules[0].source_prefix=docker.io,imageRewriteRules[0].target_prefix=mirror.example.org",
        "--set=rcloneStorageClass=other,useNoneSameSiteSessionCookie=true,sidecars.image.tag=1.2.3",
    ];
    let rendered = must(template(&values).await);
    let deployment = &of_kind(&rendered, "Deployment")[0];
    assert_eq!(deployment["spec"]["replicas"], 1);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let env = |name: &str| {
        let all = container["env"].as_array().unwrap();
        all.iter().find(|variable| variable["name"] == name).map(|variable| variable["value"].clone())
    };
    assert_eq!(env("CLUSTER_SCOPED").unwrap(), "true");
    let guards = of_kind(&rendered, "ValidatingWebhookConfiguration");
    assert!(guards[0].to_string().contains("idesessions"));
    assert_eq!(env("RCLONE_STORAGE_CLASS").unwrap(), "other");
    assert_eq!(env("USE_NONE_SAME_SITE_SESSION_COOKIE").unwrap(), "true");
    assert_eq!(env("SIDECARS_IMAGE").unwrap(), "renku/sidecars:1.2.3");
    let rules = env("AMALTHEA_IMAGE_REWRITE_RULES").unwrap();
    assert_eq!(rules, r#"[{"source_prefix":"docker.io","target_prefix":"mirror.example.org"}]"#);
    assert!(of_kind(&rendered, "PodDisruptionBudget").is_empty(), "one replica would hold drains up");
}

/// A session is code that somebody's IDE runs, and whoever writes a status is believed.
#[tokio::test]
async fn nobody_gets_the_right_to_create_ide_sessions() {
    let rendered = must(template(&["--set", "clusterScoped=true"]).await);
    let roles = of_kind(&rendered, "ClusterRole");
    let about_sessions = |role: &&Value| role["rules"].to_string().contains("idesessions");
    assert_eq!(roles.iter().filter(about_sessions).count(), 2, "the operator's, and that of who reads logs");
    for role in roles.iter().filter(about_sessions) {
        assert!(!role["metadata"]["labels"].to_string().contains("aggregate-to"), "{role}");
        for rule in role["rules"].as_array().unwrap() {
            let (resources, verbs) = (rule["resources"].to_string(), rule["verbs"].to_string());
            assert!(!resources.contains("idesessions") || !verbs.contains("create"), "{rule}");
        }
    }
}

/// The original's chart has the labels of its metrics Service among the annotations, and its check of the storage
/// class is never rendered.
#[tokio::test]
async fn labels_and_values_of_the_original_have_their_place() {
    let rendered = must(template(&["--set", "rcloneStorageClass=other"]).await);
    for kind in ["Service", "Deployment", "ServiceAccount"] {
        for object in of_kind(&rendered, kind) {
            let metadata = &object["metadata"];
            assert_eq!(metadata["labels"]["app.kubernetes.io/instance"], "release", "{metadata}");
            let annotations = metadata["annotations"].as_object();
            let stray =
                annotations.into_iter().flatten().find(|(key, _)| key.starts_with("app.kubernetes.io"));
            assert!(stray.is_none(), "{metadata}");
        }
    }
    let image = &of_kind(&rendered, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(image.as_str().unwrap().rsplit(':').next(), Some(env!("CARGO_PKG_VERSION")), "{image}");
    let disruption = of_kind(&rendered, "PodDisruptionBudget");
    assert!(disruption.iter().all(|budget| !budget.to_string().contains("user-sessions")), "{disruption:?}");
    let empty = template(&["--set", "rcloneStorageClass="]).await;
    assert!(!empty.success() && empty.stderr.contains("rcloneStorageClass"), "{}", empty.stderr);
}

#[tokio::test]
async fn sidecars_are_of_this_version_unless_an_image_is_named() {
    let own = concat!("ghcr.io/sojourn-dev/sojourn-sidecars:", env!("CARGO_PKG_VERSION"));
    for (values, image) in [
        ("image.repository=mirror.example.org/sojourn", own),
        ("sidecars.image.tag=1.2.3", "renku/sidecars:1.2.3"),
        ("sidecars.image.repository=mirror.example.org/sidecars", "mirror.example.org/sidecars:latest"),
        ("sidecars.image.repository=a/b,sidecars.image.tag=v2", "a/b:v2"),
    ] {
        let rendered = must(template(&["--set", values]).await);
        let variable = serde_json::json!({"name": "SIDECARS_IMAGE", "value": image});
        let deployment = &of_kind(&rendered, "Deployment")[0];
        let env = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
        assert!(env.as_array().unwrap().contains(&variable), "{values}: {env}");
    }
}

#[tokio::test]
async fn the_image_of_the_login_can_be_named() {
    let image = "oauth2Proxy.image=mirror.example.org/oauth2-proxy:7";
    for (values, expected) in [
        (&[][..], vec![]),
        (&["--set", image], vec!["--oauth2-proxy-image=mirror.example.org/oauth2-proxy:7"]),
    ] {
        let deployment = of_kind(&must(template(values).await), "Deployment").remove(0);
        let args =
            deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap().clone();
        let mut args: Vec<_> = args.iter().map(|arg| arg.as_str().unwrap()).collect();
        args.retain(|arg| arg.starts_with("--oauth2-proxy"));
        assert_eq!(args, expected);
    }
}

#[tokio::test]
async fn which_pods_sessions_have_reaches_the_operator() {
    for (values, expected) in [
        (&[][..], "--pod-security=Original"),
        (&["--set", "sessions.podSecurity=Restricted"], "--pod-security=Restricted"),
    ] {
        let deployment = of_kind(&must(template(values).await), "Deployment").remove(0);
        let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        assert!(args.as_array().unwrap().contains(&expected.into()), "{args}");
    }
}

/// What namespaces enforce is the business of an operator that serves them all.
#[tokio::test]
async fn namespaces_are_seen_only_by_who_serves_them_all() {
    for (values, may_see) in [("clusterScoped=true", true), ("clusterScoped=false", false)] {
        let rendered = must(template(&["--set", values]).await);
        let roles = [of_kind(&rendered, "ClusterRole"), of_kind(&rendered, "Role")].concat();
        let rules = roles.iter().flat_map(|role| role["rules"].as_array().unwrap());
        let mut namespaces = rules.filter(|rule| rule["resources"][0] == "namespaces");
        assert_eq!(namespaces.next().is_some(), may_see, "{values}");
    }
}

#[tokio::test]
async fn values_without_a_meaning_are_refused() {
    for (value, path) in [
        ("replica=1", "replica"),
        ("replicas=-1", "replicas"),
        ("nonInteractive.onDeadline=Stop", "onDeadline"),
        ("sessions.podSecurity=Baseline", "podSecurity"),
        ("webhooks.url=http://example.org", "url"),
        ("uninstall.release=maybe", "release"),
        ("uninstall.wait=1m", "uninstall"),
        ("namespaces={A_b}", "namespaces"),
        ("networkPolicy.webhooksFrom[0].cidr=1.2.3.4/32", "networkPolicy"),
        ("priorityClass.value=2000000000", "priorityClass"),
        ("ide.endpointSecret=vscode", "endpointSecret"),
        ("ide.allowedNetworks={10.0.0.1}", "allowedNetworks"),
        ("ide.sessionsPerEndpoint=0", "sessionsPerEndpoint"),
    ] {
        let output = template(&["--set", value]).await;
        assert!(!output.success() && output.stderr.contains(path), "{value}: {}", output.stderr);
    }
}

#[tokio::test]
async fn the_secrets_of_the_certificate_are_none_of_sessions() {
    for (values, expected) in [
        ("webhooks.certificates.mode=self", &[][..]),
        (
            "webhooks.certificates.mode=files,webhooks.certificates.caBundle=x",
            &["release-sojourn-webhook-tls"],
        ),
        (
            "webhooks.certificates.mode=cert-manager",
            &["release-sojourn-webhook-tls", "release-sojourn-webhook-ca"],
        ),
        (
            "webhooks.certificates.mode=cert-manager,webhooks.certificates.secretName=mine,\
             webhooks.certificates.issuerRef.name=own",
            &["mine"],
        ),
    ] {
        let rendered = must(template(&["--set", values]).await);
        let deployment = &of_kind(&rendered, "Deployment")[0];
        let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        let args: Vec<String> = serde_json::from_value(args.clone()).unwrap();
        let named: Vec<_> = args.iter().filter_map(|arg| arg.strip_prefix("--operator-secret=")).collect();
        assert_eq!(named, expected, "{values}");
        // In these modes there is a Secret for each that cert-manager fills.
        for certificate in of_kind(&rendered, "Certificate") {
            assert!(named.contains(&certificate["spec"]["secretName"].as_str().unwrap()), "{certificate}");
        }
    }
}

#[tokio::test]
async fn the_authority_of_clients_is_mounted() {
    for (values, volume) in [
        ("webhooks.clientAuthority.configMapName=api", Some(("configMap", "name", "api", "ca.crt"))),
        (
            "webhooks.clientAuthority.secretName=api,webhooks.clientAuthority.key=tls.ca",
            Some(("secret", "secretName", "api", "tls.ca")),
        ),
        ("webhooks.clientAuthority.key=other", None),
    ] {
        let rendered = must(template(&["--set", values]).await);
        let pod = &of_kind(&rendered, "Deployment")[0]["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let args = container["args"].as_array().unwrap();
        let file = args.iter().filter_map(|arg| arg.as_str()?.strip_prefix("--webhook-client-ca=")).next();
        let volumes = pod["volumes"].as_array().unwrap().iter();
        let mounts = container["volumeMounts"].as_array().unwrap().iter();
        let mounted = mounts.filter(|mount| mount["name"] == "webhook-clients").count();
        let found = volumes.filter(|volume| volume["name"] == "webhook-clients").collect::<Vec<_>>();
        match volume {
            None => assert!(file.is_none() && found.is_empty() && mounted == 0),
            Some((kind, field, name, key)) => {
                assert_eq!((file, mounted), (Some("/etc/sojourn/webhook-clients/ca.crt"), 1));
                let source = &found[0][kind];
                assert_eq!(source[field], name);
                assert_eq!(source["items"], serde_json::json!([{"key": key, "path": "ca.crt"}]));
            }
        }
    }
    let both = "webhooks.clientAuthority.configMapName=a,webhooks.clientAuthority.secretName=b";
    let refused = template(&["--set", both]).await;
    assert!(!refused.success() && refused.stderr.contains("not both"), "{}", refused.stderr);
}

#[tokio::test]
async fn what_is_said_of_ides_reaches_the_operator() {
    let args = |rendered: &str| {
        let deployment = &of_kind(rendered, "Deployment")[0];
        let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        let args: Vec<String> = serde_json::from_value(args.clone()).unwrap();
        args.into_iter().filter(|arg| arg.starts_with("--ide-")).collect::<Vec<_>>()
    };
    let directory = "--ide-log-directory=/var/lib/sojourn/ide-logs";
    assert_eq!(args(&must(template(&[]).await)), [directory, "--ide-sessions-per-endpoint=64"]);
    let values = "ide.endpointSecret=ides/vscode,ide.endpointNamespaces={a,b},ide.allowedNetworks={10.0.0.0/8},\
                  ide.allowedSuffixes={example.com},ide.plainText=true,ide.sessionsPerEndpoint=7";
    let expected = [
        directory,
        "--ide-endpoint-secret=ides/vscode",
        "--ide-endpoint-namespaces=a,b",
        "--ide-allow-network=10.0.0.0/8",
        "--ide-allow-suffix=example.com",
        "--ide-plain-text",
        "--ide-sessions-per-endpoint=7",
    ];
    assert_eq!(args(&must(template(&["--set", values]).await)), expected);
}

#[tokio::test]
async fn what_is_off_by_default_fits_in_when_it_is_on() {
    let plain = must(template(&["--set", "clusterScoped=true"]).await);
    for kind in ["NetworkPolicy", "ServiceMonitor", "PrometheusRule"] {
        assert!(of_kind(&plain, kind).is_empty(), "{kind} is off by default");
    }
    let pod = |rendered: &str| of_kind(rendered, "Deployment")[0]["spec"]["template"]["spec"].clone();
    assert_eq!(pod(&plain)["priorityClassName"], of_kind(&plain, "PriorityClass")[0]["metadata"]["name"]);

    let logs = |rendered: &str| {
        let volumes = pod(rendered)["volumes"].as_array().unwrap().clone();
        volumes.into_iter().find(|volume| volume["name"] == "ide-logs").unwrap()
    };
    assert_eq!(logs(&plain), serde_json::json!({"name": "ide-logs", "emptyDir": {"sizeLimit": "8Gi"}}));
    let mounted = &pod(&plain)["containers"][0];
    let directory = mounted["volumeMounts"][0]["mountPath"].as_str().unwrap();
    let told = format!("--ide-log-directory={directory}");
    assert!(mounted["args"].as_array().unwrap().contains(&told.into()));
    let readers = of_kind(&plain, "ClusterRole");
    let may_read = |role: &&Value| role["rules"][0]["resources"][0] == "idesessions/log";
    assert_eq!(readers.iter().filter(may_read).count(), 1, "and the operator itself may not");

    let all = "clusterScoped=true,networkPolicy.enabled=true,serviceMonitor.enabled=true,prometheusRule.enabled=true";
    let more = "webhooks.excludedNamespaces={ci},priorityClassName=other,serviceMonitor.labels.team=a";
    let rendered = must(template(&["--set", all, "--set", more]).await);
    let policy = &of_kind(&rendered, "NetworkPolicy")[0];
    let ports = policy["spec"]["ingress"].as_array().unwrap();
    assert_eq!((&ports[0]["ports"][0]["port"], &ports[0]["from"]), (&"webhook".into(), &Value::Null));
    assert_eq!(ports[1]["ports"][0]["port"], "metrics");
    assert_eq!(policy["spec"]["podSelector"], of_kind(&rendered, "Deployment")[0]["spec"]["selector"]);
    assert_eq!(pod(&rendered)["priorityClassName"], "other");
    assert!(of_kind(&rendered, "PriorityClass").is_empty());
    let guards = of_kind(&rendered, "ValidatingWebhookConfiguration");
    let selector = &guards[0]["webhooks"][0]["namespaceSelector"]["matchExpressions"][0];
    assert_eq!(selector["values"], serde_json::json!(["kube-system", "kube-node-lease", "ci"]));

    // Who scrapes finds the Service's port by the name that it has.
    for (args, scheme) in [(&[][..], "http"), (&["--set", "extraArgs={--metrics-secure}"], "https")] {
        let rendered = must(template(&[&["--set", all], args].concat()).await);
        let monitor = &of_kind(&rendered, "ServiceMonitor")[0]["spec"]["endpoints"][0];
        assert_eq!((&monitor["scheme"], &monitor["port"]), (&scheme.into(), &scheme.into()));
        let services = of_kind(&rendered, "Service");
        assert!(services.iter().any(|service| service["spec"]["ports"][0]["name"] == scheme));
        assert_eq!(monitor["tlsConfig"].is_null(), scheme == "http");
    }
}

#[tokio::test]
async fn alerts_are_about_metrics_that_there_are() {
    let rendered = must(template(&["--set", "prometheusRule.enabled=true"]).await);
    let rules = of_kind(&rendered, "PrometheusRule")[0].clone();
    let mut metrics = sojourn::telemetry::metrics::Metrics::default();
    sojourn_webhooks::metrics::Metrics::default().register(&mut metrics.registry);
    let queues = sojourn::telemetry::queues::QueueCollector::new(Vec::new);
    metrics.registry.register_collector(Box::new(queues));
    sojourn::telemetry::certificates::CertificateMetrics::new(&mut metrics.registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &metrics.registry).unwrap();
    // A family without a series is in the registry, and not in the text.
    text += &format!("{:?}", metrics.registry);
    let is_known = |name: &str| {
        let short = name.strip_prefix("sojourn_webhook_").unwrap_or(name);
        let in_registry = [name, short].iter().any(|name| text.contains(&format!("name: {name:?}")));
        in_registry || text.contains(&format!("# TYPE {name} "))
    };
    let alerts = rules["spec"]["groups"][0]["rules"].as_array().unwrap();
    assert!(alerts.len() > 5);
    for alert in alerts {
        let expression = alert["expr"].as_str().unwrap();
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words.filter(|word| word.starts_with("sojourn_")) {
            let name = ["_total", "_bucket"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
            assert!(is_known(name), "{word} of {} is not in {text}", alert["alert"]);
        }
    }
}

/// Listener, container, Service and NetworkPolicy agree on the port.
#[tokio::test]
async fn the_port_of_the_webhooks_is_one_value() {
    let values = ["--set", "webhooks.port=10250,hostNetwork=true,networkPolicy.enabled=true"];
    let rendered = must(template(&values).await);
    let pod = &of_kind(&rendered, "Deployment")[0]["spec"]["template"]["spec"];
    assert_eq!((&pod["hostNetwork"], &pod["dnsPolicy"]), (&true.into(), &"ClusterFirstWithHostNet".into()));
    let container = &pod["containers"][0];
    assert!(container["args"].as_array().unwrap().contains(&"--webhook-bind-address=:10250".into()));
    assert_eq!(container["ports"][0], serde_json::json!({"name": "webhook", "containerPort": 10250}));
    let services = of_kind(&rendered, "Service");
    let port =
        &services.iter().find(|it| it["metadata"]["name"] == "release-sojourn-webhook").unwrap()["spec"];
    assert_eq!(port["ports"][0]["targetPort"], "webhook");
    let policy = &of_kind(&rendered, "NetworkPolicy")[0]["spec"]["ingress"][0];
    assert_eq!(policy["ports"][0]["port"], "webhook");
}
