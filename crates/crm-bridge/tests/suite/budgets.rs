//! Wall 4, viewing budgets: how many customers an operator may look at, and what a reason opens.

use bridge_contract::{
    CardQuestion, CustomerRef, Grant, Ground, Purpose, Reason, Version, ViewerId, ViewerRole,
};
use crm_bridge::app::show_card::show_card;
use crm_bridge::start;
use db_kit::Backend;
use db_kit::testing::StartOn;
use serde_json::{Value, json};
use service_kit::Ids;
use service_kit::metrics::Metrics;

use crate::support::{Down, Town, card_grant, sandbox};

pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("BUDGETS__BREAK_GLASS_DAY", "1"),
    ("BUDGETS__LINE1__HOUR_SOFT", "2"),
    ("BUDGETS__LINE1__HOUR_HARD", "3"),
    ("BUDGETS__LINE1__DAY_SOFT", "4"),
    ("BUDGETS__LINE1__DAY_HARD", "5"),
    ("BUDGETS__SUPERVISOR__HOUR_SOFT", "1"),
    ("BUDGETS__SUPERVISOR__HOUR_HARD", "2"),
    ("BUDGETS__PROGRAM__HOUR_SOFT", "1"),
    ("BUDGETS__PROGRAM__HOUR_HARD", "1"),
];

/// A bridge with small budgets, and a customer for each of the tickets 1 to 8.
pub(crate) struct Tight {
    pub(crate) town: Town,
    pub(crate) customers: Vec<String>,
    _crm: actix_web::dev::ServerHandle,
}

impl StartOn for Tight {
    async fn start_on(backend: Backend) -> Self {
        Self::with(backend, SETTINGS).await
    }
}

impl Tight {
    pub(crate) async fn with(backend: Backend, settings: &[(&str, &str)]) -> Self {
        let (url, crm) = sandbox();
        let town = Town::beside(backend, &url, settings, Down::None).await;
        let contacts = town.contacts().await;
        let mut customers = vec![];
        for contact in &contacts {
            let ticket = u64::try_from(customers.len()).unwrap() + 1;
            let question = json!({ "email": contact["email"] });
            let (_, body) = town.resolve(ticket, question).await;
            // Some share an address.
            if let Some(customer_ref) = body["outcome"]["customer_ref"].as_str() {
                customers.push(customer_ref.to_owned());
            }
            if customers.len() == 8 {
                break;
            }
        }
        Self { town, customers, _crm: crm }
    }

    /// Line 1's first operator looks at the customer of that ticket.
    pub(crate) async fn look(&self, ticket: usize) -> (u16, Value) {
        self.look_as("opr_0193aabb", ViewerRole::Line1, ticket).await
    }

    pub(crate) async fn look_as(&self, who: &str, role: ViewerRole, ticket: usize) -> (u16, Value) {
        let (operator, customer_ref) = (ViewerId::new(who).unwrap(), self.reference(ticket));
        self.ask(ticket, Purpose::Card { operator, role, customer_ref }).await
    }

    pub(crate) async fn break_glass(&self, who: &str, ticket: usize) -> (u16, Value) {
        let purpose = Purpose::BreakGlass {
            operator: ViewerId::new(who).unwrap(),
            role: ViewerRole::Line1,
            customer_ref: self.reference(ticket),
            ground: Ground::CustomerWaiting,
            reason: Reason::new("The line stands still and he is on the phone.").unwrap(),
        };
        self.ask(ticket, purpose).await
    }

    fn reference(&self, ticket: usize) -> CustomerRef {
        CustomerRef::new(self.customers[ticket - 1].as_str()).unwrap()
    }

    async fn ask(&self, ticket: usize, purpose: Purpose) -> (u16, Value) {
        let ticket = u64::try_from(ticket).unwrap();
        let body = json!({ "version": 1, "ticket": ticket, "customer_ref": self.customers[usize::try_from(ticket).unwrap() - 1] });
        self.town.ask("/v1/card", &Grant { ticket, purpose }, &body).await
    }

