//! Following a CRM that is in trouble: with one record, with many at once, or altogether.

use crm_bridge::app::profile_test::{Report, Verdict, profile_test};
use crm_bridge::app::sync::take_hints;
use crm_bridge::connector::ask::{Priority, Question};
use crm_bridge::connector::hook::Hint;
use crm_bridge::policy::Entity;
use db_kit::testing::block_on;
use serde_json::json;

use crate::odd::{Odd, html, status};
use crate::support::field;
use crate::wire::{with_line, with_table};

async fn hint(odd: &Odd, id: &str) {
    let hints = vec![Hint::Changed(Entity::Person, id.to_owned())];
    assert_eq!(take_hints(&odd.town.bridge, hints).await.unwrap(), 1);
}

#[test]
fn one_record_that_can_not_be_read_does_not_stop_the_following_of_the_others() {
    block_on(async {
        for (broken, word) in
            [(status(403), "credentials"), (status(500), "server_error"), (html(), "not_json")]
        {
            let odd = Odd::new(9, false, &[]).await;
            let (seven, eight) = (odd.writes("p7").await, odd.writes("p8").await);
            odd.run_after(0).await.unwrap();
            odd.state.borrow_mut().broken.insert("p7".to_owned(), broken);
            hint(&odd, "p7").await;
            hint(&odd, "p8").await;
            odd.run_after(60).await.unwrap();
            assert_eq!(odd.store().hints_waiting().await.unwrap(), 1, "{word}: the next hint was followed");
            odd.rename("p8", "Renamed", None);
            odd.run_after(60).await.unwrap();
            assert_eq!(odd.name_on_card(&eight).await, "Renamed", "{word}");
            let told = odd.feed("hints").await.trouble;
            assert_eq!(told, Some(format!("{word}, with single records")));
            let metrics = odd.town.metrics.to_text().unwrap();
            assert!(metrics.contains("follow_trouble_seconds{feed=\"hints\"} 60"), "{metrics}");
            assert!(metrics.contains("follow_trouble_seconds{feed=\"person\"} 0"), "{metrics}");
            // In the end it is given up; what is kept of that record is not taken for true after that.
            for _ in 0..20 {
                odd.run_after(60).await.unwrap();
            }
            assert_eq!(odd.store().hints_waiting().await.unwrap(), 0, "{word}");
            assert_eq!(odd.feed("hints").await.records, 1, "{word}");
            odd.run_after(600).await.unwrap();
            odd.run_after(60).await.unwrap();
            assert_eq!(odd.card(&seven).await.1["stale"], true, "{word}");
        }
    });
}

#[test]
fn an_outage_of_the_whole_crm_uses_up_no_hint() {
    block_on(async {
        for away in [status(503), status(403), html(), status(429), Vec::new()] {
            let odd = Odd::new(3, false, &[("LIMITS__FAILURES_MAX", "5")]).await;
            let customer = odd.writes("p1").await;
            odd.run_after(0).await.unwrap();
            odd.rename("p1", "Changed before", Some(crate::odd::EARLIER));
            hint(&odd, "p1").await;
            odd.state.borrow_mut().away = Some(away);
            for _ in 0..60 {
                assert!(odd.run_after(120).await.is_err());
            }
            assert_eq!(odd.store().hints_failing().await.unwrap(), 0);
            assert!(odd.feed("hints").await.trouble.is_some());
            odd.state.borrow_mut().away = None;
            odd.run_after(300).await.unwrap();
            odd.run_after(300).await.unwrap();
            assert_eq!(odd.store().hints_waiting().await.unwrap(), 0, "followed");
            assert_eq!(odd.feed("hints").await.trouble, None);
            assert_eq!(odd.name_on_card(&customer).await, "Changed before");
        }
    });
}

#[test]
fn reconciliation_goes_past_records_that_can_not_be_read() {
    block_on(async {
        for copy in [false, true] {
            let odd = Odd::new(6, copy, &[]).await;
            odd.run_after(0).await.unwrap();
            let mut customers = Vec::new();
            for number in 1..=6 {
                customers.push(odd.writes(&format!("p{number}")).await);
            }
            odd.run_after(60).await.unwrap();
            {
                let mut state = odd.state.borrow_mut();
                for number in 1..=5 {
                    let id = format!("p{number}");
                    state.broken.insert(id.clone(), status(if number % 2 == 0 { 403 } else { 500 }));
                    if number > 1 {
                        state.unlisted.insert(id);
                    }
                }
                state.people.remove("p6");
            }
            let mut erased = 0;
            for _ in 0..3 {
                erased += odd.run_after(90_000).await.unwrap().erased;
            }
            assert_eq!(erased, 1, "copy: {copy}");
            assert_eq!(odd.card(&customers[5]).await.0, 410);
            assert_eq!(odd.card(&customers[1]).await.0, 200, "nobody else is erased");
            let walk = odd.feed("reconcile").await;
            assert!(walk.ended_well_at.is_some() && walk.mark.is_none(), "copy: {copy}");
        }
    });
}

