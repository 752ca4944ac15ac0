//! The one leak of the bridge's table (`crm-bridge/src/walls.json`) whose walls stand here: a ticket, and with it the card of
//! its customer, for somebody whom the ticket does not concern. Neither wall has a switch, so each is asked by itself.

use db_kit::both_databases;
use serde_json::{Value, json};
use ticket_service::domain::{Actor, Role, TicketNumber};
use ticket_service::store::Scope;
use ticket_service::store::tickets::{self, Direction, Filter, SortKey};

use crate::support::TestApp;

const TABLE: &str = include_str!("../../../crm-bridge/src/walls.json");

both_databases! {
    async fn a_ticket_out_of_reach_is_held_by_the_query_and_by_the_rule_alone(app: TestApp) {
        let body = json!({ "subject": "Coupling stuck", "text": "The line stops.",
            "requester": { "name": "A visitor", "email": "visitor@x.example" } });
        let number = app.as_operator("opr_ann").post("/tickets", body).await.expect(201)["number"].as_i64().unwrap();
        app.leave_jobs();
        let stranger = Actor::operator("opr_stranger", "Somebody of line 3", Role::Line3);
        // A query without reach, as the system's own is, finds the ticket: there is something to hold back.
        let find = move |scope: &mut Scope<'_>| tickets::find(scope, TicketNumber(number));
        let row = app.app.store.read(&Actor::system(), find).await.unwrap();
        let mut held = Vec::new();
        let order = (SortKey::Created, Direction::Descending);
        let page = move |scope: &mut Scope<'_>| tickets::page(scope, &Filter::default(), order, None, 100);
        if app.app.store.read(&stranger, page).await.unwrap().is_empty() {
            held.push("reach");
        }
        if !tickets::is_within(&stranger, &row) {
            held.push("rule");
        }
        let table: Value = serde_json::from_str(TABLE).unwrap();
        let leaks = table["leaks"].as_array().unwrap();
        let known = leaks.iter().find(|leak| leak["id"] == "ticket_out_of_reach").unwrap();
        assert_eq!(known["held_alone_by"], json!(held));
    }
}
