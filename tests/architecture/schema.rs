//! The ticket database has no column that a CRM value could live in (DESIGN §3, wall 5). Every column stands in the
//! list below with what it holds; a new one fails until somebody has decided what it is.

use std::collections::BTreeMap;
use std::fs;

use dev_kit::workspace;

/// `own`: what customers send and operators write, support's own data. `technical`: ids, times, states, counters.
/// `reference`: the opaque id of the bridge, the one thing about a customer that is kept.
const COLUMNS: &str = include_str!("ticket_columns.txt");

/// A column with one of these words in its name would hold what the CRM knows.
const NEVER: [&str; 31] = [
    "account",
    "amount",
    "balance",
    "bank",
    "birthday",
    "budget",
    "card",
    "company",
    "contract",
    "credit",
    "crm",
    "currency",
    "deal",
    "debt",
    "forecast",
    "iban",
    "income",
    "invoice",
    "lead",
    "lifecycle",
    "opportunity",
    "owner",
    "payment",
    "pipeline",
    "price",
    "probability",
    "revenue",
    "salary",
    "score",
    "stage",
    "tax",
];

type Columns = BTreeMap<String, String>;

/// The columns that all migrations of one database leave behind, as `table.column`.
fn columns(database: &str) -> Columns {
    let folder = workspace::root().join("crates/ticket-service/migrations").join(database);
    let mut migrations: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    migrations.sort();
    let mut found = Columns::new();
    for migration in migrations {
        let text = fs::read_to_string(migration.join("up.sql")).unwrap();
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        for statement in code.join("\n").split(';') {
            read_statement(statement, &mut found);
        }
    }
    assert!(found.len() > 50, "{database}: only {} columns were read", found.len());
    found
}

fn read_statement(statement: &str, found: &mut Columns) {
    let words: Vec<&str> = statement.split_whitespace().collect();
    let upper: Vec<String> = words.iter().map(|word| word.to_uppercase()).collect();
    let begins = |start: &[&str]| upper.len() >= start.len() && upper.iter().zip(start).all(|(a, b)| a == b);
    if begins(&["CREATE", "TABLE"]) || begins(&["CREATE", "VIRTUAL", "TABLE"]) {
        let at = if upper[1] == "TABLE" { 2 } else { 3 };
        let table = words[at].trim_end_matches('(');
        let body = statement.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).unwrap().0;
        for part in split_outside_of_brackets(body) {
            let name = part.split_whitespace().next().unwrap_or_default();
            let constraint = ["PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "CONSTRAINT", "EXCLUDE"];
            let option = part.contains('=') && upper[1] == "VIRTUAL";
            if !name.is_empty() && !constraint.contains(&name.to_uppercase().as_str()) && !option {
                found.insert(format!("{table}.{name}"), part.clone());
            }
        }
    } else if begins(&["ALTER", "TABLE"]) {
        let table = words[2];
        // A changed list of allowed words changes no column.
        if upper[3..].get(1).is_some_and(|what| what == "CONSTRAINT") {
            return;
        }
        assert!(
            begins(&["ALTER", "TABLE", &table.to_uppercase(), "ADD", "COLUMN"]),
            "teach this test to read: {statement}"
        );
        found.insert(format!("{table}.{}", words[5]), statement.to_owned());
    } else if begins(&["DROP", "TABLE"]) {
        found.retain(|column, _| !column.starts_with(&format!("{}.", words[2])));
    }
}

fn split_outside_of_brackets(text: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for character in text.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    parts
}

/// The list: column → what it holds.
fn classified() -> BTreeMap<&'static str, &'static str> {
    let lines = COLUMNS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let entries = lines.map(|line| {
        let mut words = line.split_whitespace();
        (words.next().unwrap(), words.next().unwrap_or_else(|| panic!("{line}: say what it holds")))
    });
    entries.collect()
}

#[test]
fn every_column_of_the_ticket_database_is_known_and_classified() {
    let classified = classified();
    for (column, class) in &classified {
        assert!(["own", "technical", "reference"].contains(class), "{column}: {class} is no class");
    }
    for database in ["sqlite", "postgres"] {
        let columns = columns(database);
        for column in columns.keys() {
            assert!(
                classified.contains_key(column.as_str()),
                "{database}: {column} is new. Decide what it holds and add it to tests/architecture/ticket_columns.txt; \
                 what comes out of the CRM may not be stored"
            );
        }
        for column in classified.keys() {
            let other_database_only =
                *column == "ticket_search.document" || *column == "ticket_search.number";
            assert!(columns.contains_key(*column) || other_database_only, "{database}: {column} is gone");
        }
    }
}

#[test]
fn no_column_is_named_like_something_of_the_crm() {
    for database in ["sqlite", "postgres"] {
        for column in columns(database).keys() {
            let mut words = column.split(['.', '_']).map(|word| word.trim_end_matches('s'));
            assert!(!words.any(|word| NEVER.contains(&word)), "{database}: {column}");
        }
    }
}

#[test]
fn money_has_no_type_in_the_ticket_database() {
    for database in ["sqlite", "postgres"] {
        for (column, definition) in columns(database) {
            let words: Vec<String> = definition.split([' ', '(']).map(str::to_uppercase).collect();
            for kind in
                ["DECIMAL", "NUMERIC", "MONEY", "REAL", "FLOAT", "DOUBLE", "BLOB", "BYTEA", "JSON", "JSONB"]
            {
                assert!(!words.iter().any(|word| word == kind), "{database}: {column} is a {kind}");
            }
        }
    }
}

#[test]
fn the_only_columns_about_a_customer_are_opaque_references_and_a_state() {
    let about: Vec<_> = columns("sqlite").into_keys().filter(|column| column.contains("customer")).collect();
    let expected = [
        // Where in the audit log an erasure has to look.
        "audit_customers.block",
        "audit_customers.customer_ref",
        "audit_log.customer_ref",
        "customer_candidates.customer_ref",
        "customer_candidates.position",
        "customer_candidates.ticket",
        // How far the bridge's list of erased and merged customers has been read.
        "customer_feed.after",
        "customer_feed.id",
        "tickets.customer_ref",
        "tickets.customer_state",
    ];
    assert_eq!(about, expected);
    let classified = classified();
    let references: Vec<_> =
        classified.iter().filter(|(_, class)| **class == "reference").map(|(c, _)| *c).collect();
    assert_eq!(
        references,
        [
            "audit_customers.customer_ref",
            "audit_log.customer_ref",
            "customer_candidates.customer_ref",
            "tickets.customer_ref"
        ]
    );
}
