//! Merges that lead in circles or on and on, in all shapes in which a CRM tells of them.

use bridge_contract::ViewerRole;
use crm_bridge::app::sync::run_due;
use db_kit::testing::block_on;
use db_kit::{Backend, both_databases};
use serde_json::{Value, json};

use crate::followed::changes;
use crate::registry::Registry;
use crate::support::{Town, field};

/// How a CRM says that the first was merged into the second.
type Merge = fn(&Registry, &str, &str);

fn names_its_master(registry: &Registry, old: &str, new: &str) {
    registry.set(old, "master", json!(new));
}

/// As HubSpot: who stays answers for both, and lists the other.
fn is_listed_by_its_master(registry: &Registry, old: &str, new: &str) {
    registry.set(old, "answers", json!(new));
    registry.set(new, "merged_ids", json!(old));
}

const SHAPES: [Merge; 2] = [names_its_master, is_listed_by_its_master];

async fn audit_entries(town: &Town) -> u64 {
    town.bridge.store.verify_audit(&[], None).await.unwrap().entries
}

async fn card(town: &Town, ticket: u64, customer_ref: &str) -> (u16, Value) {
    town.card(ticket, customer_ref, ViewerRole::Line3).await
}

async fn plan_of(town: &Town, backend: Backend, query: &str) -> String {
    use diesel::prelude::*;
    #[derive(QueryableByName)]
    struct OfSqlite {
        #[diesel(sql_type = diesel::sql_types::Text)]
        detail: String,
    }
    #[derive(QueryableByName)]
    struct OfPostgres {
        #[diesel(sql_type = diesel::sql_types::Text, column_name = "QUERY PLAN")]
        detail: String,
    }
    let query = query.to_owned();
    let plan = town.database.read(move |conn| {
        let lines: Vec<String> = match backend {
            Backend::Sqlite => {
                let steps =
                    diesel::sql_query(format!("EXPLAIN QUERY PLAN {query}")).load::<OfSqlite>(conn)?;
                steps.into_iter().map(|step| step.detail).collect()
            }
            Backend::Postgres => {
                // A table with few rows is read as a whole, index or not.
                diesel::sql_query("SET enable_seqscan = off").execute(conn)?;
                let steps = diesel::sql_query(format!("EXPLAIN {query}")).load::<OfPostgres>(conn)?;
                steps.into_iter().map(|step| step.detail).collect()
            }
        };
        Ok::<_, db_kit::DbError>(lines.join("\n"))
    });
    plan.await.unwrap()
}

both_databases! {
    async fn who_was_merged_into_somebody_is_found_by_an_index(backend: Backend) {
        let (_registry, town) = Registry::with_town(backend).await;
        let several = match backend {
            Backend::Sqlite => "merged_into IN ('a', 'b') AND customer_ref NOT IN ('a', 'b')",
            Backend::Postgres => "merged_into = ANY('{a,b}') AND customer_ref != ALL('{a,b}')",
        };
        for query in [
            format!("SELECT customer_ref FROM customers WHERE {several}"),
            "UPDATE customers SET merged_into = 'b' WHERE customer_ref = 'a' OR merged_into = 'a'".to_owned(),
        ] {
            let plan = plan_of(&town, backend, &query).await;
            assert!(plan.contains("customers_by_merged_into"), "{query}\n{plan}");
        }
    }

    async fn two_records_that_name_each_other_as_merged_write_nothing_and_leave_the_kept_card(backend: Backend) {
        for merge in SHAPES {
            let (registry, town) = Registry::with_town(backend).await;
            registry.has(&["a", "b", "c"]);
            let customer_ref = town.matched(1, "a@x.example").await;
            town.matched(2, "b@x.example").await;
            merge(&registry, "a", "b");
            merge(&registry, "b", "a");
            town.later();
            let (asked, before) = (registry.asked_for_one(), audit_entries(&town).await);
            let (status, shown) = card(&town, 1, &customer_ref).await;
            assert_eq!((status, &shown["stale"]), (200, &json!(true)), "{shown}");
            assert_eq!(field(&shown, "person.name")["value"], "Person a");
            assert_eq!(registry.asked_for_one() - asked, 2, "each of the two once");
            assert_eq!(changes(&town, 0).await, Vec::<Value>::new());
            assert_eq!(audit_entries(&town).await - before, 1, "the look");
            // When nothing is kept any more it is said why.
            town.clock.advance_ms(604_801_000);
            let (status, problem) = card(&town, 1, &customer_ref).await;
            assert_eq!((status, &problem["reason"]), (503, &json!("merge_loop")), "{problem}");
        }
    }

    async fn a_chain_of_merges_is_followed_to_its_end_in_one_step_and_an_endless_one_is_not(backend: Backend) {
        let ids = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let (registry, town) = Registry::with_town(backend).await;
        registry.has(&ids);
        let first = town.matched(1, "a@x.example").await;
        let second = town.matched(2, "b@x.example").await;
        registry.merged(&ids);
        town.later();
        let (status, shown) = card(&town, 2, &second).await;
        assert_eq!(status, 200, "{shown}");
        assert_eq!(field(&shown, "person.name")["value"], "Person j", "eight merges");
        assert_eq!(changes(&town, 0).await.len(), 1);
        let (_, shown) = card(&town, 1, &first).await;
        assert_eq!((&field(&shown, "person.name")["value"], &shown["stale"]), (&json!("Person a"), &json!(true)), "nine");
        assert_eq!(changes(&town, 0).await.len(), 1);
    }
}

#[test]
fn merges_one_after_the_other_lead_from_the_first_reference_to_the_last_customer() {
    block_on(async {
        let ids: Vec<String> = (0..20).map(|number| format!("n{number}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let (registry, town) = Registry::with_town(Backend::Sqlite).await;
        registry.has(&ids);
        let customer_ref = town.matched(1, "n0@x.example").await;
        for two in ids.windows(2) {
            registry.merged(two);
            town.later();
            let (status, shown) = card(&town, 1, &customer_ref).await;
            let name = json!(format!("Person {}", two[1]));
            assert_eq!((status, &field(&shown, "person.name")["value"]), (200, &name), "{shown}");
        }
        assert_eq!(changes(&town, 0).await.len(), 19);
    });
}

#[test]
fn following_a_circle_of_merges_tells_of_it_once_however_often_the_records_come() {
    block_on(async {
        for merge in SHAPES {
            let (registry, town) = Registry::with_town(Backend::Sqlite).await;
            registry.has(&["a", "b", "c"]);
            town.matched(1, "a@x.example").await;
            town.matched(2, "b@x.example").await;
            run_due(&town.bridge).await.unwrap();
            merge(&registry, "a", "b");
            merge(&registry, "b", "a");
            for _ in 0..5 {
                town.clock.advance_ms(60_000);
                run_due(&town.bridge).await.unwrap();
            }
            let told = changes(&town, 0).await;
            assert!(told.len() <= 1, "{told:?}");
            // Put right in the CRM, the last word holds.
            registry.has(&["a", "b"]);
            merge(&registry, "b", "a");
            town.later();
            run_due(&town.bridge).await.unwrap();
            town.later();
            for (ticket, email) in [(3, "a@x.example"), (4, "c@x.example")] {
                let customer_ref = town.matched(ticket, email).await;
                let (status, shown) = card(&town, ticket, &customer_ref).await;
                assert_eq!((status, &shown["stale"]), (200, &json!(false)), "{shown}");
            }
        }
    });
}
