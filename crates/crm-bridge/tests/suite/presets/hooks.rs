//! What the CRMs send by themselves, carried over HTTP to the bridge's door: who sent it is checked, ids are taken, and
//! nothing else is. What changed is then asked for as always.

use bridge_contract::ViewerRole;
use crm_fakes::Crm;
use crm_fakes::amocrm::AmoCrm;
use crm_fakes::bitrix24::{self, Bitrix24};
use crm_fakes::espocrm::EspoCrm;
use crm_fakes::frappe::Frappe;
use crm_fakes::hubspot::HubSpot;
use crm_fakes::pipedrive::Pipedrive;
use crm_fakes::plain_rest::PlainRest;
use crm_fakes::twenty::Twenty;
use crm_fakes::wire::Delivery;
use crm_fakes::zoho::Zoho;
use db_kit::Backend;
use db_kit::testing::block_on;
use sandbox_crm::webhook::{SIGNATURE_HEADER, TIMESTAMP_HEADER, signature};
use serde_json::json;

use super::kit::Preset;
use super::outward::{Outward, RECEIVER};
use super::{
    amocrm as amo, bitrix24 as bitrix, espocrm, frappe, generic_rest, hubspot, pipedrive, twenty, zoho,
};
use crate::crm_api::CrmTown;
use crate::support::field;

/// What a sender's proof covers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// The body and the time.
    BodyAndTime,
    /// The body: a copy can be sent again, which only says again that there is something to fetch.
    Body,
    /// Neither: a fixed token.
    Token,
    /// None: whoever knows the address.
    Address,
}

/// Somebody with a ticket is changed and the CRM says so. `sent` makes its message about a person.
async fn only_a_signed_id_is_taken<C: Crm>(
    preset: impl Fn() -> Preset<C>,
    key: &str,
    proof: Proof,
    sent: impl Fn(&Outward<C>, u32) -> Delivery,
) {
    let desk = Outward::set(preset(), (proof != Proof::Address).then_some(key)).await;
    let (known, stranger) = (desk.stage.crm.person(3), desk.stage.crm.person(5));
    let customer_ref = desk.stage.matched(1, known.email()).await;
    let id = desk.script.id(&desk.stage, known.number);

    let delivery = sent(&desk, known.number);
    let taken = (202, vec![id.clone()]);
    assert_eq!(desk.carry(&delivery).await, taken);
    assert_eq!(desk.carry_to("/hooks/somewhere-else", &delivery).await, (404, Vec::new()));
    assert_eq!(desk.carry(&sent(&desk, stranger.number)).await, (202, Vec::new()), "nobody of ours");

    let bare = Delivery { headers: Vec::new(), ..delivery.clone() };
    let mut other = delivery.clone();
    other.body = [&other.body[..], if other.body.starts_with(b"{") { b" " } else { b"&x=1" }].concat().into();
    match proof {
        Proof::BodyAndTime | Proof::Body => {
            other.body = String::from_utf8_lossy(&delivery.body).replace(&id, "999999").into();
            assert_eq!(desk.carry(&other).await, (401, Vec::new()), "another body");
            assert_eq!(desk.carry(&bare).await, (401, Vec::new()), "no signature");
        }
        Proof::Token | Proof::Address => assert_eq!(desk.carry(&other).await, taken),
    }

    // Taken down on the way and sent again.
    desk.stage.town.clock.advance_ms(299_000);
    assert_eq!(desk.carry(&delivery).await, taken, "within the window it says nothing new");
    desk.stage.town.clock.advance_ms(2_000);
    let late = if proof == Proof::BodyAndTime { (401, Vec::new()) } else { taken.clone() };
    assert_eq!(desk.carry(&delivery).await, late);
    assert_eq!(desk.carry(&sent(&desk, known.number)).await, taken);

    if proof != Proof::Address {
        for key in [None, Some("another-key")] {
            let locked = Outward::set(preset(), key).await;
            locked.stage.matched(1, known.email()).await;
            assert_eq!(locked.carry(&sent(&locked, known.number)).await, (401, Vec::new()));
        }
    }

    // What changed is asked for like everything else.
    desk.follow().await;
    desk.stage.crm.change(known.number, |person| person.job_title = "Told of".to_owned());
    let delivery = sent(&desk, known.number);
    let (status, _) = desk.carry(&delivery).await;
    assert_eq!(status, 202);
    desk.follow().await;
    let (status, card) = desk.stage.card(1, &customer_ref, ViewerRole::Supervisor).await;
    assert_eq!((status, &field(&card, "person.job_title")["value"]), (200, &json!("Told of")), "{card}");
    desk.stage.nothing_came_through(&desk.script).await;
}

