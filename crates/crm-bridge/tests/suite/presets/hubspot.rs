//! HubSpot.

use bridge_contract::ViewerRole;
use crm_bridge::app::sync::run_due;
use crm_fakes::hubspot::{HubSpot, id};
use crm_fakes::people::{Gone, MERGED, MERGED_INTO};
use crm_fakes::switch::Fault;
use db_kit::testing::block_on;
use serde_json::json;

use super::kit::{self, Preset, Stage};
use super::outward::{Outward, PATH, RECEIVER};

pub(super) fn preset(crm: HubSpot) -> Preset<HubSpot> {
    Preset {
        name: "hubspot",
        secret: crm.token.clone(),
        settings: Vec::new(),
        base: "",
        crm,
        id: |_, number| id(number),
        names: &[
            "associatedcompanyid",
            "city",
            "email",
            "firstname",
            "hs_language",
            "hs_merged_object_ids",
            "jobtitle",
            "lastname",
            "mobilephone",
            "name",
            "phone",
            "website",
        ],
        // Zoë's number was typed; see the test of numbers.
        by_phone: false,
        fields: &[
            "person.name",
            "company.name",
            "company.website",
            "person.job_title",
            "person.email",
            "person.phone",
            "person.mobile",
            "person.language",
            "person.city",
        ],
    }
}

/// As HubSpot is but for its search, which here learns of a change at once.
pub(super) fn prompt() -> HubSpot {
    HubSpot { lag_s: 0, ..HubSpot::default() }
}

