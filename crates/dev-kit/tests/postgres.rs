//! The throw-away cluster comes, serves and goes without a trace.

use std::path::Path;

use dev_kit::{Durability, Postgres};

#[test]
fn a_cluster_starts_as_an_unprivileged_user_and_leaves_nothing_behind() {
    let cluster = Postgres::start(Durability::Off).unwrap();
    let pid = cluster.server().pid();
    let log = cluster.server().log().to_owned();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    assert!(!uid.trim_start().starts_with("0\t"), "PostgreSQL must not run as root");
    assert!(cluster.url().starts_with("postgres://guichet@127.0.0.1:"));
    cluster.stop().unwrap();
    assert!(!log.parent().unwrap().exists());
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}
