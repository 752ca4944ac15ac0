//! Which crate depends on which (DESIGN §8), read from Cargo itself.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use dev_kit::workspace;
use serde_json::Value;

/// The dependencies of one crate: of the program, and of its tests only.
#[derive(Default)]
struct Uses {
    normal: BTreeSet<String>,
    tests: BTreeSet<String>,
}

fn metadata() -> Value {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let arguments = ["metadata", "--format-version=1", "--no-deps", "--offline"];
    let output = Command::new(cargo).args(arguments).current_dir(workspace::root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn crates() -> BTreeMap<String, Uses> {
    let mut crates = BTreeMap::new();
    for package in metadata()["packages"].as_array().unwrap() {
        let mut uses = Uses::default();
        for dependency in package["dependencies"].as_array().unwrap() {
            let name = dependency["name"].as_str().unwrap().to_owned();
            let tests_only = dependency["kind"] == "dev";
            if tests_only { &mut uses.tests } else { &mut uses.normal }.insert(name);
        }
        crates.insert(package["name"].as_str().unwrap().to_owned(), uses);
    }
    assert!(crates.len() >= 10, "Cargo listed only {:?}", crates.keys());
    crates
}

/// Everything of ours that a crate needs to run, directly or through others.
fn reached<'a>(crates: &'a BTreeMap<String, Uses>, from: &'a str) -> BTreeSet<&'a str> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(name) = open.pop() {
        for next in crates.get(name).map(|uses| &uses.normal).into_iter().flatten() {
            if crates.contains_key(next) && found.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    found
}

fn ours<'a>(crates: &BTreeMap<String, Uses>, names: &'a BTreeSet<String>) -> BTreeSet<&'a str> {
    names.iter().map(String::as_str).filter(|name| crates.contains_key(*name)).collect()
}

#[test]
fn crates_use_only_the_crates_they_may() {
    const ARROWS: [(&str, &[&str]); 14] = [
        ("audit-chain", &[]),
        ("audit-log", &["audit-chain", "bridge-contract", "db-kit", "service-kit"]),
        ("bridge-contract", &[]),
        ("service-kit", &[]),
        ("operator-ui", &[]),
        ("marker-search", &[]),
        ("dev-kit", &[]),
        ("sandbox-crm", &[]),
        ("crm-fakes", &[]),
        ("db-kit", &["service-kit"]),
        ("crm-bridge", &["audit-log", "bridge-contract", "db-kit", "marker-search", "service-kit"]),
        ("ticket-service", &["audit-log", "bridge-contract", "db-kit", "operator-ui", "service-kit"]),
        ("xtask", &["dev-kit"]),
        ("system-tests", &["bridge-contract", "dev-kit", "marker-search", "service-kit"]),
    ];
    let crates = crates();
    for (name, uses) in &crates {
        let (_, allowed) = ARROWS.iter().find(|(known, _)| known == name).unwrap_or_else(|| {
            panic!("{name} is new: say here which of our crates it may use");
        });
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        let used = ours(&crates, &uses.normal);
        let foreign: Vec<_> = used.difference(&allowed).collect();
        assert!(foreign.is_empty(), "{name} must not depend on {foreign:?}");
    }
}

#[test]
fn the_two_services_never_meet_even_in_their_tests() {
    let crates = crates();
    for (one, other) in [("ticket-service", "crm-bridge"), ("crm-bridge", "ticket-service")] {
        assert!(!reached(&crates, one).contains(other), "{one} reaches {other}");
        assert!(!crates[one].tests.contains(other), "the tests of {one} use {other}");
    }
    for service in ["ticket-service", "crm-bridge"] {
        assert!(!reached(&crates, service).contains("sandbox-crm"), "{service} ships a CRM for trying out");
        assert!(!reached(&crates, service).contains("crm-fakes"), "{service} ships CRMs for tests");
        assert!(!reached(&crates, service).contains("dev-kit"), "{service} ships development tools");
    }
    for crm in ["sandbox-crm", "crm-fakes"] {
        assert!(!crates["ticket-service"].tests.contains(crm), "the ticket service knows no CRM");
    }
}

#[test]
fn the_contract_and_the_search_have_no_means_of_input_or_output() {
    let crates = crates();
    let used: BTreeSet<&str> = crates["marker-search"].normal.iter().map(String::as_str).collect();
    assert_eq!(used, BTreeSet::from(["base64", "serde"]));
    let allowed = BTreeSet::from(["jiff", "serde", "thiserror", "utoipa"]);
    let used: BTreeSet<&str> = crates["bridge-contract"].normal.iter().map(String::as_str).collect();
    assert_eq!(used, allowed);
}

#[test]
fn plumbing_stays_on_its_side() {
    let crates = crates();
    let never: [(&str, &[&str]); 8] = [
        ("audit-chain", &["actix-web", "diesel", "reqwest", "tokio", "service-kit"]),
        ("audit-log", &["actix-web", "reqwest"]),
        ("service-kit", &["diesel", "diesel_migrations", "libsqlite3-sys", "pq-sys", "reqwest"]),
        ("db-kit", &["actix-web", "actix-http", "reqwest"]),
        ("bridge-contract", &["actix-web", "diesel", "reqwest", "tokio", "serde_json"]),
        ("operator-ui", &["actix-web", "diesel", "reqwest"]),
        ("sandbox-crm", &["diesel"]),
        ("crm-fakes", &["diesel", "reqwest"]),
    ];
    for (name, forbidden) in never {
        for dependency in forbidden {
            assert!(!crates[name].normal.contains(*dependency), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn every_crate_inherits_the_lints_and_takes_versions_from_the_workspace() {
    for package in metadata()["packages"].as_array().unwrap() {
        let file = package["manifest_path"].as_str().unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        let lints = text.split("\n[lints]\n").nth(1).unwrap_or_else(|| panic!("{file} has no [lints]"));
        assert!(lints.trim_start().starts_with("workspace = true"), "{file} does not inherit the lints");
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let versioned =
                line.contains("version = \"") || line.contains("= \"^") || line.contains("path = \"..");
            assert!(!versioned, "{file}: {line}: versions and paths stand in the root Cargo.toml");
        }
    }
}
