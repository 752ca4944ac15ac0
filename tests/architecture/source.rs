//! Which source file may name what.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dev_kit::workspace;

/// A file longer than this does more than one thing.
const LINES_MAX: usize = 600;

/// The files below a folder with one of these endings, generated and downloaded ones left out.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    const NOT_OURS: [&str; 6] = ["node_modules", "dist", "target", "test-results", ".git", "var"];
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && !NOT_OURS.contains(&name.as_str()) {
            found.extend(files(&path, endings));
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The lines of code of all Rust sources of a crate, by path below its `src`.
fn sources(name: &str) -> BTreeMap<String, Vec<String>> {
    let folder = workspace::root().join("crates").join(name).join("src");
    let code = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let below = |path: &Path| path.strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
    let found: BTreeMap<_, _> =
        files(&folder, &[".rs"]).iter().map(|path| (below(path), code(path))).collect();
    assert!(!found.is_empty(), "{name} has no sources");
    found
}

/// Fails for each file outside of `allowed` (a file, or a folder with a slash) that names one of the words.
fn only_in(name: &str, words: &[&str], allowed: &[&str]) {
    let mut met = vec![false; allowed.len()];
    for (file, lines) in sources(name) {
        let Some(line) = lines.iter().find(|line| words.iter().any(|word| line.contains(word))) else {
            continue;
        };
        let place = allowed.iter().position(|place| match place.strip_suffix('/') {
            Some(_) => file.starts_with(place),
            None => file == *place,
        });
        match place {
            Some(at) => met[at] = true,
            None => panic!("crates/{name}/src/{file} must not name {words:?}: {line}\nallowed: {allowed:?}"),
        }
    }
    for (place, met) in allowed.iter().zip(met) {
        assert!(met, "{name}: {place} no longer names any of {words:?}; take it off the list");
    }
}

const DIESEL: [&str; 3] = ["diesel::", "diesel_migrations::", "use diesel"];
const ACTIX: [&str; 4] = ["actix_web::", "actix_multipart::", "utoipa_actix_web::", "utoipa_swagger_ui::"];

#[test]
fn sql_is_spoken_in_the_stores_only() {
    only_in("ticket-service", &DIESEL, &["store/"]);
    only_in("crm-bridge", &DIESEL, &["store/"]);
    only_in("service-kit", &DIESEL, &[]);
}

#[test]
fn http_is_served_in_the_http_folders_only() {
    // Beside `http/`: how errors become problem details, and the start and end of the server.
    only_in("ticket-service", &ACTIX, &["http/", "error.rs", "server.rs"]);
    only_in("crm-bridge", &ACTIX, &["http/"]);
    only_in("db-kit", &ACTIX, &[]);
    only_in("bridge-contract", &ACTIX, &[]);
}

#[test]
fn calls_go_out_from_one_place_in_each_service() {
    only_in("crm-bridge", &["reqwest::"], &["connector/", "deliver/"]);
    only_in("ticket-service", &["reqwest::"], &["bridge.rs"]);
    only_in("service-kit", &["reqwest::", "ureq::"], &[]);
    only_in("db-kit", &["reqwest::", "ureq::"], &[]);
}

#[test]
fn the_ticket_service_has_no_word_for_the_crms_address_or_key() {
    let words = ["base_url", "secret_file", "[crm]", "crm.base", "CrmConfig", "tryton", "Tryton", "hubspot"];
    only_in("ticket-service", &words, &[]);
    let settings = fs::read_to_string(workspace::root().join("config/ticket-service.default.toml")).unwrap();
    for word in words {
        assert!(!settings.contains(word), "config/ticket-service.default.toml names {word}");
    }
}

#[test]
fn no_file_is_longer_than_one_can_keep_in_mind() {
    // Data, not code.
    const LONG: [&str; 0] = [];
    let root = workspace::root();
    let endings = [".rs", ".ts", ".svelte", ".css", ".mjs", ".js", ".py", ".sql"];
    let mut long = Vec::new();
    for path in [files(&root.join("crates"), &endings), files(&root.join("tests"), &endings)].concat() {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        if lines > LINES_MAX
            && !LONG.contains(&name.as_str())
            && !name.contains("generated")
            && !name.ends_with(".d.ts")
        {
            long.push(format!("{name}: {lines} lines"));
        }
    }
    assert!(long.is_empty(), "longer than {LINES_MAX} lines:\n{}", long.join("\n"));
}

#[test]
fn the_databases_of_a_service_have_the_same_migrations() {
    for name in ["ticket-service", "crm-bridge"] {
        let folder = workspace::root().join("crates").join(name).join("migrations");
        let names = |database: &str| {
            let entries = fs::read_dir(folder.join(database)).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert!(!names("sqlite").is_empty());
        assert_eq!(names("sqlite"), names("postgres"), "{name}");
    }
}
