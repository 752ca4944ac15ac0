//! What the tests of several presets need beside the kit.

use std::path::Path;

use crm_bridge::connector::ask::Question;
use crm_bridge::connector::trouble::Trouble;
use crm_bridge::policy::Entity;
use crm_fakes::Crm;

use super::kit::Stage;

/// The text of a profile that has these texts replaced; each must stand in it once. The stage keeps it in a file of its own.
pub(super) fn altered(name: &str, replacements: &[(&str, &str)]) -> &'static str {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/profiles");
    let mut text = std::fs::read_to_string(folder.join(format!("{name}.toml"))).unwrap();
    for (old, new) in replacements {
        assert_eq!(text.matches(old).count(), 1, "{name} has `{old}` so often");
        text = text.replace(old, new);
    }
    Box::leak(text.into_boxed_str())
}

/// The ids of all people, page by page, or why it did not come to an end.
pub(super) async fn pages<C: Crm>(stage: &Stage<C>, size: u16) -> Result<Vec<String>, Trouble> {
    let (mut ids, mut mark) = (Vec::new(), None);
    loop {
        let found =
            stage.town.bridge.connector.ask(Question::Page { entity: Entity::Person, size, mark }).await?;
        ids.extend(found.records.iter().filter_map(|record| record.id.clone()));
        mark = found.next.clone();
        if mark.is_none() {
            return Ok(ids);
        }
    }
}