    /// Asks oversight as a supervisor, or as the ticket service itself.
    pub(crate) async fn oversee(&self, ask: Value) -> (u16, Value) {
        let operator = ViewerId::new("opr_50f1a000").unwrap();
        self.oversee_by(Purpose::Oversight { operator, role: ViewerRole::Supervisor }, ask).await
    }

    pub(crate) async fn oversee_by(&self, purpose: Purpose, ask: Value) -> (u16, Value) {
        let body = json!({ "version": 1, "ask": ask });
        self.town.ask("/v1/oversight", &Grant { ticket: 0, purpose }, &body).await
    }

    /// All notices as `about counted/threshold`, the newest first.
    /// How often something was counted, as it is stored.
    pub(crate) async fn tallied(&self, operator: &str, rule: &str) -> i64 {
        use diesel::prelude::*;
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            counted: i64,
        }
        let sql = format!("SELECT counted FROM tallies WHERE operator = '{operator}' AND rule = '{rule}'");
        let row = self
            .town
            .database
            .read(move |conn| diesel::sql_query(sql).get_result::<Row>(conn).map_err(db_kit::DbError::from));
        row.await.unwrap().counted
    }

    pub(crate) async fn notices(&self) -> Vec<String> {
        let ask = json!({ "kind": "notices", "anomalies": false, "open": false });
        let (status, body) = self.oversee(ask).await;
        assert_eq!(status, 200, "{body}");
        let items = body["found"]["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| {
                format!("{} {}/{}", item["about"].as_str().unwrap(), item["counted"], item["threshold"])
            })
            .collect()
    }
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().unwrap_or_default())
}

const SPENT: (u16, &str) = (429, "viewing_budget_spent");

