//! Every target for a moment: all seeds, and as many inputs made from them, the same in every run.

use rand::{SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use sojourn_fuzz::{Target, mutate::mutate, targets};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

/// How many inputs are made for each target; `make fuzz` goes on for longer.
const INPUTS: usize = 2_000;

#[test]
fn targets_hold_for_their_seeds_and_for_what_comes_of_them() {
    let targets = targets();
    assert!(targets.len() > 4, "each kind has a target");
    let failed: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = targets
            .iter()
            .map(|(name, target)| scope.spawn(move || Some((name, first_failure(name, target)?))))
            .collect();
        running.into_iter().filter_map(|target| target.join().expect("failures are caught")).collect()
    });
    for (name, input) in &failed {
        eprintln!("{name} fails for {:?}", String::from_utf8_lossy(input));
    }
    assert!(failed.is_empty(), "keep these inputs in tests/fuzz/seeds once they are mended");
}

/// The first input for which the target fails.
fn first_failure(name: &str, target: &Target) -> Option<Vec<u8>> {
    assert!(target.seeds.len() > 5, "{name} has only {} seeds", target.seeds.len());
    let mut random = StdRng::seed_from_u64(7);
    let mutants = (0..INPUTS).filter_map(|_| {
        let (seed, other) = (target.seeds.choose(&mut random)?, target.seeds.choose(&mut random)?);
        Some(mutate(&mut random, seed, other))
    });
    target
        .seeds
        .iter()
        .cloned()
        .chain(mutants)
        .find(|input| catch_unwind(AssertUnwindSafe(|| target.run(input))).is_err())
}
