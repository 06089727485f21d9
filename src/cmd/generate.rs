//! `sojourn generate`: writes the files that are generated from the code.

use anyhow::Context as _;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `sojourn generate`.
#[derive(Args, Debug)]
pub struct Generate {
    /// Root of the repository.
    #[arg(default_value = ".")]
    root: PathBuf,
}

impl Generate {
    /// Writes every generated file whose content changed, and says so.
    pub fn run(&self) -> anyhow::Result<()> {
        for (path, content) in files()? {
            let path = self.root.join(path);
            if std::fs::read_to_string(&path).is_ok_and(|old| old == content) {
                continue;
            }
            std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
            println!("wrote {}", path.display());
        }
        Ok(())
    }
}

/// Every generated file: its path from the root of the repository, and its content.
pub fn files() -> anyhow::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for (file, crd) in sojourn_crds::all_crds() {
        files.push((format!("crds/yaml/{file}"), sojourn_crds::generated_yaml(&crd)?));
    }
    Ok(files)
}
