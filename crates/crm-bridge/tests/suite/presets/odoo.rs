//! Odoo, both ways.

use bridge_contract::ViewerRole;
use crm_bridge::app::sync::run_due;
use crm_fakes::Crm;
use crm_fakes::odoo::{OdooJson2, OdooRpc, partner_id};
use crm_fakes::switch::Fault;
use db_kit::testing::block_on;

use super::aid::altered;
use super::kit::{self, Preset, Stage};

const NAMES: &[&str] = &[
    "child_ids",
    "city",
    "email",
    "function",
    "id",
    "lang",
    "mobile",
    "name",
    "parent_id",
    "phone",
    "ref",
    "tz",
    "write_date",
    "x_service_level",
    "x_support_until",
];

pub(super) fn json2() -> Preset<OdooJson2> {
    Preset {
        name: "odoo",
        secret: OdooJson2::API_KEY.to_owned(),
        settings: vec![("CRM__SETTINGS__DATABASE", OdooJson2::DATABASE.to_owned())],
        base: "",
        crm: OdooJson2,
        id: |_, number| partner_id(number).to_string(),
        names: NAMES,
        by_phone: true,
        fields: &[
            "person.name",
            "company.name",
            "person.job_title",
            "person.email",
            "person.phone",
            "person.service_level",
            "person.support_until",
            "person.time_zone",
            "person.city",
            "person.customer_number",
        ],
    }
}

pub(super) fn rpc() -> Preset<OdooRpc> {
    Preset {
        name: "odoo-rpc",
        secret: OdooRpc::API_KEY.to_owned(),
        settings: vec![
            ("CRM__SETTINGS__DATABASE", OdooRpc::DATABASE.to_owned()),
            ("CRM__SETTINGS__LOGIN", OdooRpc::LOGIN.to_owned()),
        ],
        base: "",
        crm: OdooRpc,
        id: |_, number| partner_id(number).to_string(),
        names: NAMES,
        by_phone: true,
        fields: &[
            "person.name",
            "company.name",
            "person.job_title",
            "person.email",
            "person.phone",
            "person.mobile",
            "person.service_level",
            "person.support_until",
            "person.time_zone",
            "person.city",
        ],
    }
}

#[test]
fn people_of_odoo_are_found_and_shown_with_what_is_listed_and_nothing_else() {
    block_on(async {
        let (stage, script) = Stage::set(json2()).await;
        kit::people_are_found_and_shown(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn lists_of_odoo_are_complete_and_follow_changes() {
    block_on(async {
        let (stage, script) = Stage::set(json2()).await;
        kit::lists_are_complete_and_follow_changes(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn trouble_with_odoo_has_a_reason() {
    block_on(async {
        let (stage, script) = Stage::set(json2()).await;
        kit::trouble_has_a_reason(&stage).await;
        stage.crm.switch().on(Fault::ErrorIn200, 1);
        assert_eq!(stage.reason(stage.crm.person(15).email()).await, "not_json");
        stage.crm.switch().always(Fault::SelectionIgnored);
        stage.matched(16, stage.crm.person(16).email()).await;
        assert!(stage.town.bridge.connector.watch().unexpected_count() > 0, "over-sharing is counted");
        stage.nothing_came_through(&script).await;
        let (locked_out, _) = Stage::set(Preset { secret: "wrong".to_owned(), ..json2() }).await;
        assert_eq!(locked_out.reason("zoe.weiss@muller-sohne.example").await, "credentials");
    });
}

#[test]
fn people_of_odoo_18_are_found_and_shown_with_what_is_listed_and_nothing_else() {
    block_on(async {
        let (stage, script) = Stage::set(rpc()).await;
        kit::people_are_found_and_shown(&stage, &script).await;
        let logins = stage.crm.log().seen().iter().filter(|seen| seen.body.contains("\"login\"")).count();
        assert_eq!(logins, 1, "one log-in serves many questions");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn lists_of_odoo_18_are_complete_and_follow_changes() {
    block_on(async {
        let (stage, script) = Stage::set(rpc()).await;
        kit::lists_are_complete_and_follow_changes(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn errors_of_odoo_18_that_come_as_200_are_errors() {
    block_on(async {
        let (stage, script) = Stage::set(rpc()).await;
        kit::trouble_has_a_reason(&stage).await;
        stage.crm.switch().on(Fault::ErrorIn200, 1);
        assert_eq!(stage.reason(stage.crm.person(15).email()).await, "error_inside");
        stage.nothing_came_through(&script).await;
        let (locked_out, _) = Stage::set(Preset { secret: "wrong".to_owned(), ..rpc() }).await;
        assert_eq!(locked_out.reason("zoe.weiss@muller-sohne.example").await, "credentials");
    });
}

async fn deals_stay_outside<C: crm_fakes::Crm>(preset: Preset<C>) {
    let (stage, script) = Stage::set(preset).await;
    stage.crm.switch().always(Fault::SelectionIgnored);
    stage.crm.switch().always(Fault::EmbedDeals);
    let customer_ref = stage.matched(16, stage.crm.person(16).email()).await;
    stage.town.later();
    assert_eq!(stage.card(16, &customer_ref, bridge_contract::ViewerRole::Supervisor).await.0, 200);
    assert!(stage.town.bridge.connector.watch().unexpected_count() > 0, "over-sharing is counted");
    stage.nothing_came_through(&script).await;
}

#[test]
fn deals_that_odoo_sends_along_are_counted_and_not_shown() {
    block_on(async {
        deals_stay_outside(json2()).await;
        deals_stay_outside(rpc()).await;
    });
}

/// Everybody of a company is asked for again when its name changes, though they themselves do not.
async fn a_renamed_company_reaches_its_people<C: Crm>(preset: Preset<C>, follows_companies: bool) {
    let (stage, script) = Stage::set(preset).await;
    let customer_ref = stage.matched(1, stage.crm.person(2).email()).await;
    run_due(&stage.town.bridge).await.unwrap();
    // Before everybody known is compared with the CRM, which would find it, too.
    stage.town.clock.advance_ms(2 * 3_600_000);
    let company = stage.crm.company_of(2).unwrap().number;
    stage.crm.change_company(company, |company| company.name = "Renamed & Sons".to_owned());
    assert!(stage.changed(600).await.is_empty(), "if people changed with it, the feed would not be needed");
    stage.crm.log().clear();
    run_due(&stage.town.bridge).await.unwrap();
    let id = script.id(&stage, 2);
    let again = stage.crm.log().seen().into_iter().filter(|seen| {
        let body = seen.body.replace(' ', "");
        body.contains(&format!("[\"id\",\"=\",{id}]"))
    });
    assert_eq!(again.count() > 0, follows_companies, "{}", stage.crm.log().lines().join("\n"));
    if !follows_companies {
        return;
    }
    let (status, card) = stage.card(1, &customer_ref, ViewerRole::Supervisor).await;
    assert!(status == 200 && card.to_string().contains("Renamed & Sons"), "{status}: {card}");
    stage.nothing_came_through(&script).await;
}

#[test]
fn a_company_of_odoo_that_is_renamed_changes_the_cards_of_its_people() {
    block_on(async {
        a_renamed_company_reaches_its_people(json2(), true).await;
        a_renamed_company_reaches_its_people(rpc(), true).await;
        let other = altered("odoo", &[("[\"is_company\", \"=\", true]", "[\"is_company\", \"=\", false]")]);
        a_renamed_company_reaches_its_people(Preset { name: other, ..json2() }, false).await;
    });
}
