//! Zoho CRM.

use bridge_contract::ViewerRole;
use crm_fakes::switch::Fault;
use crm_fakes::zoho::{Zoho, id};
use db_kit::testing::block_on;
use serde_json::json;

use super::aid::altered;
use super::kit::{self, Preset, Stage};
use crate::support::field;

pub(super) fn preset(crm: Zoho) -> Preset<Zoho> {
    Preset {
        // Zoho's accounts are played by the same server.
        name: altered("zoho", &[("\"https://accounts.zoho.{data_center}/", "\"/")]),
        secret: crm.client_secret.clone(),
        settings: vec![
            ("CRM__SETTINGS__CLIENT_ID", crm.client_id.clone()),
            ("CRM__SETTINGS__DATA_CENTER", "eu".to_owned()),
            ("CRM__SECRETS__REFRESH_TOKEN", crm.refresh_token.clone()),
        ],
        base: "",
        crm,
        id: |_, number| id(number),
        names: &[
            "Account_Name",
            "Email",
            "Full_Name",
            "Mailing_City",
            "Mobile",
            "Modified_Time",
            "Phone",
            "Secondary_Email",
            "Title",
            "Website",
            "id",
        ],
        by_phone: false,
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
fn people_of_zoho_are_found_and_shown_with_what_is_listed_and_nothing_else() {
    block_on(async {
        let (stage, script) = Stage::set(preset(Zoho::default())).await;
        kit::people_are_found_and_shown(&stage, &script).await;
        let (_, body) = stage.resolve(7, json!({ "phone": stage.crm.person(1).phones[0].e164 })).await;
        assert_eq!(body["outcome"]["kind"], "matched", "{body}");
        stage.matched(8, &stage.crm.person(4).emails[1]).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn lists_of_zoho_are_complete_and_follow_changes() {
    block_on(async {
        // After twenty records only a page token goes on.
        let (stage, script) = Stage::set(preset(Zoho::with_numbers_to(20))).await;
        kit::lists_are_complete_and_follow_changes(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_refresh_token_that_zoho_refuses_with_200_is_told_from_a_wrong_client() {
    block_on(async {
        let mut preset = preset(Zoho::default());
        preset.settings[2].1 = "1000.revoked".to_owned();
        let (stage, _) = Stage::set(preset).await;
        assert_eq!(stage.reason(stage.crm.person(2).email()).await, "token_spent");
        let mut preset = super::zoho::preset(Zoho::default());
        preset.secret = "wrong".to_owned();
        let (stage, _) = Stage::set(preset).await;
        assert_eq!(stage.reason(stage.crm.person(2).email()).await, "credentials");
    });
}

#[test]
fn trouble_with_zoho_has_a_reason_and_tokens_are_renewed() {
    block_on(async {
        let (stage, script) = Stage::set(preset(Zoho::default())).await;
        // With a token in hand, so that the trouble is not with the token.
        stage.matched(13, stage.crm.person(12).email()).await;
        kit::trouble_has_a_reason(&stage).await;
        stage.crm.switch().on(Fault::TokenExpired, 1);
        stage.matched(15, stage.crm.person(15).email()).await;
        stage.town.clock.advance_ms(3_700_000);
        stage.matched(16, stage.crm.person(16).email()).await;
        stage.crm.switch().always(Fault::SelectionIgnored);
        stage.crm.switch().always(Fault::EmbedDeals);
        stage.matched(17, stage.crm.person(17).email()).await;
        assert!(stage.town.bridge.connector.watch().unexpected_count() > 0, "over-sharing is counted");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_company_that_is_hidden_takes_nobodys_card_along_and_what_was_known_of_it_stays() {
    block_on(async {
        let (stage, script) = Stage::set(preset(Zoho::default())).await;
        let person = stage.crm.person(2);
        stage.crm.switch().always(Fault::CompanyHidden);
        let customer_ref = stage.matched(1, person.email()).await;
        let show = || stage.card(1, &customer_ref, ViewerRole::Supervisor);
        let (status, card) = show().await;
        assert_eq!(
            (status, &field(&card, "person.name")["value"]),
            (200, &json!(person.full_name())),
            "{card}"
        );
        assert_eq!(
            (&field(&card, "company.name")["kind"], &card["stale"]),
            (&json!("empty"), &json!(false)),
            "{card}"
        );
        let metrics = stage.town.metrics.to_text().unwrap();
        assert!(metrics.contains("crm_requests_total{outcome=\"credentials\"} "), "{metrics}");

        // Once it may be seen it is shown, and when it is hidden again its last known name stays, with its age.
        stage.crm.switch().off(Fault::CompanyHidden);
        stage.town.clock.advance_ms(3_600_000);
        let (_, seen) = show().await;
        let company = stage.crm.company_of(2).unwrap().name;
        assert_eq!(field(&seen, "company.name")["value"], json!(company), "{seen}");
        stage.crm.switch().always(Fault::CompanyHidden);
        stage.crm.change(2, |person| person.job_title = "Moved up".to_owned());
        stage.town.clock.advance_ms(3_600_000);
        let (status, card) = show().await;
        assert_eq!((status, &field(&card, "company.name")["value"]), (200, &json!(company)), "{card}");
        assert_eq!(field(&card, "person.job_title")["value"], json!("Moved up"), "{card}");
        assert_eq!(card["as_of"], seen["as_of"], "as old as its oldest part");
        stage.nothing_came_through(&script).await;
    });
}
