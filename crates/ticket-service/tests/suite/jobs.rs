//! Jobs: each is done, by one runner at a time, and what has to be done again and again is.

use std::time::Duration;

use db_kit::{Backend, both_databases};
use serde_json::json;
use ticket_service::domain::actor::KeyScope;
use ticket_service::domain::{Actor, Job, Role};
use ticket_service::jobs::Runner;
use ticket_service::store::jobs;

use crate::support::TestApp;
use crate::tickets::{open, path};

async fn queue(app: &TestApp, count: i64) {
    let queue = move |scope: &mut ticket_service::store::Scope<'_>| {
        (0..count).try_for_each(|ticket| jobs::enqueue(scope, &Job::ResolveCustomer { ticket }))
    };
    app.app.store.write(&Actor::system(), queue).await.unwrap();
}

async fn claim(app: &TestApp, runner: &str, limit: i64) -> Vec<jobs::Claim> {
    let runner = runner.to_owned();
    app.app
        .store
        .write(&Actor::system(), move |scope| jobs::claim(scope, &runner, limit, 60_000))
        .await
        .unwrap()
}

/// How many jobs never end but come again.
fn recurring() -> i64 {
    i64::try_from(Job::RECURRING.len()).unwrap()
}

async fn waiting(app: &TestApp) -> i64 {
    app.app.store.read(&Actor::system(), jobs::counts).await.unwrap().waiting
}

both_databases! {
    async fn two_runners_never_get_the_same_job(app: TestApp) {
        app.leave_jobs();
        queue(&app, 60).await;
        let mut ids = vec![];
        while ids.len() < 60 {
            let (one, two, three) = tokio::join!(claim(&app, "run_1", 7), claim(&app, "run_2", 7), claim(&app, "run_3", 7));
            let before = ids.len();
            ids.extend([one, two, three].concat().into_iter().map(|claim| claim.id));
            assert!(ids.len() > before, "there is work, and somebody gets it");
        }
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!((count, ids.len()), (60, 60));
        assert!(claim(&app, "run_1", 7).await.is_empty());
    }

    async fn a_job_of_a_runner_that_died_is_free_when_its_lease_ends(app: TestApp) {
        app.leave_jobs();
        queue(&app, 1).await;
        assert_eq!(claim(&app, "run_dead", 5).await.len(), 1);
        app.advance_s(59);
        assert!(claim(&app, "run_2", 5).await.is_empty());
        app.advance_s(1);
        let again = claim(&app, "run_2", 5).await;
        assert_eq!((again.len(), again[0].attempt), (1, 2));
        let id = again[0].id.clone();
        let late = move |scope: &mut ticket_service::store::Scope<'_>| jobs::finish(scope, "run_dead", &id);
        app.app.store.write(&Actor::system(), late).await.unwrap();
        assert_eq!(waiting(&app).await, 1, "who lost the lease can't end the job of another");
    }

    async fn a_runner_that_stops_hands_back_what_it_had(app: TestApp) {
        app.leave_jobs();
        queue(&app, 2).await;
        assert_eq!(claim(&app, "run_1", 5).await.len(), 2);
        let back = app.app.store.write(&Actor::system(), |scope| jobs::hand_back(scope, "run_1")).await.unwrap();
        assert_eq!(back, 2);
        assert_eq!(claim(&app, "run_2", 5).await[0].attempt, 1, "as if it had not been tried");
    }

    async fn what_is_queued_is_done_at_once_and_the_runner_ends_with_the_service(app: TestApp) {
        let runner = Runner::start(app.app.clone()).await.unwrap();
        assert_eq!(waiting(&app).await, recurring(), "the recurring jobs are queued once");
        for number in 0..20 {
            open(&app.as_line1(), &format!("Ticket {number}")).await;
        }
        let done = async {
            while waiting(&app).await > recurring() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), done).await.unwrap();
        let ticket = app.as_line1().get("/tickets/10001").await.expect(200);
        assert_eq!(ticket["customer"]["state"], "none");
        app.app.stop();
        tokio::time::timeout(Duration::from_secs(5), runner.ended()).await.unwrap();
    }

    async fn recurring_jobs_come_again_and_again(app: TestApp) {
        let system = Actor::system();
        let ensure = || app.app.store.write(&system, jobs::ensure_recurring);
        ensure().await.unwrap();
        ensure().await.unwrap();
        assert_eq!((waiting(&app).await, app.run_jobs().await), (recurring(), 0));
        let due = |minutes: i64| Job::RECURRING.iter().filter(|(.., rest_ms)| *rest_ms <= minutes * 60_000).count();
        app.advance_s(10 * 60);
        assert_eq!(app.run_jobs().await, due(10));
        app.advance_s(50 * 60);
        assert_eq!(app.run_jobs().await, due(60));
        assert_eq!(waiting(&app).await, recurring());
    }

    async fn what_was_resolved_for_a_week_is_closed_and_the_history_says_so(app: TestApp) {
        let ann = app.with_key(&[KeyScope::TicketsRead, KeyScope::TicketsWrite], Role::Line1).await;
        let (old, young) = (open(&ann, "Old").await, open(&ann, "Young").await);
        app.run_jobs().await;
        let resolve = async |ticket| {
            let now = ann.get(&path(ticket, "")).await.expect(200);
            ann.clone().if_match(&now["version"]).patch(&path(ticket, ""), json!({ "status": "resolved" })).await.expect(200)
        };
        resolve(&old).await;
        app.advance_s(24 * 3600);
        resolve(&young).await;
        app.advance_s(6 * 24 * 3600 + 1);
        assert_eq!(ticket_service::app::close_resolved::close_resolved(&app.app).await.unwrap(), 1);
        let closed = ann.get(&path(&old, "")).await.expect(200);
        assert_eq!(closed["status"], "closed");
        let history = ann.get(&path(&old, "/history")).await.expect(200);
        assert_eq!(history["items"][0]["actor"], json!({ "kind": "system", "name": "Guichet" }));
        assert_eq!(history["items"][0]["changes"], json!([{ "field": "status", "from": "resolved", "to": "closed" }]));
        assert_eq!(ann.get(&path(&young, "")).await.expect(200)["status"], "resolved");
    }

    async fn nothing_is_closed_where_the_days_are_zero(backend: Backend) {
        let app = TestApp::start(backend, |config| config.tickets.close_after_days = 0).await;
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Old").await;
        let ann = app.as_line1().if_match(1);
        ann.patch(&path(&ticket, ""), json!({ "status": "resolved" })).await.expect(200);
        app.advance_s(10 * 24 * 3600);
        assert_eq!(ticket_service::app::close_resolved::close_resolved(&app.app).await.unwrap(), 0);
    }
}
