//! Salesforce.

use crm_fakes::salesforce::{Salesforce, id};
use crm_fakes::switch::Fault;
use db_kit::testing::block_on;
use serde_json::json;

use super::aid::pages;
use super::kit::{self, Preset, Stage};

pub(super) fn preset(crm: Salesforce) -> Preset<Salesforce> {
    Preset {
        name: "salesforce",
        secret: crm.client_secret.clone(),
        settings: vec![("CRM__SETTINGS__CLIENT_ID", crm.client_id.clone())],
        base: "",
        crm,
        id: |_, number| id(number),
        names: &[
            "Account.Name",
            "Account.Website",
            "Email",
            "Id",
            "IsDeleted",
            "MailingCity",
            "MasterRecordId",
            "MobilePhone",
            "Name",
            "Phone",
            "SystemModstamp",
            "Title",
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
fn people_of_salesforce_are_found_and_shown_with_what_is_listed_and_nothing_else() {
    block_on(async {
        let (stage, script) = Stage::set(preset(Salesforce::default())).await;
        kit::people_are_found_and_shown(&stage, &script).await;
        let (_, body) = stage.resolve(7, json!({ "phone": stage.crm.person(1).phones[0].e164 })).await;
        assert_eq!(body["outcome"]["kind"], "matched", "{body}");
        // One token for all of it.
        assert_eq!(stage.crm.log().count_of("/oauth2/token"), 1);
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn an_address_with_a_quote_can_not_become_a_condition_of_salesforce() {
    block_on(async {
        let (stage, script) = Stage::set(preset(Salesforce::default())).await;
        stage.matched(1, stage.crm.person(29).email()).await;
        assert!(stage.crm.person(29).email().contains('\''));
        let (_, body) = stage.resolve(2, json!({ "email": r"x\'or'Credit_Limit__c>'0@x.example" })).await;
        assert_ne!(body["outcome"]["kind"], "matched", "{body}");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn lists_of_salesforce_are_complete_and_follow_changes() {
    block_on(async {
        // Fewer a page than was asked for, as Salesforce may.
        let (stage, script) = Stage::set(preset(Salesforce::with_page(15))).await;
        kit::lists_are_complete_and_follow_changes(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_next_page_at_another_host_is_not_asked_for() {
    block_on(async {
        let (stage, script) = Stage::set(preset(Salesforce::with_page(15))).await;
        let elsewhere = crate::support::WireCrm::answering(|_| crate::support::json_answer(&json!({}))).await;
        stage.crm.switch().set_elsewhere(&elsewhere.url);
        stage.crm.switch().always(Fault::NextElsewhere);
        let outcome = pages(&stage, 15).await;
        assert!(outcome.is_err(), "{:?}", outcome.map(|ids| ids.len()));
        stage.crm.switch().off(Fault::NextElsewhere);
        stage.matched(1, stage.crm.person(2).email()).await;
        assert!(elsewhere.requests().is_empty(), "the token went elsewhere");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_base_address_at_another_host_is_not_asked() {
    block_on(async {
        let (stage, _) = Stage::set(preset(Salesforce::default())).await;
        let elsewhere = crate::support::WireCrm::answering(|_| crate::support::json_answer(&json!({}))).await;
        stage.crm.switch().set_elsewhere(&elsewhere.url);
        stage.crm.switch().always(Fault::BaseElsewhere);
        let (status, _) = stage.resolve(1, json!({ "email": stage.crm.person(2).email() })).await;
        assert_eq!(status, 503);
        assert!(elsewhere.requests().is_empty(), "the token went elsewhere");
    });
}

#[test]
fn a_token_that_salesforce_no_longer_takes_is_replaced_without_anybody_noticing() {
    block_on(async {
        let (stage, script) = Stage::set(preset(Salesforce::default())).await;
        stage.matched(1, stage.crm.person(2).email()).await;
        stage.crm.switch().on(Fault::TokenExpired, 1);
        stage.matched(2, stage.crm.person(3).email()).await;
        assert_eq!(stage.crm.log().count_of("/oauth2/token"), 2);
        stage.town.clock.advance_ms(7_300_000);
        stage.matched(3, stage.crm.person(4).email()).await;
        assert_eq!(stage.crm.log().count_of("/oauth2/token"), 3);
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn trouble_with_salesforce_has_a_reason_and_a_hidden_field_is_one() {
    block_on(async {
        let (stage, script) = Stage::set(preset(Salesforce::default())).await;
        // With a token in hand, so that the trouble is not with the token.
        stage.matched(13, stage.crm.person(12).email()).await;
        kit::trouble_has_a_reason(&stage).await;
        stage.crm.crm.hide("Title");
        assert_eq!(stage.reason(stage.crm.person(15).email()).await, "refused");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_salesforce_that_sends_more_than_was_asked_for_is_counted_and_shows_none_of_it() {
    block_on(async {
        let (stage, script) = Stage::set(preset(Salesforce::default())).await;
        stage.crm.switch().always(Fault::SelectionIgnored);
        stage.crm.switch().always(Fault::EmbedDeals);
        let customer_ref = stage.matched(16, stage.crm.person(16).email()).await;
        stage.town.later();
        assert_eq!(stage.card(16, &customer_ref, bridge_contract::ViewerRole::Supervisor).await.0, 200);
        assert!(stage.town.bridge.connector.watch().unexpected_count() > 0, "over-sharing is counted");
        stage.nothing_came_through(&script).await;
    });
}
