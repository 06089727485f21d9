//! What happens to the sessions of the stories, scene by scene.

use serde_json::{Value, json};

/// What people, nodes and controllers do at the begin of a scene.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Somebody creates the session.
    Create(Value),
    /// Somebody changes the session's spec.
    Edit(Value),
    /// The pods get annotations that say what they do from now on.
    Pods(Value),
    /// The pod's session uses so much CPU.
    Uses(&'static str),
    /// Somebody deletes a child, and bends another.
    Vandal,
    /// Somebody deletes the Job as soon as it has ended.
    TakeResult,
    /// Somebody deletes the session.
    Delete,
}

/// A part of a story: something happens, and the session comes to rest again.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) act: Act,
    /// When the scene is over, as far as the holdings of its namespace tell.
    pub(crate) ends: fn(&Value) -> bool,
}

impl Scene {
    /// The end of a story that is not told any further.
    pub(crate) fn early_end() -> Self {
        delete()
    }
}

/// A session's life.
pub(crate) struct Plot {
    pub(crate) name: &'static str,
    pub(crate) scenes: Vec<Scene>,
}

/// Name of the session.
pub(crate) const NAME: &str = "hero";

fn session(held: &Value) -> &Value {
    &held["AmaltheaSession hero"]
}

fn is(held: &Value, state: &str) -> bool {
    session(held)["state"] == state && session(held)["observed"] == true
}

fn pods(held: &Value) -> usize {
    held.as_object().map_or(0, |held| held.keys().filter(|key| key.starts_with("Pod ")).count())
}

/// How many objects of a kind there have been in all.
fn ever(held: &Value, kind: &str) -> u64 {
    let kinds = held["ever"].as_array().into_iter().flatten();
    kinds.filter(|entry| entry[0] == kind).filter_map(|entry| entry[1].as_u64()).sum()
}

fn runs(held: &Value) -> bool {
    is(held, "Running") && pods(held) == 1
}

fn sleeps(held: &Value) -> bool {
    is(held, "Hibernated") && pods(held) == 0
}

fn is_gone(held: &Value) -> bool {
    *held == json!({})
}

fn scene(name: &'static str, act: Act, ends: fn(&Value) -> bool) -> Scene {
    Scene { name, act, ends }
}

fn hibernate() -> Scene {
    scene("hibernate", Act::Edit(json!({"hibernated": true})), sleeps)
}

fn resume() -> Scene {
    scene("resume", Act::Edit(json!({"hibernated": false})), runs)
}

fn delete() -> Scene {
    scene("delete", Act::Delete, is_gone)
}

fn environment() -> Value {
    json!({"session": {"env": [{"name": "CHANGED", "value": "yes"}]}})
}

fn spec(more: Value) -> Value {
    let mut spec = json!({
        "session": {"image": "debian:12", "readinessProbe": {"type": "none"}},
        "ingress": {"host": "hero.example.org", "tlsSecret": {"name": "adopted", "adopt": true}},
    });
    json_patch::merge(&mut spec, &more);
    spec
}

/// An interactive session, edited while it runs, and with somebody at its children.
pub(crate) fn always() -> Plot {
    let scenes = vec![
        scene("start", Act::Create(spec(json!({"reconcileStrategy": "always"}))), runs),
        scene("edit", Act::Edit(environment()), |held| runs(held) && ever(held, "Pod") == 2),
        scene("vandal", Act::Vandal, |held| runs(held) && ever(held, "Service") == 2),
        hibernate(),
        resume(),
        delete(),
    ];
    Plot { name: "always", scenes }
}

/// An interactive session whose changes wait until it sleeps, or fails.
pub(crate) fn held_back() -> Plot {
    let broken = json!({"template": {"metadata": {"annotations": {"sojourn.dev/test-pod": "crash-loop"}}}});
    let mended = json!({"template": {"metadata": {"annotations": {"sojourn.dev/test-pod": null}}}});
    let scenes = vec![
        scene("start", Act::Create(spec(json!({"reconcileStrategy": "whenFailedOrHibernated"}))), runs),
        scene("edit, held back", Act::Edit(environment()), runs),
        hibernate(),
        scene("edit asleep", Act::Edit(broken), sleeps),
        scene("fail", Act::Edit(json!({"hibernated": false})), |held| is(held, "Failed") && pods(held) == 1),
        scene("edit, let through", Act::Edit(mended), runs),
        delete(),
    ];
    Plot { name: "whenFailedOrHibernated", scenes }
}

/// An interactive session that is never changed, and whose time is over in every way that there is.
pub(crate) fn culled() -> Plot {
    let scenes = vec![
        scene("start", Act::Create(spec(json!({"reconcileStrategy": "never"}))), runs),
        scene("edit, for never", Act::Edit(environment()), runs),
        scene("watched", Act::Edit(json!({"culling": {"maxIdleDuration": "1s"}})), runs),
        scene("cull, idle", Act::Uses("1m"), sleeps),
        scene("resume", Act::Edit(json!({"hibernated": false, "culling": {"maxIdleDuration": "0s"}})), runs),
        scene("cull, age", Act::Edit(json!({"culling": {"maxAge": "1s"}})), sleeps),
        scene("cull, hibernated", Act::Edit(json!({"culling": {"maxHibernatedDuration": "1s"}})), is_gone),
    ];
    Plot { name: "never, culled", scenes }
}

fn batch() -> Value {
    spec(json!({"sessionType": "NonInteractive", "culling": {"maxAge": "1h"}}))
}

/// A batch session whose Job is deleted as soon as it has a result.
pub(crate) fn finishes() -> Plot {
    let scenes = vec![
        scene("start", Act::Create(batch()), runs),
        hibernate(),
        resume(),
        scene("raise its lifetime", Act::Edit(json!({"culling": {"maxAge": "2h"}})), runs),
        scene("finish", Act::TakeResult, |held| is(held, "Succeeded") && pods(held) == 0),
        delete(),
    ];
    Plot { name: "batch, finished", scenes }
}

/// A batch session that fails.
pub(crate) fn fails() -> Plot {
    let code = json!({"sojourn.dev/test-exit-code": "3", "sojourn.dev/test-complete-after": "0s"});
    let scenes = vec![
        scene("start", Act::Create(batch()), runs),
        scene("fail", Act::Pods(code), |held| is(held, "Failed") && held["Job hero"]["finalizers"].is_null()),
        delete(),
    ];
    Plot { name: "batch, failed", scenes }
}
