//! IdeSessions on a real control plane, in a fake IDE on real sockets. One operator, one IDE and one connection serve
//! all tests, as in a cluster: what one session goes through must not be felt by the others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test that cannot go on ends the test"
)]

mod deletion;
mod early;
mod endpoints;
mod lifecycle;
mod logs;
mod names;
mod play;
mod quiet;
mod starts;
mod stops;
mod stream;

#[path = "../edge/client.rs"]
#[allow(dead_code, reason = "shared with the tests of the server, which use all of it")]
mod client;
#[path = "../e2e/objects.rs"]
#[allow(dead_code, reason = "shared with the other end-to-end tests, which use all of it")]
mod objects;
#[path = "../e2e/support.rs"]
#[allow(dead_code, reason = "shared with the other end-to-end tests, which use all of it")]
mod support;

use sojourn_fake_ide::{FakeIde, Options};
use std::sync::OnceLock;

/// Flags of the operator.
const FLAGS: &[&str] = &["--idle-check-interval=1s"];

static IDE: OnceLock<FakeIde> = OnceLock::new();
static FILES: OnceLock<tempfile::TempDir> = OnceLock::new();

/// The IDE is there before the operator starts, on a thread that outlives the test that asked.
async fn before(_: &sojourn_cluster::Cluster) {
    FILES.set(tempfile::tempdir().unwrap()).unwrap();
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.unwrap().block_on(async {
            tell.send(FakeIde::start(Options::default()).await.unwrap()).unwrap();
            std::future::pending::<()>().await
        });
    });
    IDE.set(told.await.unwrap()).unwrap();
}

/// What the operator's environment says of the IDE, as the IDE would have it.
fn variables() -> Vec<(&'static str, String)> {
    let mut variables = IDE.get().unwrap().variables();
    variables.push(("DCP_SESSION_FOLDER", FILES.get().unwrap().path().display().to_string()));
    variables
}
