//! A child process is waited for, logged and never left behind.

use std::path::Path;
use std::time::Duration;

use dev_kit::Launch;

fn shell(script: &str, dir: &Path) -> Launch {
    Launch::new("script", "sh", dir.join("log")).args(["-c", script]).ready_within(Duration::from_secs(5))
}

#[test]
fn a_service_is_ready_when_it_prints_its_address() {
    let dir = tempfile::tempdir().unwrap();
    let service = shell("echo starting; echo listening on http://127.0.0.1:1234; exec sleep 60", dir.path());
    let service = service.start().unwrap();
    assert_eq!(service.address(), "http://127.0.0.1:1234");
    let pid = service.pid();
    drop(service);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn a_service_that_ends_while_starting_is_reported_with_its_last_words() {
    let dir = tempfile::tempdir().unwrap();
    let Err(error) = shell("echo the port is taken >&2; exit 3", dir.path()).start() else {
        panic!("it started")
    };
    let text = error.to_string();
    assert!(text.contains("the port is taken") && text.contains("exit status: 3"), "{text}");
}

#[test]
fn a_service_that_is_never_ready_is_given_up_and_ended() {
    let dir = tempfile::tempdir().unwrap();
    let launch = shell("echo $$; exec sleep 60", dir.path()).ready_within(Duration::from_millis(200));
    assert!(launch.start().err().unwrap().to_string().contains("was not ready within"));
    let pid = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(!Path::new(&format!("/proc/{}", pid.trim())).exists());
}

#[test]
fn a_second_start_does_not_take_the_first_ones_address_from_the_log() {
    let dir = tempfile::tempdir().unwrap();
    drop(shell("echo listening on http://127.0.0.1:1; exec sleep 60", dir.path()).start().unwrap());
    let second = shell("sleep 0.1; echo listening on http://127.0.0.1:2; exec sleep 60", dir.path());
    assert_eq!(second.start().unwrap().address(), "http://127.0.0.1:2");
}

#[test]
fn a_polite_stop_reports_how_the_service_ended() {
    let dir = tempfile::tempdir().unwrap();
    let polite = "trap 'exit 0' TERM; echo listening on x; while :; do sleep 0.01; done";
    shell(polite, dir.path()).start().unwrap().stop().unwrap();
    let failing = "trap 'exit 7' TERM; echo listening on x; while :; do sleep 0.01; done";
    let error = shell(failing, dir.path()).start().unwrap().stop().unwrap_err();
    assert!(error.to_string().contains("exit status: 7"), "{error}");
}
