//! Part f: `sojourn check` on a thousand manifests, as a pipeline runs it: the start of the program counts.

use crate::{
    fixture,
    table::{Bound, Row, Table},
};
use anyhow::{Context as _, ensure};
use std::{env, fs, process::Command, time::Instant};

const MANIFESTS: usize = 1_000;
const ROUNDS: usize = 3;

/// Measures the fastest of some rounds, over a folder of files and over one file.
pub(crate) fn run(table: &mut Table) -> anyhow::Result<()> {
    let folder = env::temp_dir().join(format!("sojourn-bench-{}", std::process::id()));
    let measured = measure(&folder, table);
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    measured
}

fn measure(folder: &std::path::Path, table: &mut Table) -> anyhow::Result<()> {
    let many = folder.join("many");
    fs::create_dir_all(&many)?;
    let mut all = String::new();
    for number in 0..MANIFESTS {
        let mut session = fixture::full_session();
        session["metadata"]["name"] = format!("session-{number}").into();
        let text = serde_saphyr::to_string(&session)?;
        fs::write(many.join(format!("{number}.yaml")), &text)?;
        all += "---\n";
        all += &text;
    }
    let one = folder.join("all.yaml");
    fs::write(&one, all)?;
    let binary = env::current_exe()?.with_file_name("sojourn");
    for (what, path) in [("1,000 files", &many), ("1,000 documents in a file", &one)] {
        let mut best = f64::INFINITY;
        for _ in 0..ROUNDS {
            let started = Instant::now();
            let output = Command::new(&binary).arg("check").arg(path).output()?;
            best = best.min(started.elapsed().as_secs_f64());
            let said = String::from_utf8_lossy(&output.stdout);
            ensure!(said.contains("1000 objects checked, 0 denied"), "sojourn check says: {said}");
        }
        table.add(Row {
            part: 'f',
            figure: format!("sojourn check, {what}"),
            unit: "s",
            value: best,
            limit: None,
            bound: Bound::Below(1.0),
        });
    }
    Ok(())
}
