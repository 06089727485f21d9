//! The program that libFuzzer drives. `SOJOURN_FUZZ` names the target; without it, the targets are listed and their
//! seeds written below the folder that `SOJOURN_SEEDS` names.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sojourn_fuzz::{Target, targets};
use std::sync::OnceLock;

static TARGET: OnceLock<Target> = OnceLock::new();

fn target() -> Target {
    let mut targets = targets();
    if let Ok(name) = std::env::var("SOJOURN_FUZZ") {
        return targets.remove(&name).unwrap_or_else(|| panic!("there is no target {name}"));
    }
    let folder = std::env::var("SOJOURN_SEEDS").expect("SOJOURN_FUZZ or SOJOURN_SEEDS is set");
    for (name, target) in targets {
        println!("{name}");
        let folder = std::path::Path::new(&folder).join(name);
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        for (number, seed) in target.seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number:04}")), seed).expect("a seed can be written");
        }
    }
    std::process::exit(0)
}

fuzz_target!(
    init: { TARGET.get_or_init(target); },
    |input: &[u8]| TARGET.get_or_init(target).run(input)
);