#[test]
fn hubspot_signs_method_address_body_and_time() {
    block_on(async {
        let key = HubSpot::default().client_secret;
        let sent = |desk: &Outward<HubSpot>, number| {
            let crm = &desk.stage.crm;
            crm.crm.webhook("contact.propertyChange", &crm.person(number), RECEIVER, crm.world())
        };
        let preset = || hubspot::preset(hubspot::prompt());
        only_a_signed_id_is_taken(preset, &key, Proof::BodyAndTime, sent).await;
    });
}

#[test]
fn hubspot_is_believed_neither_for_another_address_nor_about_deals() {
    block_on(async {
        let crm = hubspot::prompt();
        let key = crm.client_secret.clone();
        let desk = Outward::set(hubspot::preset(crm), Some(&key)).await;
        let crm = &desk.stage.crm;
        let person = crm.person(3);
        desk.stage.matched(1, person.email()).await;
        let sent = |event: &str, to: &str| crm.crm.webhook(event, &person, to, crm.world());
        assert_eq!(desk.carry(&sent("contact.creation", "https://x.example/")).await, (401, Vec::new()));
        assert_eq!(desk.carry(&sent("deal.propertyChange", RECEIVER)).await, (202, Vec::new()));
        let gone = desk.carry(&sent("contact.deletion", RECEIVER)).await;
        assert_eq!(gone, (202, vec![desk.script.id(&desk.stage, 3)]), "whether it is gone is asked");
    });
}

#[test]
fn bitrix24_shows_its_token_in_the_form() {
    block_on(async {
        let key = Bitrix24::default().application_token;
        let sent = |desk: &Outward<Bitrix24>, number| {
            desk.stage.crm.crm.webhook("ONCRMCONTACTUPDATE", &bitrix24::id(number), desk.stage.crm.world())
        };
        only_a_signed_id_is_taken(bitrix::preset, &key, Proof::Token, sent).await;
        let desk = Outward::set(bitrix::preset(), Some(&key)).await;
        desk.stage.matched(1, desk.stage.crm.person(3).email()).await;
        let id = bitrix24::id(3);
        let sent = |event: &str| desk.stage.crm.crm.webhook(event, &id, desk.stage.crm.world());
        assert_eq!(desk.carry(&sent("ONCRMCONTACTDELETE")).await, (202, vec![id.clone()]));
        assert_eq!(desk.carry(&sent("ONCRMDEALUPDATE")).await, (202, Vec::new()), "a deal with the same id");
    });
}

#[test]
fn amocrm_proves_nothing_and_sends_the_whole_record_of_which_the_id_is_taken_and_no_id_of_a_field() {
    block_on(async {
        for action in ["add", "update", "delete"] {
            let sent = |desk: &Outward<AmoCrm>, number| {
                let crm = &desk.stage.crm;
                crm.crm.webhook(action, &crm.person(number), crm.world())
            };
            only_a_signed_id_is_taken(amo::preset, "", Proof::Address, sent).await;
        }
    });
}

#[test]
fn pipedrive_shows_user_and_password() {
    block_on(async {
        let (user, password) = Pipedrive::default().webhook_user;
        let sent = |desk: &Outward<Pipedrive>, number| {
            let crm = &desk.stage.crm;
            crm.crm.webhook("change", &crm.person(number), crm.world())
        };
        let key = format!("{user}:{password}");
        only_a_signed_id_is_taken(pipedrive::preset, &key, Proof::Token, sent).await;
    });
}

#[test]
fn zoho_shows_its_token_in_the_body_and_lists_ids() {
    block_on(async {
        let key = Zoho::default().channel_token;
        for operation in ["update", "delete"] {
            let sent = |desk: &Outward<Zoho>, number| {
                let crm = &desk.stage.crm;
                crm.crm.webhook(operation, &crm.person(number), crm.world())
            };
            only_a_signed_id_is_taken(|| zoho::preset(Zoho::default()), &key, Proof::Token, sent).await;
        }
    });
}

#[test]
fn espocrm_signs_the_body_with_the_id_of_the_webhook_in_front() {
    block_on(async {
        let sent =
            |desk: &Outward<EspoCrm>, number| desk.stage.crm.crm.updated(desk.stage.crm.world(), &[number]);
        only_a_signed_id_is_taken(espocrm::preset, EspoCrm::WEBHOOK_SECRET, Proof::Body, sent).await;
    });
}

