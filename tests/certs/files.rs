//! Certificate and key from a directory that is swapped as the kubelet does, with a bundle that somebody else keeps.

use crate::{
    installation::{Installation, must},
    load::Load,
    watchdog::shake,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use sojourn_certs::{Authority, Bundle, Fingerprint, Leaf, Names};
use sojourn_cluster::eventually;
use std::{os::unix::fs::symlink, path::Path, sync::Arc};

/// Puts a pair where the kubelet does: into a directory of its own, to which one link is moved into place.
fn mount(directory: &Path, round: usize, certificate: &str, key: &str) {
    let data = directory.join(format!("..{round}"));
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("tls.crt"), certificate).unwrap();
    std::fs::write(data.join("tls.key"), key).unwrap();
    symlink(format!("..{round}"), directory.join("..data_tmp")).unwrap();
    std::fs::rename(directory.join("..data_tmp"), directory.join("..data")).unwrap();
    for name in ["tls.crt", "tls.key"] {
        if round == 0 {
            symlink(format!("..data/{name}"), directory.join(name)).unwrap();
        }
    }
}

/// What cert-manager's injector does.
async fn inject(installation: &Installation, authority: &Authority) {
    let bundle = ByteString(authority.certificate_pem().as_bytes().to_vec());
    let name = installation.configuration();
    for kind in ["validatingwebhookconfiguration", "mutatingwebhookconfiguration"] {
        let live = must(installation.kubectl(&["get", kind, &name, "-o", "json"]).await);
        let live: Value = serde_json::from_str(&live).unwrap();
        let count = live["webhooks"].as_array().unwrap().len();
        let write = |index| json!({"op": "add", "path": format!("/webhooks/{index}/clientConfig/caBundle"), "value": bundle});
        let patch = json!((0..count).map(write).collect::<Vec<_>>()).to_string();
        must(installation.kubectl(&["patch", kind, &name, "--type=json", "-p", &patch]).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_swapped_three_times_and_the_last_good_pair_is_kept() {
    let installation = Arc::new(Installation::new("files", 1).await);
    let directory = tempfile::tempdir().unwrap();
    let now = Timestamp::now();
    let authority = Authority::generate(now).unwrap();
    let bundle = Bundle::default().with(authority.certificate());
    let pair = |at: Timestamp| Leaf::issue(&authority, &Names::loopback(), at).unwrap();
    let flag = format!("--webhook-certificate-dir={}", directory.path().display());
    let replica = installation.start(0, SignedDuration::ZERO, &["--webhook-certificates=files", &flag]).await;
    replica.says("/readyz", "tls.crt cannot be read").await;

    let first = pair(now);
    mount(directory.path(), 0, &first.to_pem(), &first.key().to_pem());
    replica.says("/readyz", "do not hold the bundle yet").await;
    inject(&installation, &authority).await;
    replica.becomes_ready().await;
    let load = Load::start(&installation).await;

    let shows = async |leaf: &Leaf| {
        eventually("the new pair is served", async || {
            shake(installation.ports[0], &bundle).await == Ok(leaf.certificate().to_vec())
        })
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    };
    let mut last = first;
    for round in 1..=3 {
        let next = pair(now);
        mount(directory.path(), round, &next.to_pem(), &next.key().to_pem());
        shows(&next).await;
        last = next;
    }

    // Key of another pair, half a file, a pair whose time is over: each is told of and none is served.
    let (other, past) = (pair(now), pair(now - SignedDuration::from_hours(24 * 60)));
    let half = last.to_pem()[..200].to_owned();
    for (round, certificate, key, told) in [
        (4, other.to_pem(), last.key().to_pem(), "do not fit together"),
        (5, half, last.key().to_pem(), "no readable PEM certificate"),
        (6, past.to_pem(), past.key().to_pem(), "expired at"),
    ] {
        mount(directory.path(), round, &certificate, &key);
        replica.says("/readyz?verbose", told).await;
        assert!(replica.is_ready().await);
        shows(&last).await;
    }
    let next = pair(now);
    mount(directory.path(), 7, &next.to_pem(), &next.key().to_pem());
    shows(&next).await;
    load.ends_without_a_failure();

    let fingerprint = Fingerprint::of(next.certificate()).to_string();
    replica.says("/debug/state", &fingerprint).await;
    assert!(installation.stored().await.is_none(), "no Secret is made in this mode");
    assert!(installation.published().await.iter().all(|published| published.same_as(&bundle)));
}
