//! EspoCRM.

use crm_fakes::espocrm::EspoCrm;
use crm_fakes::switch::Fault;
use db_kit::testing::block_on;

use super::kit::{self, Preset, Stage};

pub(super) fn preset() -> Preset<EspoCrm> {
    Preset {
        name: "espocrm",
        secret: EspoCrm::API_KEY.to_owned(),
        settings: Vec::new(),
        base: "/api/v1",
        crm: EspoCrm,
        id: |_, number| EspoCrm::contact_id(number),
        names: &[
            "accountName",
            "addressCity",
            "cLanguage",
            "cServiceLevel",
            "cSupportUntil",
            "emailAddress",
            "emailAddressData",
            "id",
            "modifiedAt",
            "name",
            "phoneNumber",
            "phoneNumberData",
            "title",
        ],
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
            "person.language",
            "person.city",
        ],
    }
}

#[test]
fn people_of_espocrm_are_found_and_shown_with_what_is_listed_and_nothing_else() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::people_are_found_and_shown(&stage, &script).await;
        // By the second address, too, because lists send them all.
        let four = stage.crm.person(4);
        stage.matched(20, &four.emails[1]).await;
        assert_eq!(stage.crm.log().count_of("/Contact/"), 0, "a single record would come whole");
        assert!(stage.crm.log().seen().iter().all(|seen| seen.headers["x-no-total"] == "true"));
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn lists_of_espocrm_are_complete_and_follow_changes() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::lists_are_complete_and_follow_changes(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn trouble_with_espocrm_has_a_reason() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::trouble_has_a_reason(&stage).await;
        stage.crm.switch().on(Fault::ErrorIn200, 1);
        assert_eq!(stage.reason(stage.crm.person(15).email()).await, "not_json");
        stage.crm.switch().always(Fault::SelectionIgnored);
        stage.crm.switch().always(Fault::EmbedDeals);
        stage.matched(16, stage.crm.person(16).email()).await;
        assert!(stage.town.bridge.connector.watch().unexpected_count() > 0, "over-sharing is counted");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn espocrm_can_be_asked_with_signed_requests() {
    block_on(async {
        let root =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/profiles/espocrm.toml");
        let text = std::fs::read_to_string(root).unwrap();
        // What the comment in the preset says.
        let commented =
            text.lines().skip_while(|line| *line != "#   [settings]").take_while(|line| !line.is_empty());
        let signed: String =
            commented.map(|line| format!("{}\n", line.trim_start_matches('#').trim())).collect();
        let old = "[auth]\nkind    = \"headers\"\nheaders = { X-Api-Key = \"{secret}\" }\n";
        assert!(text.contains(old));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("espocrm-signed.toml");
        std::fs::write(&file, text.replace(old, &signed)).unwrap();
        let preset = Preset {
            name: Box::leak(file.display().to_string().into_boxed_str()),
            secret: EspoCrm::HMAC_SECRET.to_owned(),
            settings: vec![("CRM__SETTINGS__API_KEY", EspoCrm::HMAC_KEY.to_owned())],
            ..preset()
        };
        let (stage, script) = Stage::set(preset).await;
        stage.matched(1, stage.crm.person(2).email()).await;
        stage.nothing_came_through(&script).await;
    });
}
