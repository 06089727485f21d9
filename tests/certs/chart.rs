//! What the chart renders for each way to keep the certificate.

use crate::installation::render;
use serde_json::Value;

const MODE: &str = "webhooks.certificates.mode";

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn configurations(objects: &[Value]) -> Vec<&Value> {
    let found = ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"];
    // Those of the hook that takes the webhooks down at the end have no certificate.
    let lasting = |object: &&Value| object["metadata"]["annotations"]["helm.sh/hook"].is_null();
    let found: Vec<_> = found.iter().flat_map(|kind| of_kind(objects, kind)).filter(lasting).collect();
    assert_eq!(found.len(), 2);
    found
}

fn container(objects: &[Value]) -> &Value {
    &of_kind(objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]
}

fn reads_files(objects: &[Value], secret: &str) -> bool {
    let args = container(objects)["args"].as_array().unwrap();
    let volumes = &of_kind(objects, "Deployment")[0]["spec"]["template"]["spec"]["volumes"];
    let mounts = &container(objects)["volumeMounts"];
    let any = |list: &Value, wanted: fn(&Value) -> &Value, value: &str| {
        list.as_array().unwrap().iter().any(|item| wanted(item) == value)
    };
    let told = args.iter().any(|arg| arg == "--webhook-certificates=files");
    assert_eq!(told, any(mounts, |mount| &mount["mountPath"], "/etc/sojourn/webhook-certificate"));
    assert_eq!(told, any(volumes, |volume| &volume["secret"]["secretName"], secret));
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn by_itself_the_operator_keeps_the_certificate() {
    let objects = render(&[]).await.unwrap();
    assert!(!reads_files(&objects, ""));
    assert!(of_kind(&objects, "Certificate").is_empty());
    for configuration in configurations(&objects) {
        assert!(configuration["metadata"]["annotations"].is_null());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cert_manager_gets_an_authority_a_certificate_and_the_annotation() {
    let objects = render(&[&format!("{MODE}=cert-manager")]).await.unwrap();
    assert!(reads_files(&objects, "release-sojourn-webhook-tls"));
    for configuration in configurations(&objects) {
        let from = &configuration["metadata"]["annotations"]["cert-manager.io/inject-ca-from"];
        assert_eq!(from, "home/release-sojourn-webhook");
        assert!(configuration["webhooks"][0]["clientConfig"]["caBundle"].is_null());
    }
    let named = |objects: &[&Value]| -> Vec<String> {
        objects.iter().map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let certificates = of_kind(&objects, "Certificate");
    assert_eq!(named(&certificates), ["release-sojourn-webhook-ca", "release-sojourn-webhook"]);
    let issuers = named(&of_kind(&objects, "Issuer"));
    assert_eq!(issuers, ["release-sojourn-selfsigned", "release-sojourn-webhook-ca"]);
    assert_eq!(certificates[0]["spec"]["issuerRef"]["name"], *issuers[0]);
    assert_eq!(certificates[1]["spec"]["issuerRef"]["name"], *issuers[1]);
    assert_eq!(certificates[1]["spec"]["secretName"], "release-sojourn-webhook-tls");
    let names = certificates[1]["spec"]["dnsNames"].as_array().unwrap();
    assert_eq!(names[0], "release-sojourn-webhook.home.svc");

    let issuer = "webhooks.certificates.issuerRef";
    let values =
        [&format!("{MODE}=cert-manager"), &format!("{issuer}.name=ours,{issuer}.kind=ClusterIssuer")];
    let objects = render(&values.map(String::as_str)).await.unwrap();
    assert!(of_kind(&objects, "Issuer").is_empty());
    let certificates = of_kind(&objects, "Certificate");
    assert_eq!(certificates.len(), 1);
    assert_eq!(certificates[0]["spec"]["issuerRef"]["kind"], "ClusterIssuer");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_somebody_elses_come_with_their_bundle() {
    let values = [
        &format!("{MODE}=files"),
        "webhooks.certificates.secretName=theirs,webhooks.certificates.caBundle=PEM",
    ];
    let objects = render(&values).await.unwrap();
    assert!(reads_files(&objects, "theirs"));
    for configuration in configurations(&objects) {
        for webhook in configuration["webhooks"].as_array().unwrap() {
            assert_eq!(webhook["clientConfig"]["caBundle"], "UEVN");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_do_not_go_together_are_refused() {
    for (values, why) in [
        (&["webhooks.certificates.mode=other"][..], "webhooks.certificates.mode"),
        (
            &["webhooks.certificates.mode=cert-manager", "webhooks.url=https://a.example.org"][..],
            "does not go with",
        ),
    ] {
        let refused = render(values).await.unwrap_err();
        assert!(refused.contains(why) || refused.contains("/webhooks/certificates/mode"), "{refused}");
    }
}
