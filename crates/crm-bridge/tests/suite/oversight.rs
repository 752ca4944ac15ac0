//! What supervisors see and are told, and which patterns are found.

use bridge_contract::{CustomerRef, FieldKey, Grant, Purpose, ViewerId, ViewerRole};
use crm_bridge::store::oversight::Meter;
use db_kit::Backend;
use db_kit::testing::StartOn;
use serde_json::{Value, json};

use crate::budgets::Tight;

/// Wide budgets, low thresholds, office hours until ten in the morning.
struct Watched(Tight);

impl StartOn for Watched {
    async fn start_on(backend: Backend) -> Self {
        let settings = [
            ("OVERSIGHT__ANOMALIES__MISSES_HOUR_MAX", "2"),
            ("OVERSIGHT__ANOMALIES__FORM_MISSES_HOUR_MAX", "3"),
            ("OVERSIGHT__ANOMALIES__NEIGHBOURS_MAX", "4"),
            ("OVERSIGHT__ANOMALIES__REVEALS_HOUR_MAX", "2"),
            ("OVERSIGHT__ANOMALIES__UNKNOWN_HOUR_MAX", "2"),
            ("OVERSIGHT__ANOMALIES__OUTSIDE_DAY_MAX", "1"),
            ("OVERSIGHT__USUAL_HOURS", "07:00-21:00"),
        ];
        Self(Tight::with(backend, &settings).await)
    }
}

fn kinds(notices: &[String]) -> Vec<&str> {
    notices.iter().map(|notice| notice.split(' ').next().unwrap()).collect()
}

