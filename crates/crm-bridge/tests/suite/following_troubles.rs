//! Following a CRM that is in trouble: with one record, with many at once, or altogether.

use crm_bridge::app::sync::take_hints;
use crm_bridge::connector::hook::Hint;
use crm_bridge::policy::Entity;
use db_kit::testing::block_on;
use serde_json::json;

use crate::odd::{Odd, html, status};
use crate::wire::with_line;

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
