//! What is delivered to receivers: signed, in order for each ticket, again and again, and dead in the end.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crm_bridge::store::deliveries::{Backlog, WebhookRow};
use db_kit::{Backend, both_databases};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Answer, Came, CrmTown, Receiver, looks, withdrawn};

const HOOK: &str = "whk_0193aabb";

async fn subscribe(crm: &CrmTown, id: &str, url: &str) {
    let row = WebhookRow {
        id: id.to_owned(),
        url: url.to_owned(),
        created_at: crm.town.clock.now().ms(),
        stopped_at: None,
        stopped_why: None,
    };
    crm.town.bridge.store.insert_webhook(row).await.unwrap();
}

/// `number:type` of what came, in the order in which it came.
fn told(came: &[Came]) -> Vec<String> {
    let word = |came: &Came| {
        let body = came.body();
        format!("{}:{}", body["data"]["ticket"]["number"], body["type"].as_str().unwrap())
    };
    came.iter().map(word).collect()
}

async fn backlog(crm: &CrmTown) -> Vec<Backlog> {
    crm.town.bridge.store.backlogs().await.unwrap()
}

both_databases! {
    async fn an_event_is_delivered_signed_and_once(crm: CrmTown) {
        let receiver = Receiver::start();
        let (id, customer) = crm.customer(0, 10_001).await;
        subscribe(&crm, HOOK, &format!("{}/hook?a=1", receiver.url)).await;
        crm.tells(10_001, 2, looks(&customer, "resolved", "Coupling stuck", "resolved")).await;
        assert_eq!((crm.deliver().await, crm.deliver().await), (1, 0));
        let came = receiver.came();
        assert_eq!(came.len(), 1);
        let body = came[0].body();
        assert_eq!((body["type"].as_str(), body["data"]["customer_id"].as_str()), (Some("ticket.resolved"), Some(id.as_str())));
        assert_eq!(body["data"]["ticket"]["subject"], "Coupling stuck");
        for word in ["urgent", "77", "cus_", "line"] {
            assert!(!came[0].text.contains(word), "{word}: {}", came[0].text);
        }
        // As a receiver checks it, with the secret that the command shows.
        let secret = crm.town.bridge.vault.shared_secret("webhook", HOOK);
        let (message, time) = (came[0].header("webhook-id"), came[0].header("webhook-timestamp"));
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
        mac.update(format!("{message}.{time}.{}", came[0].text).as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        assert_eq!(came[0].header("webhook-signature"), format!("v1,{signature}"));
        assert_eq!((message, time.parse().ok()), ("evt_1", Some(crm.town.clock.now().seconds())));
        assert_eq!(backlog(&crm).await, []);
    }

    async fn what_fails_is_tried_again_in_order_and_holds_up_no_other_ticket(crm: CrmTown) {
        let receiver = Receiver::start();
        let (_, customer) = crm.customer(0, 10_001).await;
        crm.customer(0, 10_002).await;
        subscribe(&crm, HOOK, &receiver.url).await;
        crm.tells(10_001, 2, looks(&customer, "opened", "S", "new")).await;
        receiver.answers([(500, json!({})), (503, json!({}))]);
        assert_eq!(crm.deliver().await, 1);
        crm.tells(10_001, 3, looks(&customer, "status_changed", "S", "open")).await;
        crm.tells(10_001, 4, looks(&customer, "resolved", "S", "resolved")).await;
        assert_eq!(crm.deliver().await, 0, "nothing overtakes");
        crm.town.clock.advance_ms(4_000);
        assert_eq!(crm.deliver().await, 1);
        crm.tells(10_002, 2, looks(&customer, "opened", "S", "new")).await;
        assert_eq!(crm.deliver().await, 1, "the other ticket does not wait");
        crm.town.clock.advance_ms(8_000);
        assert_eq!(crm.deliver().await, 3);
        let came = receiver.came();
        assert_eq!(told(&came), [
            "10001:ticket.opened", "10001:ticket.opened", "10002:ticket.opened", "10001:ticket.opened",
            "10001:ticket.status_changed", "10001:ticket.resolved",
        ]);
        let ids: Vec<&str> = came.iter().map(|came| came.header("webhook-id")).collect();
        assert_eq!((ids[0], ids[1], ids[3]), ("evt_1", "evt_1", "evt_1"), "an attempt has the id of the first one");
    }

    async fn after_too_many_attempts_it_is_dead_until_people_retry_or_skip(crm: CrmTown) {
        let receiver = Receiver::start();
        let (_, customer) = crm.customer(0, 10_001).await;
        subscribe(&crm, HOOK, &receiver.url).await;
        crm.tells(10_001, 2, looks(&customer, "opened", "S", "new")).await;
        crm.tells(10_001, 3, looks(&customer, "resolved", "S", "resolved")).await;
        receiver.always(500, json!({}));
        for attempt in 0..6 {
            assert_eq!(crm.deliver().await, usize::from(attempt < 4), "attempt {attempt}");
            crm.town.clock.advance_ms(3_600_000);
        }
        let dead = |waiting, dead| vec![Backlog { target: HOOK.into(), waiting, dead }];
        assert_eq!(backlog(&crm).await, dead(1, 1));
        assert!(crm.town.metrics.to_text().unwrap().contains("deliveries_dead 1"));
        let store = &crm.town.bridge.store;
        assert_eq!(store.next_delivery().await.unwrap(), None, "what waits behind a dead one can't move");
        receiver.always(200, json!({}));
        assert_eq!(store.revive(HOOK.into(), crm.town.clock.now()).await.unwrap(), 1);
        assert_eq!(crm.deliver().await, 2);
        assert_eq!(told(&receiver.came())[4..], ["10001:ticket.opened", "10001:ticket.resolved"]);

        crm.tells(10_001, 4, looks(&customer, "changed", "T", "resolved")).await;
        crm.tells(10_001, 5, withdrawn(&customer)).await;
        receiver.always(500, json!({}));
        for _ in 0..4 {
            crm.deliver().await;
            crm.town.clock.advance_ms(3_600_000);
        }
        receiver.always(200, json!({}));
        assert_eq!(store.skip_dead(HOOK.into()).await.unwrap(), 1);
        assert_eq!(crm.deliver().await, 1);
        assert_eq!(told(&receiver.came()).last().unwrap(), "10001:ticket.withdrawn");
    }

    async fn a_dead_one_that_nobody_cares_about_is_given_up_and_the_feed_is_not_kept_for_it_for_ever(crm: CrmTown) {
        let receiver = Receiver::start();
        let (_, customer) = crm.customer(0, 10_001).await;
        crm.customer(0, 10_002).await;
        subscribe(&crm, HOOK, &receiver.url).await;
        crm.tells(10_001, 2, looks(&customer, "opened", "S", "new")).await;
        receiver.always(500, json!({}));
        for _ in 0..4 {
            crm.deliver().await;
            crm.town.clock.advance_ms(3_600_000);
        }
        receiver.always(200, json!({}));
        crm.tells(10_001, 3, looks(&customer, "status_changed", "S", "open")).await;
        crm.tells(10_002, 2, looks(&customer, "opened", "S", "new")).await;
        let store = &crm.town.bridge.store;
        let oldest = || async { store.feed_head().await.unwrap().1 };
        crm.town.clock.advance_ms(29 * 86_400_000);
        assert_eq!(crm.deliver().await, 1, "the other ticket");
        assert_eq!((backlog(&crm).await, oldest().await), (vec![Backlog { target: HOOK.into(), waiting: 1, dead: 1 }], 0));
        crm.town.clock.advance_ms(86_400_000);
        crm.deliver().await;
        assert!(crm.town.metrics.to_text().unwrap().contains("deliveries_total{outcome=\"given_up\"} 1"));
        // What waited behind it is delivered, in its order, and then the feed forgets what is old.
        crm.deliver().await;
        assert_eq!(told(&receiver.came())[4..], ["10002:ticket.opened", "10001:ticket.status_changed"]);
        assert_eq!(backlog(&crm).await, []);
        crm.town.clock.advance_ms(86_400_000);
        crm.deliver().await;
        assert_eq!(oldest().await, 3);
    }

    async fn a_receiver_that_is_gone_is_not_called_again_and_others_are(crm: CrmTown) {
        let (gone, there) = (Receiver::start(), Receiver::start());
        let (_, customer) = crm.customer(0, 10_001).await;
        subscribe(&crm, "whk_gone0001", &gone.url).await;
        subscribe(&crm, "whk_there001", &there.url).await;
        gone.always(410, json!({}));
        crm.tells(10_001, 2, looks(&customer, "opened", "S", "new")).await;
        crm.deliver().await;
        crm.tells(10_001, 3, looks(&customer, "resolved", "S", "resolved")).await;
        crm.deliver().await;
        assert_eq!((gone.came().len(), there.came().len()), (1, 2));
        let stopped = crm.town.bridge.store.webhooks().await.unwrap().into_iter().find(|hook| hook.id == "whk_gone0001").unwrap();
        assert_eq!(stopped.stopped_why.as_deref(), Some("the receiver answered 410"));
    }

    async fn a_receiver_may_ask_for_a_pause_and_redirects_are_not_followed(crm: CrmTown) {
        let receiver = Receiver::start();
        let (_, customer) = crm.customer(0, 10_001).await;
        subscribe(&crm, HOOK, &receiver.url).await;
        receiver.answers([(302, json!({}))]);
        crm.tells(10_001, 2, looks(&customer, "opened", "S", "new")).await;
        crm.deliver().await;
        assert_eq!((receiver.came().len(), backlog(&crm).await[0].waiting), (1, 1));
    }

    async fn what_was_delivered_can_be_replayed_in_order(crm: CrmTown) {
        let receiver = Receiver::start();
        let (_, customer) = crm.customer(0, 10_001).await;
        subscribe(&crm, HOOK, &receiver.url).await;
        for sequence in 2..=5 {
            crm.tells(10_001, sequence, looks(&customer, "changed", &format!("S{sequence}"), "open")).await;
        }
        crm.deliver().await;
        let store = &crm.town.bridge.store;
        assert_eq!(store.replay(HOOK.into(), 3, crm.town.clock.now()).await.unwrap(), 2);
        crm.deliver().await;
        let subjects: Vec<Value> = receiver.came().iter().map(|came| came.body()["data"]["ticket"]["subject"].clone()).collect();
        assert_eq!(subjects, ["S2", "S3", "S4", "S5", "S4", "S5"]);
    }

    async fn a_claim_of_a_courier_that_died_is_free_when_its_lease_ends(crm: CrmTown) {
        let receiver = Receiver::start();
        let (_, customer) = crm.customer(0, 10_001).await;
        subscribe(&crm, HOOK, &receiver.url).await;
        crm.tells(10_001, 2, looks(&customer, "opened", "S", "new")).await;
        crm.tells(10_001, 3, looks(&customer, "resolved", "S", "resolved")).await;
        let store = &crm.town.bridge.store;
        let claimed = store.claim_deliveries(crm.town.clock.now(), 3_500, 8).await.unwrap();
        assert_eq!(claimed.len(), 1, "one for each ticket");
        assert_eq!(crm.deliver().await, 0);
        crm.town.clock.advance_ms(3_500);
        assert_eq!(crm.deliver().await, 2);
        assert_eq!(told(&receiver.came()), ["10001:ticket.opened", "10001:ticket.resolved"]);
    }

    async fn events_become_activities_in_the_crm_once_and_in_order(backend: Backend) {
        let crm = CrmTown::with(backend, &[("CRM_API__ACTIVITIES", "true")]).await;
        let (id, customer) = crm.customer(0, 10_001).await;
        crm.tells(10_001, 2, looks(&customer, "opened", "Coupling \"stuck\" {customer_id}", "new")).await;
        crm.tells(10_001, 3, looks(&customer, "resolved", "Coupling", "resolved")).await;
        assert_eq!(crm.deliver().await, 2);
        let url = format!("{}/api/v1/activities", crm.town.crm_url);
        let list = Answer::of(crm.town.http.get(url).bearer_auth(crate::support::CRM_KEY)).await.expect(200);
        let told: Vec<_> = list["items"].as_array().unwrap().iter().map(|one| {
            [&one["contact_id"], &one["title"], &one["text"], &one["key"]].map(|text| text.as_str().unwrap().to_owned())
        }).collect();
        let of = |title: &str, text: &str, key: &str| [id.clone(), title.to_owned(), text.to_owned(), key.to_owned()];
        assert_eq!(told, [
            of("Coupling \"stuck\" {customer_id}", "Support ticket 10001 was opened (now: new)", "guichet-1"),
            of("Coupling", "Support ticket 10001 is resolved (now: resolved)", "guichet-2"),
        ]);
        // The CRM is away: nothing is lost.
        crm.crm.as_ref().unwrap().stop(false).await;
        crm.tells(10_001, 4, withdrawn(&customer)).await;
        crm.deliver().await;
        assert_eq!(backlog(&crm).await, [Backlog { target: "activity".into(), waiting: 1, dead: 0 }]);
    }

    async fn an_activity_that_takes_its_time_is_nobody_elses_meanwhile(backend: Backend) {
        let crm = CrmTown::with(backend, &[("CRM_API__ACTIVITIES", "true"), ("CRM__TOTAL_TIMEOUT_MS", "5000")]).await;
        let (_, customer) = crm.customer(0, 10_001).await;
        crm.tells(10_001, 2, looks(&customer, "opened", "Coupling", "new")).await;
        crm.tells(10_001, 3, looks(&customer, "resolved", "Coupling", "resolved")).await;
        crm.town.behave(json!({ "delay_ms": 300 })).await;
        let another = async {
            // The first request is under way.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            // The wait for leave, a new key and the request itself may take so long together.
            crm.town.clock.advance_ms(80_000);
            crm.town.bridge.store.claim_deliveries(crm.town.clock.now(), 60_000, 8).await.unwrap().len()
        };
        let (_, claimed) = tokio::join!(crm.deliver(), another);
        assert_eq!(claimed, 0, "the second event would overtake the first");
    }

    async fn two_couriers_never_have_the_same_delivery(crm: CrmTown) {
        let (_, customer) = crm.customer(0, 10_001).await;
        subscribe(&crm, HOOK, "http://127.0.0.1:9/").await;
        for ticket in 10_001..10_021 {
            crm.customer(0, ticket).await;
            crm.tells(ticket, 2, looks(&customer, "opened", "S", "new")).await;
        }
        let claim = || crm.town.bridge.store.claim_deliveries(crm.town.clock.now(), 60_000, 7);
        let (one, two, three) = tokio::join!(claim(), claim(), claim());
        let mut got: Vec<i64> = [one, two, three].into_iter().flat_map(|claims| claims.unwrap()).map(|claim| claim.entry.seq).collect();
        let count = got.len();
        got.sort_unstable();
        got.dedup();
        assert_eq!(got.len(), count);
        assert!(count >= 7);
    }
}
