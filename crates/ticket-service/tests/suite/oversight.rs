//! Viewing budgets as operators and supervisors meet them. How the bridge counts is asked in the bridge's own suite.

use db_kit::both_databases;
use serde_json::{Value, json};
use ticket_service::domain::Role;
use ticket_service::domain::actor::KeyScope;

use crate::live::Stream;
use crate::support::bridge::WithBridge;
use crate::window::{ILYA, ticket_of_ilya, viewer};

const NOTICE: &str = "ntc_00000000000000000000000000000001";
/// Ids as [`viewer`] makes them.
const ANN: &str = "opr_0193aabb0001line1";
const SOFIA: &str = "opr_0193aabb0001supervisor";

fn reason() -> Value {
    json!({ "ground": "customer_waiting", "reason": "He is on the phone and the line stands still." })
}

fn look(ticket: &str, action: &str) -> Value {
    json!({
        "id": "lok_00000000000000000000000000000001", "at": "2026-11-21T09:12:00Z", "action": action, "operator": ANN,
        "role": "line1", "ticket": number(ticket), "customer_ref": ILYA, "fields": ["person.name"], "policy": 3,
    })
}

fn notice(ticket: &str, acknowledged: Value) -> Value {
    let mut notice = json!({
        "id": NOTICE, "at": "2026-11-21T09:12:00Z", "about": "break_glass", "operator": ANN, "ticket": number(ticket),
        "customer_ref": ILYA, "since": "2026-11-21T00:00:00Z", "counted": 1, "threshold": 5, "break_glass": reason(),
    });
    if !acknowledged.is_null() {
        notice["acknowledged"] = acknowledged;
    }
    notice
}