#[test]
fn frappe_signs_the_body() {
    block_on(async {
        let sent =
            |desk: &Outward<Frappe>, number| desk.stage.crm.crm.updated(desk.stage.crm.world(), number);
        only_a_signed_id_is_taken(frappe::preset, Frappe::WEBHOOK_SECRET, Proof::Body, sent).await;
    });
}

#[test]
fn twenty_signs_time_and_body() {
    block_on(async {
        let sent =
            |desk: &Outward<Twenty>, number| desk.stage.crm.crm.updated(desk.stage.crm.world(), number);
        let preset = || twenty::preset(Twenty::default());
        only_a_signed_id_is_taken(preset, Twenty::WEBHOOK_SECRET, Proof::BodyAndTime, sent).await;
    });
}

#[test]
fn a_crm_that_nobody_has_seen_signs_the_body_as_its_profile_says() {
    block_on(async {
        let sent =
            |desk: &Outward<PlainRest>, number| desk.stage.crm.crm.changed(desk.stage.crm.world(), number);
        only_a_signed_id_is_taken(generic_rest::preset, PlainRest::WEBHOOK_SECRET, Proof::Body, sent).await;
    });
}

#[test]
fn the_sandbox_crm_signs_time_and_body() {
    block_on(async {
        let settings = [("WEBHOOKS__PATH", "sandbox-path"), ("CRM__SECRETS__WEBHOOK", "sandbox-hook-key")];
        let crm = CrmTown::with(Backend::Sqlite, &settings).await;
        let (id, _) = crm.customer(0, 10_001).await;
        let now = crm.town.clock.now().seconds();
        let body = json!({"events": [
            {"kind": "contact.changed", "id": id, "record": {"credit_limit": 5}},
            {"kind": "contact.changed", "id": "cr_stranger"},
            {"kind": "deal.changed", "id": id},
        ]});
        let body = body.to_string();
        for (key, at, status) in [
            ("sandbox-hook-key", now, 202),
            ("sandbox-hook-key", now - 301, 401),
            ("sandbox-hook-key", now + 301, 401),
            ("another-key", now, 401),
        ] {
            let request = crm.town.http.post(format!("{}/hooks/sandbox-path", crm.crm_api));
            let request = request
                .header(TIMESTAMP_HEADER, at.to_string())
                .header(SIGNATURE_HEADER, signature(key, at, body.as_bytes()));
            let answer = request.body(body.clone()).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{key} at {at}");
        }
        let store = &crm.town.bridge.sync.as_ref().unwrap().store;
        assert_eq!(store.hints_waiting().await.unwrap(), 1);
    });
}

#[test]
fn whoever_guesses_addresses_does_not_silence_the_crm_and_a_flood_under_its_own_is_cut() {
    block_on(async {
        let crm = hubspot::prompt();
        let key = crm.client_secret.clone();
        let mut preset = hubspot::preset(crm);
        preset.settings.push(("WEBHOOKS__PER_MINUTE_MAX", "20".to_owned()));
        let desk = Outward::set(preset, Some(&key)).await;
        let crm = &desk.stage.crm;
        let delivery = crm.crm.webhook("contact.propertyChange", &crm.person(3), RECEIVER, crm.world());
        let mut guesses = Vec::new();
        for number in 0..100 {
            guesses.push(desk.carry_to(&format!("/hooks/guess{number}"), &delivery).await.0);
        }
        assert_eq!(guesses, [[404; 30].as_slice(), [429; 70].as_slice()].concat());
        let mut own = Vec::new();
        for _ in 0..40 {
            own.push(desk.carry(&delivery).await.0);
        }
        assert_eq!(own, [[202; 20], [429; 20]].concat(), "all that the settings allow, and no more");
        desk.stage.town.clock.advance_ms(60_000);
        assert_eq!(desk.carry(&delivery).await.0, 202, "and again in the next minute");
    });
}

#[test]
fn every_preset_that_takes_webhooks_is_driven_here() {
    let here =
        ["amocrm", "bitrix24", "espocrm", "frappe", "hubspot", "pipedrive", "sandbox", "twenty", "zoho"];
    let profiles = crm_bridge::connector::profile::BUILT_IN.iter();
    let mut hooked: Vec<&str> = profiles
        .filter(|(_, text)| crm_bridge::connector::profile::Profile::load(text).unwrap().webhook.is_some())
        .map(|(name, _)| *name)
        .collect();
    hooked.sort_unstable();
    assert_eq!(hooked, here);
}