#[test]
fn a_record_that_is_looked_at_again_and_again_does_not_keep_others_from_being_asked_for() {
    block_on(async {
        for broken in [status(403), status(500), html()] {
            let odd = Odd::new(9, false, &[("LIMITS__FAILURES_MAX", "5")]).await;
            let (seven, eight) = (odd.writes("p7").await, odd.writes("p8").await);
            odd.town.later();
            odd.state.borrow_mut().broken.insert("p7".to_owned(), broken);
            for _ in 0..9 {
                let (status, card) = odd.card(&seven).await;
                assert_eq!((status, &card["stale"]), (200, &json!(true)), "{card}");
            }
            assert_eq!(odd.card(&eight).await.1["stale"], false);
            odd.writes("p9").await;
        }
    });
}

#[test]
fn a_feed_that_can_not_be_asked_does_not_stop_the_others() {
    block_on(async {
        // The list of changes is at a wrong place; tombstones, hints and reconciliation go on.
        let odd = Odd::with(4, false, &[], |text| {
            let line = "changed = { get = \"/api/v1/changed\", query = { since = \"{since}\", c = \"{cursor}\", fields = \"{select:comma}\" } }";
            with_line(&text, "changed ", line)
        })
        .await;
        let customer = odd.writes("p1").await;
        assert!(odd.run_after(0).await.is_err());
        odd.state.borrow_mut().people.remove("p1");
        assert!(odd.run_after(90_000).await.is_err());
        assert_eq!(odd.card(&customer).await.0, 410, "reconciled");
        assert_eq!(odd.feed("person").await.trouble.as_deref(), Some("refused"));
        assert!(odd.feed("gone").await.ended_well_at.is_some());
    });
}

/// A CRM that shows four changes of one question at most, two at a time, as HubSpot shows ten thousand.
async fn capped(copy: bool) -> Odd {
    let odd = Odd::with(9, copy, &[], |text| {
        let line = "changed = { get = \"/api/v1/contacts\", query = { updated_since = \"{since}\", limit = \"{size}\", \
                    cursor = \"{cursor}\", fields = \"{select:comma}\" }, \
                    paging = { kind = \"cursor\", next = \"/next_cursor\", size_max = 2, cap = 4 } }";
        with_line(&text, "changed ", line)
    })
    .await;
    odd.state.borrow_mut().cap = Some(4);
    odd
}

async fn all_are_followed(odd: &Odd, customers: &[(u64, String)], name: &str) {
    for customer in customers {
        assert_eq!(odd.name_on_card(customer).await, name, "{customer:?}");
    }
}

#[test]
fn more_changes_than_the_crm_lists_at_once_are_followed_all_the_same() {
    block_on(async {
        for copy in [false, true] {
            let odd = capped(copy).await;
            odd.run_after(0).await.unwrap();
            let mut customers = Vec::new();
            for number in 1..=9 {
                customers.push(odd.writes(&format!("p{number}")).await);
            }
            odd.run_after(60).await.unwrap();
            // Within the overlap, each at a time of its own; then all in one second.
            for (name, apart_ms) in [("First", 1_000), ("Second", 0)] {
                odd.pass(60);
                for number in 1..=9 {
                    let at = odd.town.clock.now().plus_ms(-10_000 + apart_ms * number).to_string();
                    odd.rename(&format!("p{number}"), name, Some(&at));
                }
                odd.run_after(60).await.unwrap();
                assert_eq!(odd.feed("person").await.trouble, None);
                all_are_followed(&odd, &customers, name).await;
            }
            // And it goes on.
            odd.pass(600);
            odd.rename("p3", "Third", None);
            odd.run_after(60).await.unwrap();
            assert_eq!(odd.name_on_card(&customers[2]).await, "Third", "copy: {copy}");
            assert_eq!(odd.feed("reconcile").await.trouble, None);
        }
    });
}

#[test]
fn a_copy_of_far_fewer_customers_than_the_crm_says_that_it_has_is_not_taken_for_complete() {
    block_on(async {
        let odd = Odd::new(10, true, &[]).await;
        odd.state.borrow_mut().total = Some(29);
        for _ in 0..3 {
            odd.run_after(60).await.unwrap();
        }
        assert!(odd.town.bridge.sync.as_ref().unwrap().copy_as_of().is_none());
        let told = odd.feed("copy").await;
        assert_eq!((told.trouble.is_some(), told.records, told.expected), (true, 10, Some(29)));
        odd.state.borrow_mut().total = None;
        for _ in 0..3 {
            odd.run_after(90_000).await.unwrap();
        }
        assert_eq!(odd.feed("copy").await.trouble, None);
        assert!(odd.town.bridge.sync.as_ref().unwrap().copy_as_of().is_some());
    });
}

