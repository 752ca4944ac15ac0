//! The window on the CRM: who wrote, what may be seen of them, and what happens when nobody can tell.

use db_kit::both_databases;
use serde_json::{Value, json};
use ticket_service::app::follow_customers::follow_customers;
use ticket_service::app::sign_in::Credential;
use ticket_service::domain::actor::KeyScope;
use ticket_service::domain::job::ATTEMPTS_MAX;
use ticket_service::domain::{Actor, Role};
use ticket_service::store::operators::OperatorRecord;
use ticket_service::store::sessions::SessionRecord;
use ticket_service::store::{jobs, operators, sessions};

use crate::support::bridge::WithBridge;
use crate::support::{Client, TestApp};

pub(crate) const ILYA: &str = "cus_0193aabb01";
const IRINA: &str = "cus_0193aabb02";
const VIEWER: &str = "opr_0193aabb0001";

/// Somebody with an id as the service makes them, for the grants that the bridge checks.
pub(crate) async fn viewer(app: &TestApp, role: Role) -> Client {
    let id = format!("{VIEWER}{}", role.as_str());
    let (operator, token) = (id.clone(), format!("session-of-{id}"));
    app.app
        .store
        .write(&Actor::system(), move |scope| {
            let now = scope.now;
            let record = OperatorRecord {
                email: format!("{operator}@support.example"),
                email_folded: format!("{operator}@support.example"),
                id: operator.clone(),
                name: "Vera Viewer".into(),
                role,
                password_hash: String::new(),
                locale: None,
                active: true,
                created_at: now.ms(),
                version: 1,
            };
            operators::insert(scope, record)?;
            let Credential::Session { hash } = Credential::session(&token) else { unreachable!() };
            let session = SessionRecord {
                token_hash: hash,
                operator_id: operator,
                created_at: now.ms(),
                last_seen_at: now.ms(),
                expires_at: now.plus_ms(14 * 24 * 3_600_000).ms(),
            };
            sessions::insert(scope, &session)
        })
        .await
        .unwrap();
    app.as_operator(&id)
}

/// Opens a ticket of Ilya's and lets the bridge say who he is; answers its path.
pub(crate) async fn ticket_of_ilya(with: &WithBridge) -> String {
    let body = json!({
        "subject": "Coupling stuck", "text": "The line stops.",
        "requester": { "name": "Ilya Sorin", "email": "ilya@volga.example", "phone": "+7 846 555 01 41" },
    });
    let ticket = with.app.as_line1().post("/tickets", body).await.expect(201);
    assert_eq!(ticket["customer"]["state"], "pending");
    with.app.run_jobs().await;
    format!("/tickets/{}", ticket["number"])
}

async fn state_of(client: &Client, ticket: &str) -> Value {
    client.get(ticket).await.expect(200)["customer"]["state"].clone()
}

