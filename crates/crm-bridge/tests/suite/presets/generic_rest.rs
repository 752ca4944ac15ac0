//! A CRM that no preset knows, with the profile that a stranger made for it by the guide.

use std::path::Path;

use crm_bridge::connector::ask::Question;
use crm_bridge::policy::Entity;
use crm_fakes::plain_rest::PlainRest;
use crm_fakes::switch::Fault;
use db_kit::testing::block_on;

use super::kit::{self, Preset, Stage};

pub(super) fn preset() -> Preset<PlainRest> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/presets/contora.toml");
    Preset {
        name: Box::leak(file.display().to_string().into_boxed_str()),
        secret: PlainRest::KEY.to_owned(),
        settings: Vec::new(),
        base: "",
        crm: PlainRest,
        id: |_, number| PlainRest::client_uid(number),
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
            "person.service_level",
            "person.support_until",
            "person.language",
            "person.time_zone",
            "person.city",
        ],
    }
}

#[test]
fn people_of_a_crm_that_nobody_has_seen_are_found_and_shown_with_what_is_listed_and_nothing_else() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::people_are_found_and_shown(&stage, &script).await;
        assert!(stage.town.bridge.connector.watch().unexpected_count() > 0, "over-sharing is counted");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn lists_of_a_crm_that_nobody_has_seen_are_complete_and_follow_changes() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::lists_are_complete_and_follow_changes(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn trouble_with_a_crm_that_nobody_has_seen_has_a_reason() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::trouble_has_a_reason(&stage).await;
        stage.crm.switch().on(Fault::ErrorIn200, 1);
        assert_eq!(stage.reason(stage.crm.person(15).email()).await, "not_json");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_next_page_at_another_host_is_not_asked_for() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        let (elsewhere, _) = Stage::set(preset()).await;
        stage.crm.switch().set_elsewhere(&elsewhere.crm.url);
        stage.crm.switch().always(Fault::NextElsewhere);
        let mut mark = None;
        for _ in 0..3 {
            let question = Question::Page { entity: Entity::Person, size: 15, mark: mark.take() };
            let Ok(found) = stage.town.bridge.connector.ask(question).await else { break };
            mark = found.next.clone();
            if mark.is_none() {
                break;
            }
        }
        assert_eq!(elsewhere.crm.log().count(), 0, "the other host was asked, with the key");
        stage.nothing_came_through(&script).await;
    });
}