#[test]
fn the_test_of_a_profile_judges_a_short_list_as_the_copy_does() {
    block_on(async {
        let odd = Odd::new(10, true, &[]).await;
        let test = |total, samples| {
            odd.state.borrow_mut().total = Some(total);
            let (bridge, now) = (&odd.town.bridge, odd.town.clock.now());
            profile_test(&bridge.connector, &bridge.policy, &bridge.phones, samples, now)
        };
        // On one page, and on two.
        for samples in [20, 6] {
            let paging = |report: &Report| {
                let found = report.checks.iter().filter(|check| check.what == "paging");
                found.map(|check| check.verdict).max().unwrap()
            };
            assert_eq!(paging(&test(11, samples).await), Verdict::Note, "a tenth may be missing");
            let short = test(12, samples).await;
            assert_eq!(paging(&short), Verdict::Bad, "{}", short.text("x"));
            assert!(short.text("x").contains("10 of 12 records came"), "{}", short.text("x"));
            assert!(paging(&test(10, samples).await) < Verdict::Note);
        }
        for (total, is_whole) in [(12, false), (11, true)] {
            let odd = Odd::new(10, true, &[]).await;
            odd.state.borrow_mut().total = Some(total);
            odd.run_after(60).await.unwrap();
            assert_eq!(odd.town.bridge.sync.as_ref().unwrap().copy_as_of().is_some(), is_whole, "{total}");
        }
    });
}

#[test]
fn whom_a_fresh_copy_does_not_have_the_crm_is_asked_for() {
    block_on(async {
        let odd = Odd::new(3, true, &[]).await;
        odd.run_after(0).await.unwrap();
        odd.run_after(60).await.unwrap();
        let person = json!({ "id": "p4", "email": "p4@x.example", "full_name": "Just entered", "updated_at": crate::odd::EARLIER });
        odd.state.borrow_mut().people.insert("p4".to_owned(), person);
        let customer = odd.writes("p4").await;
        assert_eq!(odd.name_on_card(&customer).await, "Just entered");
        // While the CRM is away the copy's word is what there is.
        odd.state.borrow_mut().away = Some(status(503));
        let (status, body) = odd.town.resolve(9, json!({ "email": "nobody@x.example" })).await;
        assert_eq!((status, body["outcome"]["kind"].as_str()), (200, Some("none")), "{body}");
        odd.writes("p3").await;
    });
}

/// A CRM whose people name companies that are records of their own.
async fn with_firms() -> Odd {
    let odd = Odd::with(2, false, &[], |text| {
        let company = "[company]\nlink = \"/firm\"\nid = \"/id\"\n\
                       one = { get = \"/firms/{id}\", query = { fields = \"{select:comma}\" } }\n";
        with_table(&text, "company", company)
    })
    .await;
    for person in odd.state.borrow_mut().people.values_mut() {
        person["firm"] = json!("f1");
    }
    odd
}

#[test]
fn a_look_does_not_share_the_question_of_the_sync_which_has_no_company() {
    block_on(async {
        let odd = with_firms().await;
        let question = || Question::ById(Entity::Person, "p1".to_owned());
        let connector = &odd.town.bridge.connector;
        let (sync, look) =
            tokio::join!(connector.ask_as(question(), Priority::Sync), connector.ask(question()));
        let (sync, look) = (sync.unwrap().records[0].values.len(), look.unwrap().records[0].values.len());
        assert!(look > sync, "{look} values with those of the company, {sync} without");
        let (look, sync) =
            tokio::join!(connector.ask(question()), connector.ask_as(question(), Priority::Sync));
        assert!(std::sync::Arc::ptr_eq(&look.unwrap(), &sync.unwrap()), "the sync shares that of a look");
    });
}

#[test]
fn a_card_that_came_without_its_company_is_not_kept_as_if_there_were_none() {
    block_on(async {
        let odd = with_firms().await;
        let customer = odd.writes("p1").await;
        odd.run_after(0).await.unwrap();
        // What was kept has passed its age.
        odd.pass(40 * 86_400);
        odd.run_after(0).await.unwrap();
        odd.rename("p1", "Renamed", None);
        odd.run_after(60).await.unwrap();
        let (status, card) = odd.card(&customer).await;
        assert_eq!((status, field(&card, "company.name")["value"].as_str()), (200, Some("Volga")), "{card}");
        assert_eq!(field(&card, "person.name")["value"], "Renamed");
    });
}