fn number(ticket: &str) -> i64 {
    ticket.rsplit('/').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

async fn known(with: &WithBridge) -> String {
    with.bridge.knows("ilya@volga.example", &[ILYA]);
    with.bridge.shows(ILYA, "Ilya from the CRM");
    ticket_of_ilya(with).await
}

both_databases! {
    async fn a_spent_budget_is_told_with_when_it_opens_again_and_a_reason_goes_to_the_bridge(with: WithBridge) {
        let ticket = known(&with).await;
        let ann = viewer(&with.app, Role::Line1).await;
        with.bridge.refuses(ILYA, 429, "viewing_budget_spent");
        let answer = ann.get(&format!("{ticket}/card")).await;
        assert_eq!(answer.header("retry-after"), "720");
        let problem = answer.problem(429, "customer_data_unavailable");
        assert_eq!(problem["errors"][0]["message"], "viewing_budget_spent");
        assert!(problem["detail"].as_str().unwrap().contains("give a reason"), "{problem}");
        with.bridge.shows(ILYA, "Ilya from the CRM");
        let card = ann.post(&format!("{ticket}/card/break-glass"), reason()).await.expect(200);
        assert_eq!(card["state"], "card");
        let asked = with.bridge.asked();
        let purpose = &asked.last().unwrap().grant["purpose"];
        assert_eq!((&purpose["kind"], &purpose["operator"], &purpose["ground"]), (&json!("break_glass"), &json!(ANN), &json!("customer_waiting")));
        assert_eq!(purpose["reason"], reason()["reason"]);
        with.bridge.refuses(ILYA, 429, "break_glass_spent");
        let problem = ann.post(&format!("{ticket}/card/break-glass"), reason()).await.problem(429, "customer_data_unavailable");
        assert!(problem["detail"].as_str().unwrap().contains("Ask your supervisor"), "{problem}");
    }

    async fn without_a_proper_reason_or_by_a_program_no_glass_breaks(with: WithBridge) {
        let ticket = known(&with).await;
        let path = format!("{ticket}/card/break-glass");
        let ann = viewer(&with.app, Role::Line1).await;
        let before = with.bridge.asked().len();
        for (ground, text) in [("other", "too short"), ("other", ""), ("whim", "A reason that is long enough."), ("other", &"x".repeat(301))] {
            ann.post(&path, json!({ "ground": ground, "reason": text })).await.problem(422, "invalid");
        }
        ann.post(&path, json!({ "ground": "other" })).await.problem(422, "invalid");
        let key = with.app.with_key(KeyScope::ALL, Role::Line1).await;
        key.post(&path, reason()).await.problem(403, "forbidden");
        assert_eq!(with.bridge.asked().len(), before, "the bridge hears nothing of it");
    }

    async fn supervisors_hear_at_once_and_nobody_else_does(with: WithBridge) {
        let ticket = known(&with).await;
        let (ann, sofia) = (viewer(&with.app, Role::Line1).await, viewer(&with.app, Role::Supervisor).await);
        let mut hers = Stream::listening(&sofia).await;
        let mut his = Stream::listening(&ann).await;
        ann.get(&format!("{ticket}/card")).await.expect(200);
        with.bridge.counts(ILYA, 3);
        let card = ann.get(&format!("{ticket}/card")).await.expect(200);
        assert_eq!(card["card"]["budget"]["used"], 3, "the operator sees how far it is");
        assert_eq!(hers.next().await.name, "oversight", "a look within the soft limit is no news, one beyond it is");
        with.bridge.refuses(ILYA, 429, "viewing_budget_spent");
        ann.get(&format!("{ticket}/card")).await.problem(429, "customer_data_unavailable");
        assert_eq!(hers.next().await.name, "oversight");
        let changed = sofia.with("If-Match", "\"2\"").patch(&ticket, json!({ "priority": "high" })).await;
        changed.expect(200);
        assert_eq!((his.next().await.name, hers.next().await.name), ("ticket".into(), "ticket".into()), "operators hear of tickets only");
    }

    async fn a_look_is_shown_with_names_from_supports_own_data(with: WithBridge) {
        let ticket = known(&with).await;
        viewer(&with.app, Role::Line1).await;
        let sofia = viewer(&with.app, Role::Supervisor).await;
        let mut broken = look(&ticket, "reveal");
        broken["break_glass"] = reason();
        let mut of_a_program = look("/tickets/99999", "card");
        of_a_program["operator"] = json!("key_0193aabb");
        let next = "lok_00000000000000000000000000000009";
        with.bridge.oversees("looks", 200, json!({ "kind": "looks", "items": [broken, of_a_program], "next": next }));
        let query = format!("/oversight/looks?ticket={}&operator={ANN}&customer_ref={ILYA}&from=2026-11-21T00:00:00Z", number(&ticket));
        let page = sofia.get(&query).await.expect(200);
        let asked = with.bridge.asked().last().unwrap().clone();
        assert_eq!(asked.grant["purpose"], json!({ "kind": "oversight", "operator": SOFIA, "role": "supervisor" }));
        assert_eq!((&asked.question["ask"]["ticket"], &asked.question["ask"]["operator"]), (&json!(number(&ticket)), &json!(ANN)));
        let first = &page["items"][0];
        assert_eq!((&first["by"]["name"], &first["by"]["initials"]), (&json!("Vera Viewer"), &json!("VV")));
        assert_eq!(first["ticket"], json!({ "number": number(&ticket), "requester": "Ilya Sorin" }), "as he called himself");
        assert_eq!((&first["action"], &first["fields"], &first["policy"]), (&json!("reveal"), &json!(["person.name"]), &json!(3)));
        assert_eq!(first["break_glass"], reason());
        let second = &page["items"][1];
        assert_eq!((&second["by"]["name"], &second["by"]["is_program"], &second["ticket"]["requester"]), (&json!("key_0193aabb"), &json!(true), &Value::Null));
        assert_eq!(page["next_cursor"], next);
        sofia.get(&format!("/oversight/looks?cursor={next}")).await.expect(200);
        assert_eq!(with.bridge.asked().last().unwrap().question["ask"]["before"], next);
        sofia.get("/oversight/looks?email=a@b.example").await.problem(422, "invalid");
    }

    async fn budgets_are_shown_by_name(with: WithBridge) {
        viewer(&with.app, Role::Line1).await;
        let sofia = viewer(&with.app, Role::Supervisor).await;
        let of = |used: u32, soft: u32, hard: u32| json!({ "used": used, "soft": soft, "hard": hard });
        let budget = json!({ "operator": ANN, "role": "line1", "hour": of(3, 40, 60), "day": of(9, 200, 300), "break_glass": of(0, 5, 5) });
        with.bridge.oversees("budgets", 200, json!({ "kind": "budgets", "items": [budget] }));
        let page = sofia.get("/oversight/budgets").await.expect(200);
        assert_eq!((&page["items"][0]["by"]["name"], &page["items"][0]["hour"]), (&json!("Vera Viewer"), &of(3, 40, 60)));
    }

    async fn a_notice_is_acknowledged_by_another_supervisor_if_there_is_one(with: WithBridge) {
        let ticket = known(&with).await;
        viewer(&with.app, Role::Line1).await;
        let sofia = viewer(&with.app, Role::Supervisor).await;
        with.bridge.oversees("notices", 200, json!({ "kind": "notices", "items": [notice(&ticket, Value::Null)], "open": 1 }));
        let page = sofia.get("/oversight/notices?open=true").await.expect(200);
        assert_eq!((&page["open"], &page["items"][0]["about"], &page["items"][0]["by"]["name"]), (&json!(1), &json!("break_glass"), &json!("Vera Viewer")));
        assert_eq!(page["items"][0]["break_glass"], reason());
        let mut hers = Stream::listening(&sofia).await;
        let seen = notice(&ticket, json!({ "by": SOFIA, "at": "2026-11-21T09:15:00Z" }));
        with.bridge.oversees("acknowledge", 200, json!({ "kind": "acknowledged", "notice": seen }));
        let path = format!("/oversight/notices/{NOTICE}/acknowledge");
        let shown = sofia.post(&path, json!({})).await.expect(200);
        assert_eq!((&shown["acknowledged_by"]["id"], &shown["acknowledged_at"]), (&json!(SOFIA), &json!("2026-11-21T09:15:00.000Z")));
        let ask = with.bridge.asked().last().unwrap().question["ask"].clone();
        assert_eq!((&ask["notice"], &ask["may_be_own"]), (&json!(NOTICE), &json!(false)), "Sofia Marin is a supervisor, too");
        assert_eq!(hers.next().await.name, "oversight", "it goes from the other screens");
        with.bridge.oversees("acknowledge", 403, json!({ "code": "own_notice" }));
        sofia.post(&path, json!({})).await.expect(200);
        sofia.post(&path, json!({})).await.problem(403, "forbidden");
        sofia.post("/oversight/notices/nonsense/acknowledge", json!({})).await.problem(404, "not_found");
    }

    async fn the_job_tells_of_new_notices_once(with: WithBridge) {
        let ticket = known(&with).await;
        let sofia = viewer(&with.app, Role::Supervisor).await;
        let mut hers = Stream::listening(&sofia).await;
        let watch = || ticket_service::app::oversight::review::watch(&with.app.app, "job_1");
        watch().await.unwrap();
        with.bridge.oversees("notices", 200, json!({ "kind": "notices", "items": [notice(&ticket, Value::Null)], "open": 1 }));
        for _ in 0..3 {
            watch().await.unwrap();
        }
        assert_eq!(hers.next().await.name, "oversight");
        sofia.put(&format!("{ticket}/presence"), json!({ "state": "reading" })).await.expect(204);
        assert_eq!(hers.next().await.name, "presence", "and no second time");
    }

    async fn whoever_looks_without_working_is_reported_the_next_day(with: WithBridge) {
        let ticket = known(&with).await;
        let ann = viewer(&with.app, Role::Line1).await;
        let mut tickets = vec![ticket];
        for i in 0..3 {
            let body = json!({ "subject": format!("No {i}"), "text": "T", "requester": { "name": "Ilya Sorin", "email": "ilya@volga.example" } });
            let opened = with.app.as_other_line1().post("/tickets", body).await.expect(201);
            tickets.push(format!("/tickets/{}", opened["number"]));
        }
        with.app.run_jobs().await;
        // One is answered with a note, one was refused: two are left, of one that is allowed.
        ann.post(&format!("{}/messages", tickets[0]), json!({ "kind": "note", "text": "Called back." })).await.expect(201);
        let mut looks: Vec<Value> = tickets[..3].iter().map(|ticket| look(ticket, "card")).collect();
        looks.push(look(&tickets[3], "refused"));
        with.bridge.oversees("looks", 200, json!({ "kind": "looks", "items": looks }));
        let mut app = with.app.app.clone();
        let mut config = (*app.config).clone();
        config.oversight.idle_tickets_max = 1;
        app.config = std::sync::Arc::new(config);
        let watch = || ticket_service::app::oversight::review::watch(&app, "job_1");
        let reports = || with.bridge.asked().into_iter().filter(|asked| asked.question["ask"]["kind"] == "report_idle").collect::<Vec<_>>();
        watch().await.unwrap();
        with.app.advance_s(20 * 3_600);
        watch().await.unwrap();
        assert!(reports().is_empty(), "the work may follow until six in the morning");
        with.app.advance_s(2 * 3_600);
        watch().await.unwrap();
        watch().await.unwrap();
        let reports = reports();
        assert_eq!(reports.len(), 1, "once for a day");
        assert_eq!(reports[0].grant["purpose"]["kind"], "review");
        let ask = &reports[0].question["ask"];
        assert_eq!((&ask["operator"], &ask["counted"], &ask["threshold"]), (&json!(ANN), &json!(2), &json!(1)));
        assert_eq!(ask["since"], "2026-11-21T00:00:00.000Z");
    }

    async fn whoever_looks_an_address_up_is_named_to_the_bridge(with: WithBridge) {
        let ticket = known(&with).await;
        let ann = viewer(&with.app, Role::Line1).await;
        ann.post(&format!("{ticket}/customer/resolve"), json!({ "email": "other@volga.example" })).await.expect(200);
        let asked = with.bridge.asked().last().unwrap().clone();
        assert_eq!(asked.grant["purpose"], json!({ "kind": "look_up", "operator": ANN }));
    }
}
