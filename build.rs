//! Puts the corpus of the rules into the binary, from which `sojourn explain` takes its examples.

use std::{env, error::Error, fs, io, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from).ok_or(format!("{name} is not set"));
    let root = variable("CARGO_MANIFEST_DIR")?.join("webhooks/cases");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut cases = Vec::new();
    for folder in sorted(&root)?.into_iter().filter(|path| path.is_dir()) {
        for file in sorted(&folder)? {
            let name = file.strip_prefix(&root)?.with_extension("").display().to_string();
            cases.push((name, fs::read_to_string(&file)?));
        }
    }
    fs::write(
        variable("OUT_DIR")?.join("cases.rs"),
        format!(
            "/// Every case of the corpus: folder and name, and its text.\nconst CASES: &[(&str, &str)] = &{cases:?};\n"
        ),
    )?;
    Ok(())
}

fn sorted(folder: &PathBuf) -> io::Result<Vec<PathBuf>> {
    let mut paths =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