both_databases! {
    async fn an_opened_ticket_finds_its_customer_and_an_operator_sees_the_card(with: WithBridge) {
        with.bridge.knows("ilya@volga.example", &[ILYA]);
        with.bridge.shows(ILYA, "Ilya from the CRM");
        let ticket = ticket_of_ilya(&with).await;
        let ann = viewer(&with.app, Role::Line1).await;
        assert_eq!(state_of(&ann, &ticket).await, "linked");
        let answer = ann.clone().with("X-Request-Id", "req_card_12345").get(&format!("{ticket}/card")).await;
        let shown = answer.expect(200);
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!((&shown["state"], &shown["card"]["fields"][0]["value"]["value"]), (&json!("card"), &json!("Ilya from the CRM")));
        let asked = with.bridge.asked();
        assert_eq!((asked[0].path.as_str(), &asked[0].question["phone"]), ("resolve", &json!("+7 846 555 01 41")));
        assert_eq!(asked[0].grant, json!({ "ticket": 10_001, "purpose": { "kind": "resolve" } }));
        assert!(asked[0].request_id.starts_with("job_"));
        let purpose = json!({ "kind": "card", "operator": format!("{VIEWER}line1"), "role": "line1", "customer_ref": ILYA });
        assert_eq!(asked[1].grant, json!({ "ticket": 10_001, "purpose": purpose }));
        assert_eq!(asked[1].request_id, "req_card_12345");
        let history = ann.get(&format!("{ticket}/history")).await.expect(200);
        assert_eq!((&history["items"][0]["kind"], &history["items"][0]["actor"]["kind"]), (&json!("customer_linked"), &json!("system")));
    }

    async fn a_masked_field_is_shown_on_request_and_only_where_the_policy_allows_it(with: WithBridge) {
        with.bridge.knows("ilya@volga.example", &[ILYA]);
        with.bridge.shows(ILYA, "Ilya");
        let ticket = ticket_of_ilya(&with).await;
        let (ann, reveal) = (viewer(&with.app, Role::Line1).await, format!("{ticket}/card/reveal"));
        let revealed = ann.post(&reveal, json!({ "key": "person.phone" })).await;
        assert_eq!(revealed.expect(200)["field"]["value"]["value"], "+78465550141");
        assert_eq!(revealed.header("cache-control"), "no-store");
        assert_eq!(with.bridge.asked().last().unwrap().grant["purpose"]["field"], "person.phone");
        ann.post(&reveal, json!({ "key": "person.name" })).await.problem(403, "customer_data_unavailable");
        ann.post(&reveal, json!({ "key": "deal.amount" })).await.problem(422, "invalid");
        let boris = viewer(&with.app, Role::Line2).await;
        boris.post(&reveal, json!({ "key": "person.phone" })).await.problem(404, "ticket_not_found");
    }

    async fn of_several_candidates_an_operator_chooses_one_and_no_other(with: WithBridge) {
        with.bridge.knows("ilya@volga.example", &[ILYA, IRINA]);
        with.bridge.shows(ILYA, "Ilya");
        with.bridge.shows(IRINA, "Irina");
        let ticket = ticket_of_ilya(&with).await;
        let ann = viewer(&with.app, Role::Line1).await;
        let shown = ann.get(&format!("{ticket}/card")).await.expect(200);
        assert_eq!(shown["state"], "several");
        let refs: Vec<_> = shown["candidates"].as_array().unwrap().iter().map(|one| one["customer_ref"].clone()).collect();
        assert_eq!(refs, [ILYA, IRINA]);
        let customer = format!("{ticket}/customer");
        let foreign = ann.put(&customer, json!({ "customer_ref": "cus_0193aabb99" })).await;
        assert!(foreign.field("customer_ref").contains("none of this ticket's candidates"));
        ann.put(&customer, json!({ "customer_ref": IRINA })).await.expect(200);
        let shown = ann.get(&format!("{ticket}/card")).await.expect(200);
        assert_eq!(shown["card"]["customer_ref"], IRINA);
        ann.delete(&customer).await.expect(200);
        assert_eq!(ann.get(&format!("{ticket}/card")).await.expect(200), json!({ "state": "none" }));
        let chosen = ann.put(&customer, json!({ "customer_ref": ILYA })).await.expect(200);
        assert_eq!(chosen["customer"]["state"], "linked");
        let stranger = viewer(&with.app, Role::Line3).await;
        stranger.put(&customer, json!({ "customer_ref": ILYA })).await.problem(404, "ticket_not_found");
        stranger.delete(&customer).await.problem(404, "ticket_not_found");
        stranger.get(&format!("{ticket}/card")).await.problem(404, "ticket_not_found");
    }

    async fn nobody_found_can_be_looked_up_by_another_address(with: WithBridge) {
        with.bridge.knows("+7 846 555 01 99", &[ILYA]);
        with.bridge.shows(ILYA, "Ilya");
        let ticket = ticket_of_ilya(&with).await;
        let ann = viewer(&with.app, Role::Line1).await;
        assert_eq!(ann.get(&format!("{ticket}/card")).await.expect(200), json!({ "state": "none" }));
        let resolve = format!("{ticket}/customer/resolve");
        assert!(ann.post(&resolve, json!({})).await.field("email").contains("give one of both"));
        ann.post(&resolve, json!({ "email": "not an address" })).await.problem(422, "invalid");
        ann.post(&resolve, json!({ "phone": "+7 846 555 01 99" })).await.expect(200);
        assert_eq!(state_of(&ann, &ticket).await, "linked");
        let history = ann.get(&format!("{ticket}/history")).await.expect(200);
        assert_eq!(history["items"][0]["actor"]["name"], "Vera Viewer");
        assert!(!history.to_string().contains(ILYA), "the history names no reference");
    }

    async fn an_erased_customer_is_forgotten(with: WithBridge) {
        with.bridge.knows("ilya@volga.example", &[ILYA]);
        with.bridge.refuses(ILYA, 410, "customer_erased");
        let ticket = ticket_of_ilya(&with).await;
        let ann = viewer(&with.app, Role::Line1).await;
        assert_eq!(ann.get(&format!("{ticket}/card")).await.expect(200), json!({ "state": "erased" }));
        assert_eq!(state_of(&ann, &ticket).await, "erased");
        let asked = with.bridge.asked().len();
        assert_eq!(ann.get(&format!("{ticket}/card")).await.expect(200), json!({ "state": "erased" }));
        assert_eq!(with.bridge.asked().len(), asked, "the bridge is not asked about an erased customer again");
        ann.put(&format!("{ticket}/customer"), json!({ "customer_ref": ILYA })).await.problem(422, "invalid");
    }

    async fn customers_that_were_erased_or_merged_in_the_crm_are_followed_to_their_tickets(with: WithBridge) {
        with.bridge.knows("ilya@volga.example", &[ILYA]);
        let (first, second) = (ticket_of_ilya(&with).await, ticket_of_ilya(&with).await);
        with.bridge.knows("ilya@volga.example", &[ILYA, IRINA]);
        let third = ticket_of_ilya(&with).await;
        let ann = viewer(&with.app, Role::Line1).await;
        let merged = json!({ "number": 3, "customer_ref": ILYA, "change": { "kind": "merged", "into": IRINA } });
        with.bridge.tells(std::slice::from_ref(&merged));
        with.bridge.shows(IRINA, "Irina Sorin");
        assert_eq!(follow_customers(&with.app.app, "job_1").await.unwrap(), 1);
        for ticket in [&first, &second] {
            let card = ann.get(&format!("{ticket}/card")).await.expect(200);
            assert_eq!(card["card"]["customer_ref"], IRINA, "{card}");
        }
        let candidates = ann.get(&format!("{third}/card")).await.expect(200)["candidates"].clone();
        assert_eq!(candidates.as_array().unwrap().len(), 1, "{candidates}");
        assert_eq!(candidates[0]["customer_ref"], IRINA);
        let history = ann.get(&format!("{first}/history")).await.expect(200);
        assert_eq!(history["items"][0]["kind"], "customer_merged", "{history}");

        assert_eq!(follow_customers(&with.app.app, "job_2").await.unwrap(), 0, "each change is followed once");
        let erased = json!({ "number": 9, "customer_ref": IRINA, "change": { "kind": "erased" } });
        with.bridge.tells(&[merged, erased]);
        assert_eq!(follow_customers(&with.app.app, "job_3").await.unwrap(), 1);
        assert_eq!(ann.get(&format!("{first}/card")).await.expect(200), json!({ "state": "erased" }));
        assert_eq!(state_of(&ann, &second).await, "erased");
        let asked: Vec<u64> = with.bridge.asked().iter().filter_map(|asked| asked.question["after"].as_u64()).collect();
        assert_eq!(asked, [0, 3, 3, 3, 9]);
    }

    async fn a_customer_who_is_merged_into_themselves_or_in_a_circle_is_followed_once(with: WithBridge) {
        with.bridge.knows("ilya@volga.example", &[ILYA]);
        let ticket = ticket_of_ilya(&with).await;
        let ann = viewer(&with.app, Role::Line1).await;
        let merged = |number: u64, old: &str, new: &str| {
            json!({ "number": number, "customer_ref": old, "change": { "kind": "merged", "into": new } })
        };
        with.bridge.tells(&[merged(3, ILYA, ILYA), merged(4, ILYA, IRINA), merged(5, IRINA, ILYA)]);
        with.bridge.shows(ILYA, "Ilya Sorin");
        let following = follow_customers(&with.app.app, "job_1");
        let followed = tokio::time::timeout(std::time::Duration::from_secs(20), following).await;
        assert_eq!(followed.unwrap().unwrap(), 3, "it ends");
        assert_eq!(ann.get(&format!("{ticket}/card")).await.expect(200)["card"]["customer_ref"], ILYA);
        assert_eq!(follow_customers(&with.app.app, "job_2").await.unwrap(), 0);
    }

    async fn what_the_crm_says_of_a_customer_does_not_move_a_ticket_in_the_list(with: WithBridge) {
        with.bridge.knows("ilya@volga.example", &[ILYA]);
        let ticket = ticket_of_ilya(&with).await;
        let ann = viewer(&with.app, Role::Line1).await;
        let updated = async || ann.get(&ticket).await.expect(200)["updated_at"].clone();
        let linked = ann.get(&ticket).await.expect(200);
        assert_eq!((&linked["customer"]["state"], &linked["version"]), (&json!("linked"), &json!(2)));
        with.app.advance_s(60);
        let merged = json!({ "number": 3, "customer_ref": ILYA, "change": { "kind": "merged", "into": IRINA } });
        with.bridge.tells(&[merged]);
        assert_eq!(follow_customers(&with.app.app, "job_1").await.unwrap(), 1);
        assert_eq!(updated().await, linked["created_at"]);
        ann.delete(&format!("{ticket}/customer")).await.expect(200);
        assert_ne!(updated().await, linked["created_at"], "an operator's choice counts as work on the ticket");
    }

    async fn a_bridge_that_is_down_stops_no_ticket_and_is_asked_again(with: WithBridge) {
        let mut with = with;
        with.bridge.knows("ilya@volga.example", &[ILYA]);
        with.bridge.shows(ILYA, "Ilya");
        with.bridge.go_down().await;
        let ticket = ticket_of_ilya(&with).await;
        let ann = viewer(&with.app, Role::Line1).await;
        assert_eq!(ann.get(&format!("{ticket}/card")).await.expect(200), json!({ "state": "pending" }));
        let again = ann.post(&format!("{ticket}/customer/resolve"), json!({ "email": "ilya@volga.example" })).await;
        again.problem(503, "customer_data_unavailable");
        with.bridge.come_up();
        assert_eq!(with.app.run_jobs().await, 0, "a failed job rests first");
        with.app.advance_s(1);
        assert_eq!(with.app.run_jobs().await, 1);
        assert_eq!(ann.get(&format!("{ticket}/card")).await.expect(200)["state"], "card");
        with.bridge.go_down().await;
        assert_eq!(ann.get(&format!("{ticket}/card")).await.expect(200), json!({ "state": "unavailable" }));
        let reveal = ann.post(&format!("{ticket}/card/reveal"), json!({ "key": "person.phone" })).await;
        reveal.problem(503, "customer_data_unavailable");
    }

    async fn an_answer_outside_the_contract_reaches_nobody(with: WithBridge) {
        with.bridge.knows("ilya@volga.example", &[ILYA]);
        let ticket = ticket_of_ilya(&with).await;
        let ann = viewer(&with.app, Role::Line1).await;
        let card = |field: &str| {
            format!(
                r#"{{"version":1,"customer_ref":"{ILYA}","policy":{{"number":1,"hash":"{}"}},"as_of":"2026-11-21T09:00:00Z","stale":false,"fields":[{field}]}}"#,
                "0".repeat(64)
            )
        };
        let right = r#"{"key":"person.name","label":"Name","value":{"kind":"text","value":"MARKER"}}"#;
        for (status, body) in [
            (200, card(r#"{"key":"person.name","label":"Name","value":{"kind":"money","value":"MARKER"}}"#)),
            (200, card(r#"{"key":"deal.amount","label":"Name","value":{"kind":"text","value":"MARKER"}}"#)),
            (200, card(right).replace("\"stale\"", "\"deals\":[\"MARKER\"],\"stale\"")),
            (200, card(right).replace("\"version\":1", "\"version\":2")),
            (200, card(right).replace(ILYA, IRINA)),
            (200, "<html>MARKER</html>".to_owned()),
            (200, card(right) + &" ".repeat(70_000)),
            (302, "MARKER".to_owned()),
            (500, "MARKER".to_owned()),
            (404, r#"{"code":"something_new","detail":"MARKER"}"#.to_owned()),
        ] {
            with.bridge.answers_everything_with(status, body.clone());
            let answer = ann.get(&format!("{ticket}/card")).await;
            assert_eq!(answer.expect(200), json!({ "state": "unavailable" }), "{status} {body}");
        }
        with.bridge.answers_everything_with(200, card(right));
        assert_eq!(ann.get(&format!("{ticket}/card")).await.expect(200)["state"], "card", "the right answer passes");
    }

    async fn a_spent_viewing_budget_is_told_as_such(with: WithBridge) {
        with.bridge.knows("ilya@volga.example", &[ILYA]);
        with.bridge.refuses(ILYA, 429, "viewing_budget_spent");
        let ticket = ticket_of_ilya(&with).await;
        let ann = viewer(&with.app, Role::Line1).await;
        ann.get(&format!("{ticket}/card")).await.problem(429, "customer_data_unavailable");
    }

    async fn a_bridge_with_another_key_shows_nothing_and_the_log_says_why(with: WithBridge) {
        with.bridge.knows("ilya@volga.example", &[ILYA]);
        with.bridge.shows(ILYA, "Ilya");
        let ticket = ticket_of_ilya(&with).await;
        with.app.expect_error("check its verify_key_file");
        let ann = viewer(&with.app, Role::Line1).await;
        for code in ["token_invalid", "grant_refused"] {
            with.bridge.answers_everything_with(403, json!({ "code": code }).to_string());
            assert_eq!(ann.get(&format!("{ticket}/card")).await.expect(200), json!({ "state": "unavailable" }));
        }
        with.bridge.recovers();
        // A token lives for a minute; the bridge's clock is far ahead.
        with.bridge.lives_in_the_future();
        assert_eq!(ann.get(&format!("{ticket}/card")).await.expect(200), json!({ "state": "unavailable" }));
    }

    async fn what_nobody_can_be_looked_up_by_finds_nobody(with: WithBridge) {
        with.bridge.answers_everything_with(422, r#"{"code":"lookup_missing"}"#);
        let ticket = ticket_of_ilya(&with).await;
        assert_eq!(state_of(&with.app.as_line1(), &ticket).await, "none");
    }

    async fn a_program_with_the_scope_is_shown_the_card_of_its_role(with: WithBridge) {
        with.bridge.knows("ilya@volga.example", &[ILYA]);
        with.bridge.shows(ILYA, "Ilya");
        let ticket = ticket_of_ilya(&with).await;
        let program = with.app.with_key(&[KeyScope::TicketsRead, KeyScope::CardsRead], Role::Line1).await;
        assert_eq!(program.get(&format!("{ticket}/card")).await.expect(200)["state"], "card");
    }

    async fn administrators_and_programs_without_the_scope_see_no_card(with: WithBridge) {
        with.bridge.knows("ilya@volga.example", &[ILYA]);
        with.bridge.shows(ILYA, "Ilya");
        let (ticket, asked) = (ticket_of_ilya(&with).await, with.bridge.asked().len());
        let admin = with.app.as_admin();
        assert_eq!(admin.get(&format!("{ticket}/card")).await.expect(200), json!({ "state": "withheld" }));
        let reveal = format!("{ticket}/card/reveal");
        admin.post(&reveal, json!({ "key": "person.phone" })).await.problem(403, "forbidden");
        let program = with.app.with_key(&[KeyScope::TicketsRead, KeyScope::TicketsWrite], Role::Supervisor).await;
        program.get(&format!("{ticket}/card")).await.problem(403, "forbidden");
        program.post(&reveal, json!({ "key": "person.phone" })).await.problem(403, "forbidden");
        with.app.as_nobody().get(&format!("{ticket}/card")).await.problem(401, "not_signed_in");
        assert_eq!(with.bridge.asked().len(), asked, "the bridge hears of none of this");
        let supervisor = viewer(&with.app, Role::Supervisor).await;
        assert_eq!(supervisor.get(&format!("{ticket}/card")).await.expect(200)["state"], "card");
    }

    async fn a_question_that_never_gets_an_answer_is_put_aside(with: WithBridge) {
        let with = with;
        with.app.expect_error("a job was given up");
        with.bridge.answers_everything_with(503, r#"{"code":"crm_unavailable"}"#);
        let ticket = ticket_of_ilya(&with).await;
        for _ in 1..ATTEMPTS_MAX {
            with.app.advance_s(3600);
            assert_eq!(with.app.run_jobs().await, 1);
        }
        with.app.advance_s(3600);
        assert_eq!(with.app.run_jobs().await, 0);
        let counts = with.app.app.store.read(&Actor::system(), jobs::counts).await.unwrap();
        assert_eq!((counts.waiting, counts.dead), (0, 1));
        assert_eq!(with.bridge.asked().len(), usize::try_from(ATTEMPTS_MAX).unwrap());
        with.bridge.recovers();
        let reader = with.app.with_key(&[KeyScope::TicketsRead], Role::Line1).await;
        assert_eq!(state_of(&reader, &ticket).await, "pending");
    }

    async fn without_a_bridge_nobody_is_a_customer(app: TestApp) {
        let body = json!({ "subject": "x", "text": "y", "requester": { "name": "Ilya", "email": "ilya@volga.example" } });
        let ticket = app.as_line1().post("/tickets", body).await.expect(201);
        app.run_jobs().await;
        let ann = viewer(&app, Role::Line1).await;
        let card = ann.get(&format!("/tickets/{}/card", ticket["number"])).await.expect(200);
        assert_eq!(card, json!({ "state": "none" }));
    }
}
