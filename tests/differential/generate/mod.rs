//! Makes sessions: a minimal one, some fields anywhere in it with what has to be around them, and then no fault, one, or
//! several. The same seed and number give the same session.

mod fault;
mod grow;
mod repair;
mod shapes;

use crate::fields;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};

/// Fields that our rules judge for reasons other than children.
const LEFT_OUT: [&str; 1] = ["spec.culling."];
/// Leaves that each session sets on purpose, in turn.
const TARGETS: usize = 3;

/// Makes sessions.
pub(crate) struct Generator {
    pub(crate) schema: Value,
    /// Every leaf that is to be set.
    pub(crate) leaves: Vec<String>,
    seed: u64,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        let schema = fields::schema_of_spec();
        let mut leaves = Vec::new();
        fields::leaves(&schema, "spec", &mut leaves);
        leaves.retain(|leaf| !LEFT_OUT.iter().any(|left_out| leaf.starts_with(left_out)));
        Self { schema, leaves, seed }
    }

    /// The session of that number.
    pub(crate) fn session(&self, number: usize) -> Value {
        let mut rng = self.rng(number);
        let first = number * TARGETS;
        let targets: Vec<&str> =
            (first..first + TARGETS).map(|index| self.leaves[index % self.leaves.len()].as_str()).collect();
        let faults = match rng.random_range(0..100) {
            0..18 => 0,
            18..75 => 1,
            _ => rng.random_range(2..4),
        };
        self.make(&targets, faults, &mut rng)
    }

    /// A session without a fault that sets `leaf`: for one that no other session has set.
    pub(crate) fn session_with(&self, leaf: &str, number: usize) -> Value {
        self.make(&[leaf], 0, &mut self.rng(number))
    }

    fn rng(&self, number: usize) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number as u64))
    }

    fn make(&self, targets: &[&str], faults: usize, rng: &mut StdRng) -> Value {
        let mut object = base(rng);
        for target in targets {
            grow::place(&mut object, &self.schema, target, rng);
        }
        repair::repair(&mut object, targets);
        for _ in 0..faults {
            let target = targets.choose(rng).unwrap();
            fault::put(&mut object, &self.schema, target, rng);
        }
        object
    }
}

/// A minimal session of some sort.
fn base(rng: &mut StdRng) -> Value {
    let names = ["demo", "demo", "demo", "a-session-of-somebody"];
    let odd_names = [
        "a.b",
        "1a",
        "a-name-of-fifty-three-letters-is-too-long-for-a-pod-set",
        "{63}",
        "{64}",
        "{53}",
        "{52}",
    ];
    let name = match rng.random_range(0..25) {
        0 => odd_names.choose(rng).unwrap(),
        _ => names.choose(rng).unwrap(),
    };
    let name = match name.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(count) => "a".repeat(count.parse().unwrap()),
        None => (*name).to_owned(),
    };
    let mut object = json!({
        "apiVersion": "amalthea.dev/v1alpha1",
        "kind": "AmaltheaSession",
        "metadata": {"name": name},
        "spec": {"hibernated": false, "session": {"image": "busybox:1.36"}},
    });
    let spec = &mut object["spec"];
    match rng.random_range(0..10) {
        0..3 => spec["sessionType"] = json!("NonInteractive"),
        3 => spec["location"] = json!("remote"),
        _ => {}
    }
    if rng.random_bool(0.3) {
        spec["ingress"] = json!({"host": "demo.example.org"});
    }
    if rng.random_bool(0.2) {
        let kind = ["token", "oauth2proxy", "oidc"].choose(rng).unwrap();
        spec["authentication"] = json!({"type": kind, "secretRef": {"name": "login", "key": "auth.yaml"}});
    }
    if rng.random_bool(0.1) {
        spec["session"]["shmSize"] = json!("64Mi");
    }
    if rng.random_bool(0.1) {
        spec["dataSources"] = json!([{"secretRef": {"name": "storage"}, "mountPath": "/storage"}]);
    }
    if rng.random_bool(0.1) {
        spec["codeRepositories"] = json!([{"remote": "https://git.example.org/a/b.git"}]);
    }
    object
}
