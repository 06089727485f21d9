//! Hostile rotations: replicas with clocks that are a day off, that crash, sleep and lose answers; API servers that
//! learn late of what is published; people who ask for new authorities, delete the Secret and blank bundles.
//! After every event, every leaf that is served must verify against every bundle that an API server knows.
//! Every run follows from its seed.

#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod world;

use std::time::Duration;
use world::{Tally, World, minutes};

#[test]
fn nothing_is_ever_served_that_an_api_server_would_refuse() {
    let mut sum = Tally::default();
    for seed in 0..40 {
        let mut world = World::new(seed);
        world.run(minutes(60), true);
        world.run(minutes(70), false);
        world.all_is_well();
        sum = sum + world.tally();
    }
    println!("{sum:?}");
    // A simulation in which nothing happens proves nothing.
    assert!(sum.promoted > 250 && sum.retired > 60, "{sum:?}");
    assert!(sum.deleted > 20 && sum.blanked > 60 && sum.crashed > 300, "{sum:?}");
}

#[test]
fn the_simulation_sees_a_replica_that_does_not_wait() {
    let caught = (0..20).any(|seed| {
        std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            world.propagation = Duration::ZERO;
            world.run(minutes(40), true);
        })
        .is_err()
    });
    assert!(caught, "an authority that signs before it is known must be seen");
}