db_kit::both_databases! {
    async fn beyond_soft_the_card_says_so_and_beyond_hard_there_is_none(tight: Tight) {
        for ticket in [1, 2] {
            let (status, card) = tight.look(ticket).await;
            assert_eq!((status, &card["budget"]), (200, &Value::Null), "{card}");
        }
        let (status, card) = tight.look(3).await;
        // The clock stands at 09:12.
        assert_eq!(status, 200);
        let resets_at = card["budget"]["resets_at"].as_str().unwrap().to_owned();
        assert_eq!(card["budget"], json!({ "window": "hour", "used": 3, "soft": 2, "hard": 3, "resets_at": resets_at }));
        let refused = tight.look(4).await;
        assert_eq!(code(&refused), SPENT);
        assert_eq!(refused.1["reason"], "hour");
        assert!(refused.1["detail"].as_str().unwrap().contains("break the glass"));
        assert_eq!(tight.notices().await, ["hour_hard 3/3", "hour_soft 3/2"]);
        let again = tight.look(4).await;
        assert_eq!(code(&again), SPENT);
        assert_eq!(tight.notices().await.len(), 2, "the same is told once");
        assert_eq!(tight.look(1).await.0, 200, "who was looked at before stays in sight");
    }

    async fn a_refusal_says_when_to_come_back_and_is_on_the_record(tight: Tight) {
        for ticket in 1..=3 {
            tight.look(ticket).await;
        }
        let grant = card_grant(4, &tight.customers[3], ViewerRole::Line1);
        let body = json!({ "version": 1, "ticket": 4, "customer_ref": tight.customers[3] });
        let request = tight.town.http.post(format!("{}/v1/card", tight.town.url)).json(&body);
        let answer = request.bearer_auth(tight.town.token(&grant)).send().await.unwrap();
        let wait_s: i64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        let left_ms = 3_600_000 - tight.town.clock.now().ms().rem_euclid(3_600_000);
        assert_eq!((answer.status().as_u16(), wait_s), (429, (left_ms + 999) / 1_000));
        assert_eq!(tight.town.looks().await.last().unwrap(), "look.refused opr_0193aabb 4 role=line1 reason=budget_spent");
        let (_, page) = tight.oversee(json!({ "kind": "looks", "ticket": 4 })).await;
        assert_eq!(page["found"]["items"][0]["action"], "refused", "{page}");
        tight.town.clock.advance_ms(wait_s * 1_000);
        assert_eq!(tight.look(4).await.0, 200, "the promise is kept");
    }

    async fn an_hour_ends_at_the_full_hour_and_a_day_at_midnight(tight: Tight) {
        for ticket in 1..=3 {
            assert_eq!(tight.look(ticket).await.0, 200);
        }
        tight.town.clock.advance_ms(3_600_000);
        let (_, known) = tight.look(1).await;
        assert_eq!(known["budget"], Value::Null, "a known customer costs a place in the new hour and none in the day");
        assert_eq!(tight.look(4).await.0, 200);
        let (_, fifth) = tight.look(5).await;
        assert_eq!((&fifth["budget"]["window"], &fifth["budget"]["used"]), (&json!("hour"), &json!(3)));
        tight.town.clock.advance_ms(3_600_000);
        let spent = tight.look(6).await;
        assert_eq!((code(&spent), spent.1["reason"].as_str()), (SPENT, Some("day")));
        assert_eq!(tight.look(5).await.0, 200, "the day knows whom it has paid for");
        assert!(tight.notices().await.contains(&"day_hard 5/5".to_owned()));
        tight.town.clock.advance_ms(86_400_000);
        assert_eq!(tight.look(6).await.0, 200);
    }

    async fn two_questions_at_once_at_the_last_place_give_one_card(tight: Tight) {
        for ticket in [1, 2] {
            tight.look(ticket).await;
        }
        // Cards that have to be asked for are counted when they come, cards that are kept at once: both ways.
        for stale in [false, true] {
            if stale {
                tight.town.clock.advance_ms(3_600_000);
                tight.look(1).await;
                tight.look(2).await;
                tight.town.bridge.store.forget_cards_before(tight.town.clock.now().plus_ms(1)).await.unwrap();
            }
            let answers = futures_util::future::join_all([3, 4, 5, 6].map(|ticket| tight.look(ticket))).await;
            let mut codes: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
            codes.sort_unstable();
            assert_eq!(codes, [200, 429, 429, 429], "stale: {stale}");
        }
    }

    async fn starting_again_resets_nothing(tight: Tight) {
        for ticket in 1..=3 {
            tight.look(ticket).await;
        }
        let town = &tight.town;
        let ids = Ids::seeded(town.clock.clone(), 99);
        let database = town.database.database().clone();
        let again = start::bridge(&town.config, database, town.clock.clone(), ids, &Metrics::new("again")).unwrap();
        let customer_ref = CustomerRef::new(tight.customers[3].as_str()).unwrap();
        let question = CardQuestion { version: Version, ticket: 4, customer_ref };
        let error = show_card(&again, &card_grant(4, &tight.customers[3], ViewerRole::Line1), &question, "req").await;
        assert!(error.unwrap_err().to_string().contains("budget is spent"));
    }

    async fn another_roles_grant_widens_nothing(tight: Tight) {
        for ticket in 1..=3 {
            tight.look(ticket).await;
        }
        let refused = tight.look_as("opr_0193aabb", ViewerRole::Line3, 4).await;
        assert_eq!(code(&refused), SPENT, "line 3 may see fifty, but the day began in line 1");
        assert_eq!(tight.look_as("opr_0c0113a9", ViewerRole::Line3, 4).await.0, 200, "a colleague has a budget of their own");
    }

    async fn a_supervisors_own_looks_and_a_programs_count_too(tight: Tight) {
        let supervisor = |ticket| tight.look_as("opr_50f1a000", ViewerRole::Supervisor, ticket);
        assert_eq!([supervisor(1).await.0, supervisor(2).await.0, supervisor(3).await.0], [200, 200, 429]);
        let program = |ticket| tight.look_as("key_0193aabb", ViewerRole::Line3, ticket);
        assert_eq!([program(1).await.0, program(2).await.0, program(1).await.0], [200, 429, 200]);
        let (status, refused) = tight.break_glass("key_0193aabb", 3).await;
        assert_eq!((status, refused["code"].as_str()), (403, Some("grant_refused")), "programs have no reasons");
    }

    async fn a_reason_opens_one_more_card_and_supervisors_are_told(tight: Tight) {
        for ticket in 1..=3 {
            tight.look(ticket).await;
        }
        let (status, card) = tight.break_glass("opr_0193aabb", 4).await;
        assert_eq!((status, &card["budget"]["used"]), (200, &json!(4)), "{card}");
        assert_eq!(tight.look(4).await.0, 200, "whoever was shown with a reason stays in sight");
        assert_eq!(code(&tight.look(5).await), SPENT);
        assert_eq!(code(&tight.break_glass("opr_0193aabb", 5).await), (429, "break_glass_spent"));
        let (_, page) = tight.oversee(json!({ "kind": "notices", "anomalies": false, "open": true })).await;
        let told = page["found"]["items"].as_array().unwrap();
        let glass = told.iter().find(|notice| notice["about"] == "break_glass").unwrap();
        assert_eq!((&glass["operator"], &glass["ticket"], &glass["customer_ref"]), (&json!("opr_0193aabb"), &json!(4), &json!(tight.customers[3])));
        assert_eq!(glass["break_glass"]["ground"], "customer_waiting");
        let (_, page) = tight.oversee(json!({ "kind": "looks", "ticket": 4 })).await;
        let why = &page["found"]["items"][0]["break_glass"]["reason"];
        assert_eq!(why, "The line stands still and he is on the phone.", "{page}");
    }

    async fn a_reason_that_is_not_needed_costs_nothing_and_tells_nobody(tight: Tight) {
        assert_eq!(tight.break_glass("opr_0193aabb", 1).await.0, 200);
        assert_eq!(tight.notices().await, [] as [&str; 0]);
        let (_, page) = tight.oversee(json!({ "kind": "budgets" })).await;
        let budget = &page["found"]["items"][0];
        assert_eq!((&budget["hour"]["used"], &budget["break_glass"]), (&json!(1), &json!({ "used": 0, "soft": 1, "hard": 1 })));
    }

    async fn without_a_reason_no_glass_breaks(tight: Tight) {
        let token = |reason: Value| {
            let purpose = json!({ "kind": "break_glass", "operator": "opr_0193aabb", "role": "line1", "ground": "other",
                "customer_ref": tight.customers[0], "reason": reason });
            tight.town.sign(&json!({ "ticket": 1, "purpose": purpose }))
        };
        let body = json!({ "version": 1, "ticket": 1, "customer_ref": tight.customers[0] }).to_string();
        for reason in [Value::Null, json!(""), json!("too short"), json!("x".repeat(301))] {
            let answer = tight.town.ask_with("/v1/card", Some(&token(reason.clone())), body.clone()).await;
            assert_eq!(code(&answer), (401, "token_invalid"), "{reason}");
        }
        let answer = tight.town.ask_with("/v1/card", Some(&token(json!("ten chars!"))), body.clone()).await;
        assert_eq!(answer.0, 200);
    }

    async fn a_card_that_never_came_costs_nothing(tight: Tight) {
        tight.town.bridge.store.forget_cards_before(tight.town.clock.now().plus_ms(1)).await.unwrap();
        tight.town.behave(json!({ "fault": { "kind": "status", "status": 500 } })).await;
        for ticket in 1..=4 {
            assert_eq!(tight.look(ticket).await.0, 503);
        }
        let (_, page) = tight.oversee(json!({ "kind": "budgets" })).await;
        assert_eq!(page["found"]["items"], json!([]));
    }
}
