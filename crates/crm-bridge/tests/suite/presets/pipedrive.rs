//! Pipedrive.

use crm_bridge::connector::ask::Question;
use crm_bridge::policy::Entity;
use crm_fakes::people::{DELETED, MERGED};
use crm_fakes::pipedrive::{Pipedrive, id};
use crm_fakes::switch::Fault;
use db_kit::testing::block_on;
use serde_json::json;

use super::kit::{self, Preset, Stage};

pub(super) fn preset() -> Preset<Pipedrive> {
    let crm = Pipedrive::default();
    Preset {
        name: "pipedrive",
        secret: crm.token.clone(),
        settings: Vec::new(),
        base: "",
        crm,
        id: |_, number| id(number).to_string(),
        names: &[],
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
fn people_of_pipedrive_are_found_and_shown_with_what_is_listed_and_nothing_else() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::people_are_found_and_shown(&stage, &script).await;
        stage.matched(8, &stage.crm.person(4).emails[1]).await;
        assert!(stage.town.bridge.connector.watch().unexpected_count() > 0, "over-sharing is counted");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn lists_of_pipedrive_are_complete_and_follow_changes() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        let mut ids = stage.all(15).await;
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 38, "{:#?}", stage.crm.log().lines());
        stage.town.clock.advance_ms(3_600_000);
        assert!(stage.changed(600).await.is_empty());
        stage.crm.change(3, |person| person.city = "Köln".to_owned());
        assert_eq!(stage.changed(600).await, [id(3).to_string()]);
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_deleted_person_of_pipedrive_still_answers_and_says_so() {
    block_on(async {
        let (stage, _) = Stage::set(preset()).await;
        let question = Question::ById(Entity::Person, id(DELETED).to_string());
        let found = stage.town.bridge.connector.ask(question).await;
        assert!(found.unwrap_or_else(|why| panic!("{}", why.as_str())).records[0].deleted);
    });
}

#[test]
fn trouble_with_pipedrive_has_a_reason_even_if_it_comes_as_200() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::trouble_has_a_reason(&stage).await;
        // x-ratelimit-reset: 2
        stage.crm.switch().on(Fault::Throttle, 1);
        let email = stage.crm.person(15).email().to_owned();
        assert_eq!(stage.reason(&email).await, "rate_limited");
        let asked = stage.crm.log().count();
        stage.town.clock.advance_ms(1_000);
        stage.reason(&email).await;
        assert_eq!(stage.crm.log().count(), asked, "asked during the pause");
        stage.town.clock.advance_ms(1_100);
        stage.matched(15, &email).await;
        stage.crm.switch().on(Fault::ErrorIn200, 1);
        assert_eq!(stage.reason(stage.crm.person(17).email()).await, "error_inside");
        stage.town.clock.advance_ms(900_000);
        stage.crm.switch().always(Fault::EmbedDeals);
        stage.matched(16, stage.crm.person(16).email()).await;
        let (_, body) = stage.resolve(18, json!({ "email": "nobody@else.example" })).await;
        assert_eq!(body["outcome"]["kind"], "none");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_deleted_person_whom_the_search_of_pipedrive_still_finds_is_nobody() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        stage.crm.switch().always(Fault::SearchLags);
        for number in [DELETED, MERGED] {
            let gone = stage.crm.person(number);
            let phone = gone.phones.first().map(|phone| phone.e164.clone());
            for question in [json!({ "email": gone.email() }), json!({ "phone": phone })] {
                let asked = stage.crm.log().count();
                let (status, body) = stage.resolve(u64::from(number), question).await;
                assert_eq!((status, body["outcome"]["kind"].as_str()), (200, Some("none")), "{body}");
                assert!(
                    stage.crm.log().count() > asked + 1,
                    "the search has found nobody, so nothing was shown"
                );
            }
        }
        stage.nothing_came_through(&script).await;
    });
}