#[test]
fn people_of_hubspot_are_found_and_shown_with_what_is_listed_and_nothing_else() {
    block_on(async {
        let (stage, script) = Stage::set(preset(HubSpot::default())).await;
        kit::people_are_found_and_shown(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn numbers_of_hubspot_are_found_as_they_are_stored() {
    block_on(async {
        let (stage, script) = Stage::set(preset(HubSpot::default())).await;
        let joerg = stage.matched(1, stage.crm.person(1).email()).await;
        for phone in &stage.crm.person(1).phones {
            let (_, body) = stage.resolve(2, json!({ "phone": phone.e164 })).await;
            assert_eq!(body["outcome"]["customer_ref"].as_str(), Some(&*joerg), "{body}");
        }
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn lists_of_hubspot_are_complete_and_follow_changes() {
    block_on(async {
        let (stage, script) = Stage::set(preset(prompt())).await;
        kit::lists_are_complete_and_follow_changes(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_change_that_the_search_of_hubspot_learns_of_late_is_within_the_overlap() {
    block_on(async {
        let (stage, _) = Stage::set(preset(HubSpot::default())).await;
        let overlap_s = i64::from(stage.town.bridge.connector.profile().time.overlap_s);
        stage.town.clock.advance_ms(3_600_000);
        stage.crm.change(3, |person| person.city = "Köln".to_owned());
        assert!(stage.changed(overlap_s).await.is_empty(), "not yet indexed");
        stage.town.clock.advance_ms(60_000);
        assert_eq!(stage.changed(overlap_s).await, [id(3)]);
    });
}

#[test]
fn trouble_with_hubspot_has_a_reason() {
    block_on(async {
        let (stage, script) = Stage::set(preset(HubSpot::default())).await;
        kit::trouble_has_a_reason(&stage).await;
        stage.crm.switch().on(Fault::TokenExpired, 1);
        assert_eq!(stage.reason(stage.crm.person(15).email()).await, "credentials");
        stage.town.clock.advance_ms(900_000);
        stage.crm.switch().always(Fault::SelectionIgnored);
        stage.crm.switch().always(Fault::EmbedDeals);
        let customer_ref = stage.matched(16, stage.crm.person(16).email()).await;
        stage.town.later();
        stage.card(16, &customer_ref, ViewerRole::Supervisor).await;
        assert!(stage.town.bridge.connector.watch().unexpected_count() > 0, "over-sharing is counted");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_merged_contact_of_hubspot_is_followed_to_the_one_that_lists_its_old_id() {
    block_on(async {
        let (stage, script) = Stage::set(preset(prompt())).await;
        let merge = |number: u32| {
            stage.crm.change(number, |person| person.gone = Some(Gone::MergedInto(MERGED_INTO)));
            stage.crm.change(MERGED_INTO, |_| {});
        };
        let customer_ref = stage.matched(1, stage.crm.person(11).email()).await;
        let second = stage.matched(2, stage.crm.person(12).email()).await;
        run_due(&stage.town.bridge).await.unwrap();
        let stays = stage.crm.person(MERGED_INTO);
        // Nobody has told of it when the card is asked for.
        merge(11);
        stage.town.later();
        let (status, card) = stage.card(1, &customer_ref, ViewerRole::Supervisor).await;
        assert!(status == 200 && card.to_string().contains(stays.email()), "{status}: {card}");
        assert!(!card.to_string().contains(stage.crm.person(11).email()), "{card}");
        // The changed contact tells of it. A day later, since the stand-in's `Date` is of another clock.
        stage.town.clock.advance_ms(25 * 3_600_000);
        merge(12);
        stage.town.later();
        assert_eq!(run_due(&stage.town.bridge).await.unwrap().merged, 1);
        let (status, card) = stage.card(2, &second, ViewerRole::Supervisor).await;
        assert!(status == 200 && card.to_string().contains(stays.email()), "{status}: {card}");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_contact_that_answers_with_another_id_is_not_shown() {
    block_on(async {
        let (stage, script) = Stage::set(preset(prompt())).await;
        stage.crm.switch().always(Fault::MergesUntold);
        let customer_ref = stage.matched(1, stage.crm.person(11).email()).await;
        stage.crm.change(11, |person| person.gone = Some(Gone::MergedInto(MERGED_INTO)));
        stage.town.later();
        let (status, card) = stage.card(1, &customer_ref, ViewerRole::Supervisor).await;
        let other = stage.crm.person(MERGED_INTO);
        assert!(!card.to_string().contains(other.email()), "{MERGED} of {status}: {card}");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn somebody_whom_the_search_does_not_know_yet_is_found_when_asked_for_again() {
    block_on(async {
        let (stage, script) = Stage::set(preset(HubSpot::default())).await;
        stage.town.clock.advance_ms(3_600_000);
        // As if made a moment ago: the search knows nothing of what is younger than its lag.
        stage.crm.change(3, |person| person.emails = vec!["just.made@new.example".to_owned()]);
        let question = json!({ "email": "just.made@new.example" });
        let (status, body) = stage.resolve(1, question.clone()).await;
        assert_eq!((status, &body["outcome"]["kind"]), (200, &json!("none")), "{body}");
        stage.town.clock.advance_ms(11_000);
        let (_, body) = stage.resolve(1, question).await;
        assert_eq!(body["outcome"]["kind"], "matched", "\"nobody\" was kept: {body}");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn somebody_whom_the_search_does_not_know_yet_is_found_by_the_id_that_a_webhook_names() {
    block_on(async {
        let crm = HubSpot::default();
        let key = crm.client_secret.clone();
        let mut preset = preset(crm);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("policy.toml");
        let text =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/field-policy.toml"));
        let copy = "copy = \"tickets of people who were made a moment ago\"\n\n[person.name]";
        std::fs::write(&file, text.unwrap().replacen("[person.name]", copy, 1)).unwrap();
        preset.settings.push(("POLICY__FILE", file.display().to_string()));
        let desk = Outward::set(preset, Some(&key)).await;
        // The first copy of everybody, and what has changed meanwhile.
        desk.follow().await;
        desk.follow().await;
        let crm = &desk.stage.crm;
        crm.change(3, |person| person.emails = vec!["just.made@new.example".to_owned()]);
        let question = json!({ "email": "just.made@new.example" });
        let (_, body) = desk.stage.resolve(1, question.clone()).await;
        assert_eq!(body["outcome"]["kind"], "none", "{body}");
        let sent = crm.crm.webhook("contact.creation", &crm.person(3), RECEIVER, crm.world());
        assert_eq!(desk.post(PATH, &sent).await, 202);
        // Less than the search needs.
        desk.stage.town.clock.advance_ms(5_000);
        run_due(&desk.stage.town.bridge).await.unwrap();
        let (_, body) = desk.stage.resolve(1, question).await;
        assert_eq!(body["outcome"]["kind"], "matched", "{body}\n{}", crm.log().lines().join("\n"));
        desk.stage.nothing_came_through(&desk.script).await;
    });
}
