//! `sojourn generate`: writes the files that are generated from the code.

mod cert_manager;
mod chart;
mod conditions;
mod rights;

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
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("cannot create {}", folder.display()))?;
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
        let yaml = sojourn_crds::generated_yaml(&crd)?;
        files.push((format!("crds/yaml/{file}"), yaml.clone()));
        files.push((format!("charts/sojourn/files/crds/{file}"), yaml));
    }
    for (file, configuration) in sojourn_webhooks::config::generated()? {
        files.push((format!("webhooks/yaml/{file}"), sojourn_crds::generated_yaml(&configuration)?));
    }
    files.push(("charts/sojourn/templates/_webhooks.tpl".to_owned(), chart::webhooks()?));
    files.push(("charts/sojourn/templates/_rules.tpl".to_owned(), chart::rules()?));
    files.push(("charts/sojourn/templates/_cert_manager.tpl".to_owned(), chart::cert_manager()?));
    files.push(("certs/yaml/cert-manager.yaml".to_owned(), cert_manager::page()?));
    files.push(("docs/rules.md".to_owned(), super::explain::page()?));
    files.push(("docs/rights.md".to_owned(), rights::page()));
    files.push(("docs/conditions.md".to_owned(), conditions::page()));
    Ok(files)
}
