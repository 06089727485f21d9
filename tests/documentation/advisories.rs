//! No version that `Cargo.lock` holds is one that an advisory in `docs/advisories.md` is about.

const LIST: &str = include_str!("../../docs/advisories.md");
const LOCK: &str = include_str!("../../Cargo.lock");

/// Major, minor and patch.
type Version = [u64; 3];

fn version(text: &str) -> Version {
    let core = text.split(['+', '-']).next().unwrap();
    let mut parts = core.split('.').map(|part| part.parse().unwrap());
    let mut next = || parts.next().unwrap_or(0);
    [next(), next(), next()]
}

/// Versions from the first on, but for the second and later ones.
type Range = (Version, Version);

/// `0.9.0 - 0.9.3` or, from the first version on, `< 0.9.3`; several are separated by commas.
fn ranges(text: &str) -> Vec<Range> {
    let range = |text: &str| match text.split_once(" - ") {
        Some((from, to)) => (version(from.trim()), version(to.trim())),
        None => ([0; 3], version(text.trim().strip_prefix("< ").unwrap())),
    };
    text.split(',').map(range).collect()
}

/// Crate, advisory, affected versions.
fn listed(page: &str) -> Vec<(&str, &str, Vec<Range>)> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = rows.map(|row| row.split(" | ").collect::<Vec<_>>()).filter(|row| row[0] != "crate");
    rows.filter(|row| !row[0].starts_with('-')).map(|row| (row[0], row[1], ranges(row[2]))).collect()
}

fn locked(lock: &str) -> Vec<(&str, Version)> {
    lock.split("[[package]]")
        .skip(1)
        .map(|package| {
            let quoted = |key: &str| {
                package.lines().find_map(|line| line.strip_prefix(key)?.strip_suffix('"')).unwrap()
            };
            (quoted("name = \""), version(quoted("version = \"")))
        })
        .collect()
}

fn affected(page: &str, lock: &str) -> Vec<String> {
    let packages = locked(lock);
    let mut hits = Vec::new();
    for (name, advisory, ranges) in listed(page) {
        for (_, version) in packages.iter().filter(|(found, _)| *found == name) {
            if ranges.iter().any(|(from, to)| from <= version && version < to) {
                hits.push(format!("{name} {version:?}: {advisory}"));
            }
        }
    }
    hits
}

#[test]
fn no_locked_version_is_affected_by_an_advisory() {
    assert_eq!(affected(LIST, LOCK), Vec::<String>::new());
    let listed = listed(LIST);
    assert!(listed.len() > 20, "{}", listed.len());
    // A crate that is not there any more has no place in the list.
    let names: Vec<_> = locked(LOCK).into_iter().map(|(name, _)| name).collect();
    let gone: Vec<_> = listed.iter().map(|(name, ..)| name).filter(|name| !names.contains(name)).collect();
    assert_eq!(gone, Vec::<&&str>::new());
}

#[test]
fn affected_versions_are_found() {
    let page = "| crate | advisory | affected | what |\n|---|---|---|---|\n| a | A-1 | < 1.2.3 | x |\n\
                | b | B-1 | 0.8.0 - 0.8.6, 0.9.0 - 0.9.3 | y |\n";
    let lock =
        |name: &str, version: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
    for (name, version, hits) in [
        ("a", "1.2.2", 1),
        ("a", "1.2.3", 0),
        ("a", "0.9.9+spec-1", 1),
        ("b", "0.8.5", 1),
        ("b", "0.8.6", 0),
        ("b", "0.7.0", 0),
        ("b", "0.9.2", 1),
        ("c", "0.1.0", 0),
    ] {
        assert_eq!(affected(page, &lock(name, version)).len(), hits, "{name} {version}");
    }
}
