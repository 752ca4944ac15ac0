//! Bitrix24.

use bridge_contract::ViewerRole;
use crm_bridge::app::sync::run_due;
use crm_fakes::bitrix24::{Bitrix24, id};
use crm_fakes::switch::Fault;
use db_kit::testing::block_on;

use super::kit::{self, Preset, Stage};

pub(super) fn preset() -> Preset<Bitrix24> {
    let crm = Bitrix24::default();
    Preset {
        name: "bitrix24",
        secret: crm.secret.clone(),
        settings: vec![("CRM__SETTINGS__USER", crm.user.to_string())],
        base: "",
        crm,
        id: |_, number| id(number),
        names: &[
            "ADDRESS_CITY",
            "COMPANY_ID",
            "DATE_MODIFY",
            "EMAIL",
            "ID",
            "LAST_NAME",
            "NAME",
            "PHONE",
            "POST",
            "TITLE",
            "WEB",
        ],
        by_phone: true,
        fields: &[
            "person.name",
            "company.name",
            "company.website",
            "person.job_title",
            "person.email",
            "person.phone",
            "person.mobile",
            "person.city",
        ],
    }
}

#[test]
fn people_of_bitrix24_are_found_and_shown_with_what_is_listed_and_nothing_else() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::people_are_found_and_shown(&stage, &script).await;
        stage.matched(8, &stage.crm.person(4).emails[1]).await;
        assert_eq!(stage.crm.log().count_of("crm.contact.get"), 0, "a single record would come whole");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn lists_of_bitrix24_are_complete_and_follow_changes() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::lists_are_complete_and_follow_changes(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn the_secret_in_the_address_of_bitrix24_is_in_no_error_and_no_metric() {
    block_on(async {
        let (stage, _) = Stage::set(preset()).await;
        stage.crm.switch().on(Fault::ServerError, 1);
        let (_, body) = stage.resolve(1, serde_json::json!({ "email": stage.crm.person(2).email() })).await;
        let metrics = stage.town.metrics.to_text().unwrap();
        assert!(
            !body.to_string().contains(&stage.crm.crm.secret) && !metrics.contains(&stage.crm.crm.secret)
        );
    });
}

#[test]
fn trouble_with_bitrix24_has_a_reason_and_a_503_means_too_often() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::trouble_has_a_reason(&stage).await;
        stage.crm.switch().on(Fault::ErrorIn200, 1);
        let reason = stage.reason(stage.crm.person(15).email()).await;
        assert_eq!(reason, "error_inside");
        stage.town.clock.advance_ms(900_000);
        stage.crm.switch().always(Fault::SelectionIgnored);
        stage.crm.switch().always(Fault::EmbedDeals);
        stage.matched(16, stage.crm.person(16).email()).await;
        assert!(stage.town.bridge.connector.watch().unexpected_count() > 0, "over-sharing is counted");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_number_that_bitrix24_changes_past_the_contact_is_found_by_the_daily_comparison() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        let customer_ref = stage.matched(1, stage.crm.person(2).email()).await;
        run_due(&stage.town.bridge).await.unwrap();
        stage.town.clock.advance_ms(2 * 3_600_000);
        // Numbers lie in a table of their own there.
        stage.crm.change_unseen(2, |person| person.job_title = "Changed past DATE_MODIFY".to_owned());
        run_due(&stage.town.bridge).await.unwrap();
        assert!(stage.changed(3 * 3_600).await.is_empty(), "it would be told of like any other change");
        stage.town.clock.advance_ms(23 * 3_600_000);
        stage.crm.log().clear();
        run_due(&stage.town.bridge).await.unwrap();
        let id = format!("{:?}", script.id(&stage, 2));
        let seen = stage.crm.log().seen();
        let again =
            seen.iter().any(|seen| seen.path.ends_with("crm.contact.list.json") && seen.body.contains(&id));
        assert!(again, "{}", stage.crm.log().lines().join("\n"));
        let (status, card) = stage.card(1, &customer_ref, ViewerRole::Supervisor).await;
        assert!(status == 200 && card.to_string().contains("Changed past DATE_MODIFY"), "{status}: {card}");
        stage.nothing_came_through(&script).await;
    });
}