db_kit::both_databases! {
    async fn a_page_says_who_looked_at_whom_for_which_ticket_and_at_which_fields(tight: Tight) {
        tight.look(1).await;
        tight.look(1).await;
        tight.look_as("opr_0c0113a9", ViewerRole::Supervisor, 1).await;
        tight.look(2).await;
        let (status, page) = tight.oversee(json!({ "kind": "looks" })).await;
        let items = page["found"]["items"].as_array().unwrap();
        assert_eq!((status, items.len()), (200, 3), "looking again is no new line: {page}");
        let oldest = &items[2];
        assert_eq!((&oldest["operator"], &oldest["role"], &oldest["ticket"], &oldest["action"]), (&json!("opr_0193aabb"), &json!("line1"), &json!(1), &json!("card")));
        assert_eq!((&oldest["customer_ref"], &oldest["policy"]), (&json!(tight.customers[0]), &json!(tight.town.bridge.policy.number)));
        assert!(oldest["fields"].as_array().unwrap().contains(&json!("person.name")), "{oldest}");
        for (narrow, count) in [
            (json!({ "kind": "looks", "ticket": 1 }), 2),
            (json!({ "kind": "looks", "operator": "opr_0193aabb" }), 2),
            (json!({ "kind": "looks", "customer_ref": tight.customers[1] }), 1),
            (json!({ "kind": "looks", "operator": "opr_0193aabb", "ticket": 1 }), 1),
            (json!({ "kind": "looks", "before": items[1]["id"] }), 1),
            (json!({ "kind": "looks", "ticket": 99 }), 0),
        ] {
            let (_, page) = tight.oversee(narrow.clone()).await;
            assert_eq!(page["found"]["items"].as_array().unwrap().len(), count, "{narrow}");
        }
    }

    async fn of_an_erased_customer_stays_that_somebody_looked_and_not_at_whom(tight: Tight) {
        tight.look(1).await;
        tight.look(2).await;
        let gone = CustomerRef::new(tight.customers[0].clone()).unwrap();
        tight.town.bridge.store.erase(&gone, tight.town.clock.now()).await.unwrap();
        let (_, page) = tight.oversee(json!({ "kind": "looks" })).await;
        let refs: Vec<_> = page["found"]["items"].as_array().unwrap().iter().map(|item| item["customer_ref"].clone()).collect();
        assert_eq!(refs, [json!(tight.customers[1]), json!(bridge_contract::ERASED_CUSTOMER)], "{page}");
        let (_, page) = tight.oversee(json!({ "kind": "budgets" })).await;
        assert_eq!(page["found"]["items"][0]["day"]["used"], 2, "what it cost stays: {page}");
        let rows = tight.town.rows_with(gone.as_str(), &["looks", "notices", "viewed_customers"]).await;
        assert_eq!(rows, 0);
    }

    async fn looks_are_found_by_their_day(tight: Tight) {
        tight.look(1).await;
        let midnight = "2026-11-22T00:00:00Z";
        tight.town.clock.advance_ms(86_400_000);
        tight.look(2).await;
        for (narrow, ticket) in [("until", 1), ("from", 2)] {
            let (_, page) = tight.oversee(json!({ "kind": "looks", narrow: midnight })).await;
            let tickets: Vec<_> = page["found"]["items"].as_array().unwrap().iter().map(|item| item["ticket"].clone()).collect();
            assert_eq!(tickets, [json!(ticket)], "{narrow}");
        }
    }

    async fn misses_that_come_at_once_are_all_counted_the_first_ones_too(tight: Tight) {
        let bridge = &tight.town.bridge;
        let meter = Meter {
            rules: bridge.rules.clone(),
            now: tight.town.clock.now(),
            policy: 1,
            glass: None,
            ids: bridge.ids.clone(),
            counts: true,
        };
        for round in 0..6 {
            let operator = ViewerId::new(format!("opr_0193aab{round}")).unwrap();
            // Each on a task and a connection of its own.
            let misses = (0..8).map(|ticket| {
                let (store, operator, meter) = (bridge.store.clone(), operator.clone(), meter.clone());
                tokio::spawn(async move { store.record_miss(Some(operator), ticket, meter).await })
            });
            for miss in futures_util::future::join_all(misses).await {
                miss.unwrap().unwrap();
            }
            let counted = tight.tallied(operator.as_str(), "resolve_misses").await;
            assert_eq!(counted, 8, "round {round}");
        }
    }

    async fn budgets_are_shown_by_operator_as_they_are_now(tight: Tight) {
        for ticket in [1, 2] {
            tight.look(ticket).await;
        }
        tight.look_as("key_0193aabb", ViewerRole::Line2, 1).await;
        tight.town.clock.advance_ms(3_600_000);
        tight.look(3).await;
        let (_, page) = tight.oversee(json!({ "kind": "budgets" })).await;
        let items = page["found"]["items"].as_array().unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!((&items[0]["operator"], &items[0]["hour"]["used"]), (&json!("key_0193aabb"), &json!(0)), "that hour is over");
        assert_eq!(items[1]["hour"], json!({ "used": 1, "soft": 2, "hard": 3 }));
        assert_eq!(items[1]["day"], json!({ "used": 3, "soft": 4, "hard": 5 }));
        tight.town.clock.advance_ms(86_400_000);
        let (_, page) = tight.oversee(json!({ "kind": "budgets" })).await;
        assert_eq!(page["found"]["items"], json!([]), "nobody has looked at anybody today");
    }

    async fn only_a_supervisor_is_answered_and_each_asker_has_questions_of_their_own(tight: Tight) {
        let operator = || ViewerId::new("opr_0193aabb").unwrap();
        let budgets = json!({ "kind": "budgets" });
        for role in [ViewerRole::Line1, ViewerRole::Line2, ViewerRole::Line3] {
            let (status, body) = tight.oversee_by(Purpose::Oversight { operator: operator(), role }, budgets.clone()).await;
            assert_eq!((status, body["code"].as_str()), (403, Some("grant_refused")));
        }
        let report = json!({ "kind": "report_idle", "operator": "opr_0193aabb", "since": "2026-11-20T00:00:00Z", "counted": 30, "threshold": 20 });
        assert_eq!(tight.oversee(report.clone()).await.0, 403, "a supervisor reports nobody");
        assert_eq!(tight.oversee_by(Purpose::Review {}, budgets).await.0, 403);
        for _ in 0..2 {
            assert_eq!(tight.oversee_by(Purpose::Review {}, report.clone()).await.0, 200);
        }
        assert_eq!(tight.notices().await, ["idle_looks 30/20"], "once for a day");
        let audit = json!({ "kind": "report_audit" });
        assert_eq!(tight.oversee(audit.clone()).await.0, 403);
        for _ in 0..2 {
            assert_eq!(tight.oversee_by(Purpose::Review {}, audit.clone()).await.0, 200);
        }
        assert_eq!(tight.notices().await, ["ticket_audit_failed 0/0", "idle_looks 30/20"], "once a day");
    }

    async fn a_notice_stays_until_a_supervisor_has_seen_it(tight: Tight) {
        for ticket in 1..=3 {
            tight.look(ticket).await;
        }
        tight.break_glass("opr_0193aabb", 4).await;
        let open = json!({ "kind": "notices", "anomalies": false, "open": true });
        let (_, page) = tight.oversee(open.clone()).await;
        assert_eq!(page["found"]["open"], 2, "the soft limit and the glass");
        let glass = page["found"]["items"].as_array().unwrap().iter().find(|notice| notice["about"] == "break_glass").unwrap()["id"].clone();
        let acknowledge = |may_be_own: bool| json!({ "kind": "acknowledge", "notice": glass, "may_be_own": may_be_own });
        let culprit = || Purpose::Oversight { operator: ViewerId::new("opr_0193aabb").unwrap(), role: ViewerRole::Supervisor };
        let (status, body) = tight.oversee_by(culprit(), acknowledge(false)).await;
        assert_eq!((status, body["code"].as_str()), (403, Some("own_notice")));
        tight.town.clock.advance_ms(60_000);
        let (status, body) = tight.oversee(acknowledge(false)).await;
        let seen = body["found"]["notice"]["acknowledged"].clone();
        assert_eq!((status, &seen["by"]), (200, &json!("opr_50f1a000")));
        let (_, body) = tight.oversee_by(culprit(), acknowledge(true)).await;
        assert_eq!(body["found"]["notice"]["acknowledged"], seen, "whoever was first stays");
        let (_, page) = tight.oversee(open).await;
        assert_eq!((&page["found"]["open"], page["found"]["items"].as_array().unwrap().len()), (&json!(1), 1));
        let unknown = json!({ "kind": "acknowledge", "notice": format!("ntc_{}", "0".repeat(32)), "may_be_own": true });
        assert_eq!(tight.oversee(unknown).await.1["code"], "notice_unknown");
    }

    async fn addresses_that_nobody_has_are_counted_for_whom_asked(watched: Watched) {
        let Watched(tight) = watched;
        let miss = |purpose: Purpose, i: u32| {
            let body = json!({ "version": 1, "ticket": 1, "email": format!("nobody{i}@nowhere.example") });
            let (tight, grant) = (&tight, Grant { ticket: 1, purpose });
            async move { assert_eq!(tight.town.ask("/v1/resolve", &grant, &body).await.1["outcome"]["kind"], "none") }
        };
        for i in 0..3 {
            miss(Purpose::LookUp { operator: ViewerId::new("opr_0193aabb").unwrap() }, i).await;
            miss(Purpose::Resolve {}, i).await;
        }
        assert_eq!(tight.notices().await, ["resolve_misses 3/2"]);
        miss(Purpose::Resolve {}, 9).await;
        let (_, page) = tight.oversee(json!({ "kind": "notices", "anomalies": true, "open": true })).await;
        let form = &page["found"]["items"][0];
        assert_eq!((&form["about"], &form["counted"], &form["operator"]), (&json!("resolve_misses"), &json!(4), &Value::Null));
    }

    async fn a_walk_through_ticket_numbers_a_series_of_reveals_and_doors_tried_are_told(watched: Watched) {
        let Watched(tight) = watched;
        for ticket in 1..=4 {
            tight.look(ticket).await;
        }
        assert_eq!(tight.notices().await, [] as [&str; 0]);
        tight.look(5).await;
        assert_eq!(tight.notices().await, ["neighbouring_tickets 5/4"]);
        for ticket in 1..=3 {
            let (status, _) = tight.town.reveal(ticket, &tight.customers[usize::try_from(ticket).unwrap() - 1], ViewerRole::Line1, "person.phone").await;
            assert_eq!(status, 200);
        }
        assert_eq!(kinds(&tight.notices().await), ["reveals_in_series", "neighbouring_tickets"]);
        for ticket in 6..=8 {
            let (status, _) = tight.town.card(ticket, &tight.customers[0], ViewerRole::Line1).await;
            assert_eq!(status, 404);
        }
        assert_eq!(kinds(&tight.notices().await)[0], "unknown_customers");
    }

    async fn cards_outside_of_the_usual_hours_are_told(watched: Watched) {
        let Watched(tight) = watched;
        tight.look(1).await;
        tight.town.clock.advance_ms(13 * 3_600_000);
        tight.look(2).await;
        assert_eq!(tight.notices().await, [] as [&str; 0], "one is no habit");
        tight.look(3).await;
        assert_eq!(tight.notices().await, ["outside_hours 2/1"]);
    }

    async fn nothing_that_oversight_says_is_of_a_customer(tight: Tight) {
        let contacts = tight.town.contacts().await;
        for ticket in 1..=4 {
            tight.look(ticket).await;
        }
        let reference = CustomerRef::new(tight.customers[0].as_str()).unwrap();
        let purpose = Purpose::Reveal { operator: ViewerId::new("opr_0193aabb").unwrap(), role: ViewerRole::Line1, customer_ref: reference, field: FieldKey::new("person.phone").unwrap() };
        let body = json!({ "version": 1, "ticket": 1, "customer_ref": tight.customers[0], "field": "person.phone" });
        tight.town.ask("/v1/reveal", &Grant { ticket: 1, purpose }, &body).await;
        for ask in [json!({ "kind": "looks" }), json!({ "kind": "budgets" }), json!({ "kind": "notices", "anomalies": false, "open": false })] {
            let said = tight.oversee(ask).await.1.to_string();
            for contact in &contacts {
                for member in ["full_name", "email", "phone"] {
                    let value = contact[member].as_str().unwrap_or("none");
                    assert!(!said.contains(value), "{member}");
                }
            }
        }
    }

    async fn old_looks_go_and_open_notices_stay(tight: Tight) {
        for ticket in 1..=3 {
            tight.look(ticket).await;
        }
        tight.town.clock.advance_ms(366 * 86_400_000);
        let bridge = &tight.town.bridge;
        assert_eq!(bridge.store.forget_old_looks(&bridge.rules, tight.town.clock.now()).await.unwrap(), 3);
        let (_, page) = tight.oversee(json!({ "kind": "looks" })).await;
        assert_eq!(page["found"]["items"], json!([]));
        assert_eq!(tight.notices().await, ["hour_soft 3/2"]);
        assert_eq!(tight.look(1).await.0, 200);
    }
}
