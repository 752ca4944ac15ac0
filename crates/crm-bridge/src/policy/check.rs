//! May this policy be used with this CRM? Names go through the deny lexicon, those of the policy and those of the CRM's
//! members behind them, so that neither a renamed field nor a re-pointed profile brings in what is none of support's business.

use super::lexicon::{Lexicon, Severity, opaque};
use super::load::FREE_TEXT_CHARS;
use super::{Field, FieldKind, Policy};
use crate::connector::profile::{Place, Profile, Source};
use serde::Serialize;

/// How a member is introduced whose value says which entry of a list is taken. It is compared, not shown.
const CHOOSER: &str = "is chosen by the member";

/// One remark about a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Line of the policy file, counted from 1.
    pub line: usize,
    /// Whether the policy cannot be used because of it.
    pub refused: bool,
    /// What is wrong, or what to know.
    pub message: String,
}

/// All remarks about a policy, by line. It may be used if none of them says `refused`.
///
/// # Errors
/// A sentence, if the profile's own deny words make no lexicon.
pub fn check(policy: &Policy, profile: &Profile) -> Result<Vec<Remark>, String> {
    let lexicon = Lexicon::with(&profile.deny.words)?;
    let mut remarks = Vec::new();
    for field in &policy.fields {
        check_field(field, profile, &lexicon, &mut remarks);
    }
    if !policy.fields.iter().any(|field| !profile.sources(field.entity, &field.name).is_empty()) {
        let message = format!("{} has none of these fields: every card would be empty", profile.head.title);
        remarks.push(Remark { line: 1, refused: true, message });
    }
    remarks.sort_by_key(|remark| remark.line);
    Ok(remarks)
}

/// Whether a policy with these remarks may be used.
#[must_use]
pub fn passes(remarks: &[Remark]) -> bool {
    !remarks.iter().any(|remark| remark.refused)
}

fn check_field(field: &Field, profile: &Profile, lexicon: &Lexicon, remarks: &mut Vec<Remark>) {
    let mut remark = |refused: bool, message: String| {
        remarks.push(Remark { line: field.line, refused, message: format!("{}: {message}", field.key) });
    };
    let origins = origins(field, profile);
    if origins.is_empty() {
        remark(false, format!("{} has no such field, so it stays empty", profile.head.title));
    }
    let mut names: Vec<(String, &str)> = vec![(field.name.clone(), "is called")];
    names.extend(
        [&field.label.en, &field.label.ru].into_iter().flatten().map(|label| (label.clone(), "is called")),
    );
    names.extend(origins.iter().flat_map(Origin::names));
    let mut soft_spots = Vec::new();
    for (name, place) in &names {
        match lexicon.judge(name) {
            Some(finding) if finding.severity == Severity::Hard => remark(
                true,
                format!("{place} `{name}`: `{}` ({}) is never shown to support", finding.word, finding.group),
            ),
            // `label = "work"` is how an entry says which one it is.
            Some(_) if *place == CHOOSER => {}
            Some(finding) => {
                soft_spots.push(format!("{place} `{name}`: `{}` ({})", finding.word, finding.group))
            }
            None => {}
        }
    }
    for origin in &origins {
        if let Some(name) = origin.nameless() {
            remark(
                true,
                format!(
                    "comes from `{name}`, a name that says nothing; write what people call it into the profile's mapping, such \
                     as `label = \"Customer number\"`"
                ),
            );
        }
        for path in origin.paths.iter().map(|path| path.join(".")) {
            if let Some(denied) = profile.deny.paths.iter().find(|denied| is_at_or_below(&path, denied)) {
                remark(
                    true,
                    format!("comes from `{path}`: {} keeps `{denied}` from support", profile.head.title),
                );
            }
        }
    }
    if matches!(field.kind, FieldKind::Text { chars_max } if chars_max > FREE_TEXT_CHARS) {
        soft_spots.push(format!(
            "texts of more than {FREE_TEXT_CHARS} characters are free text and carry anything"
        ));
    }
    match (&field.accept_risk, soft_spots.is_empty()) {
        (None, false) => {
            for spot in soft_spots {
                remark(true, format!("{spot}; if support needs it, say why in `accept_risk`"));
            }
        }
        (Some(reason), false) => remark(false, format!("risk accepted: {reason}")),
        (Some(_), true) => remark(false, "`accept_risk` is not needed here".to_owned()),
        (None, true) => {}
    }
}

/// Where a field comes from, as far as names go.
struct Origin {
    /// Members from the record inwards.
    paths: Vec<Vec<String>>,
    /// Members that a condition looks at, and the texts that it wants there: they say which entry of a list is taken.
    conditions: Vec<(String, Vec<String>)>,
    /// What people call the field, where its name in the CRM says nothing.
    label: Option<String>,
}

impl Origin {
    fn names(&self) -> Vec<(String, &'static str)> {
        let paths = self.paths.iter().map(|path| (path.join("."), "comes from"));
        let chosen = self.conditions.iter().map(|(member, _)| (member.clone(), CHOOSER));
        let wanted =
            self.conditions.iter().flat_map(|(_, texts)| texts).map(|text| (text.clone(), "is chosen by"));
        let label = self.label.iter().map(|label| (label.clone(), "is called by its profile"));
        paths.chain(chosen).chain(wanted).chain(label).collect()
    }

    /// A name without a word, if nothing else says what the field is.
    fn nameless(&self) -> Option<String> {
        if self.label.as_ref().is_some_and(|label| !opaque::is_opaque(label)) {
            return None;
        }
        let path = self.paths.iter().find(|path| opaque::is_opaque_path(path.iter().map(String::as_str)));
        let chosen = self.conditions.iter().flat_map(|(_, texts)| texts).find(|text| opaque::is_opaque(text));
        path.map(|path| path.join(".")).or_else(|| chosen.cloned())
    }
}

/// The places of a field in the CRM's records, as dotted paths; none if this CRM has no such field.
pub(super) fn places(field: &Field, profile: &Profile) -> Vec<String> {
    let place = |origin: Origin| {
        let path = origin.paths.iter().map(|path| path.join(".")).collect::<Vec<_>>().join(" + ");
        let chosen: Vec<String> = origin
            .conditions
            .iter()
            .map(|(member, texts)| format!("{member} = {}", texts.join(" or ")))
            .collect();
        let called = origin.label.map(|label| format!(" \"{label}\"")).unwrap_or_default();
        let chosen = if chosen.is_empty() { String::new() } else { format!(" where {}", chosen.join(", ")) };
        format!("{path}{called}{chosen}")
    };
    origins(field, profile).into_iter().map(place).collect()
}

fn origins(field: &Field, profile: &Profile) -> Vec<Origin> {
    let outer: &[String] = match (field.entity, profile.embedded_company()) {
        (super::Entity::Company, Some(at)) => at.segments(),
        _ => &[],
    };
    profile.sources(field.entity, &field.name).iter().map(|source| origin(outer, source)).collect()
}

fn origin(outer: &[String], source: &Source) -> Origin {
    let below = |path: Vec<&str>| outer.iter().cloned().chain(path.into_iter().map(str::to_owned)).collect();
    let conditions = match &source.place {
        Place::Each(each) => {
            each.conditions.iter().map(|(member, texts)| (member.clone(), texts.clone())).collect()
        }
        Place::Member(_) | Place::Join { .. } => Vec::new(),
    };
    Origin { paths: source.paths().into_iter().map(below).collect(), conditions, label: source.label.clone() }
}

fn is_at_or_below(path: &str, denied: &str) -> bool {
    path.strip_prefix(denied).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::pointer::Pointer;
    use crate::connector::profile::BUILT_IN;
    use crate::connector::profile::Sources;
    use crate::policy::load::load;

    const HEADER: &str = "[policy]\nname=\"t\"\nnumber=1\nowner=\"t\"\n";
    const NAME: &str = "[person.name]\ntype=\"text\"\nchars_max=20\nshow=[\"line1\"]";
    const EXAMPLE: &str = include_str!("../../../../config/field-policy.toml");

    fn sandbox() -> Profile {
        Profile::load(BUILT_IN[0].1).unwrap()
    }

    fn remarks(entry: &str) -> Vec<Remark> {
        check(&load(&format!("{HEADER}{entry}")).unwrap(), &sandbox()).unwrap()
    }

    #[test]
    fn the_example_policy_may_be_used_with_every_profile_that_ships() {
        for (name, text) in BUILT_IN {
            let remarks = check(&load(EXAMPLE).unwrap(), &Profile::load(text).unwrap()).unwrap();
            assert!(passes(&remarks), "{name}: {remarks:?}");
        }
    }

    #[test]
    fn a_hard_word_is_refused_in_the_name_the_label_and_the_source_whatever_is_accepted() {
        for entry in [
            "[person.credit_limit]\ntype=\"text\"\nchars_max=20\nshow=[\"line1\"]\naccept_risk=\"we would like it so much\"",
            "[person.name]\nlabel=\"IBAN\"\ntype=\"text\"\nchars_max=20\nshow=[\"line1\"]",
            "[person.name]\nlabel={ru=\"Сумма сделки\"}\ntype=\"text\"\nchars_max=20\nshow=[\"line1\"]",
        ] {
            assert!(!passes(&remarks(entry)), "{entry}");
        }
        let policy =
            load(&format!("{HEADER}[person.name]\ntype=\"text\"\nchars_max=20\nshow=[\"line1\"]")).unwrap();
        let mut renamed = sandbox();
        let elsewhere = Source::member(Pointer::try_from("/company/iban".to_owned()).unwrap());
        renamed.person.fields.insert("name".to_owned(), Sources(vec![elsewhere]));
        let remarks = check(&policy, &renamed).unwrap();
        assert_eq!(
            remarks.iter().filter(|remark| remark.refused).count(),
            2,
            "word and denied path: {remarks:?}"
        );
    }

    /// All profiles in the folder that this program can read.
    fn profiles() -> Vec<(String, Profile)> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/profiles");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let toml = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
        let read = |path: std::path::PathBuf| {
            let profile = Profile::load(&std::fs::read_to_string(&path).unwrap()).ok()?;
            Some((path.display().to_string(), profile))
        };
        toml.filter_map(read).collect()
    }

    /// All fields of a profile, as a policy would list them.
    fn everything(profile: &Profile) -> Vec<Field> {
        let person = profile.person.fields.keys().map(|name| format!("person.{name}"));
        let company = profile
            .company
            .iter()
            .flat_map(|company| company.fields.keys())
            .map(|name| format!("company.{name}"));
        let entries: String =
            person.chain(company).map(|key| format!("[{key}]\ntype=\"flag\"\nshow=[\"line1\"]\n")).collect();
        load(&format!("{HEADER}{entries}")).unwrap().fields
    }

    fn table<'a>(
        profile: &'a mut Profile,
        field: &Field,
    ) -> &'a mut std::collections::BTreeMap<String, Sources> {
        match (field.entity, &mut profile.company) {
            (crate::policy::Entity::Company, Some(company)) => &mut company.fields,
            _ => &mut profile.person.fields,
        }
    }

    fn is_refused_from(profile: &mut Profile, field: &Field, pointer: &Pointer, lexicon: &Lexicon) -> bool {
        let source = Sources(vec![Source::member(pointer.clone())]);
        let before = table(profile, field).insert(field.name.clone(), source).unwrap();
        let mut remarks = Vec::new();
        check_field(field, profile, lexicon, &mut remarks);
        table(profile, field).insert(field.name.clone(), before);
        !passes(&remarks)
    }

    /// With the sandbox CRM each field from each word; with the others each word, and each field from many of them, because
    /// all fields go the same way and all pairs would take minutes.
    #[test]
    fn every_allowed_path_of_every_profile_replaced_by_a_word_of_the_lexicon_is_refused() {
        let words: Vec<Pointer> = Lexicon::with(&[])
            .unwrap()
            .entries()
            // What can't be a path can't be one of a profile.
            .filter_map(|(word, _)| Pointer::member(&word.replace(' ', "_")).ok())
            .collect();
        assert!(words.len() > 1_000, "{}", words.len());
        for (file, mut profile) in profiles() {
            let fields = everything(&profile);
            let sandbox = profile.head.name == "sandbox";
            let lexicon = Lexicon::with(&profile.deny.words).unwrap();
            for (i, word) in words.iter().enumerate() {
                let rotated =
                    fields.iter().skip(i % fields.len()).take(if sandbox { fields.len() } else { 1 });
                for field in rotated.chain(fields.iter().take(if sandbox { i % fields.len() } else { 0 })) {
                    assert!(
                        is_refused_from(&mut profile, field, word, &lexicon),
                        "{file}: {} from {word:?}",
                        field.key
                    );
                }
            }
        }
    }

    #[test]
    fn a_name_without_a_word_needs_a_label_and_the_label_is_judged() {
        let with = |source: &str| {
            let mut profile = sandbox();
            let table: std::collections::BTreeMap<String, Sources> =
                toml::from_str(&format!("name = {source}")).unwrap();
            profile.person.fields.extend(table);
            check(&load(&format!("{HEADER}{NAME}")).unwrap(), &profile).unwrap()
        };
        for nameless in [
            "\"/cf_123\"",
            "\"/UF_CRM_1678901234\"",
            "\"/dcf558aac1ae4e8c4f849ba5e668430d8df9be12\"",
            "{ each = \"/custom_fields_values\", where = { field_id = \"1234567\" }, take = \"/value\" }",
            "{ at = \"/cf_123\", label = \"Field 12\" }",
        ] {
            let remarks = with(nameless);
            assert!(
                !passes(&remarks) && remarks[0].message.contains("says nothing"),
                "{nameless}: {remarks:?}"
            );
        }
        assert!(passes(&with("{ at = \"/cf_123\", label = \"Customer number\" }")));
        assert!(passes(&with("{ at = \"/cf_123\", label = \"מספר לקוח\" }")));
        for label in
            ["Credit limit", "Кредитный лимит", "Luottoraja", "מסגרת אשראי", "Batas kredit", "Umsatz"]
        {
            assert!(!passes(&with(&format!("{{ at = \"/cf_123\", label = \"{label}\" }}"))), "{label}");
        }
        let chosen = "{ each = \"/fields\", where = { title = \"Annual revenue\" }, take = \"/value\" }";
        assert!(!passes(&with(chosen)), "the entry that is chosen is judged, too");
    }

    #[test]
    fn a_soft_word_and_free_text_need_a_reason_which_the_report_repeats() {
        let entry = "[person.description]\ntype=\"text\"\nchars_max=400\nshow=[\"line1\"]";
        let spots = remarks(entry).iter().filter(|remark| remark.message.contains("`accept_risk`")).count();
        assert_eq!(spots, 2);
        let accepted = remarks(&format!("{entry}\naccept_risk=\"agreed with the works council\"\n{NAME}"));
        assert!(passes(&accepted), "{accepted:?}");
        assert!(accepted.iter().any(|remark| remark.message.contains("works council")));
    }

    #[test]
    fn a_policy_of_which_the_crm_has_nothing_is_refused() {
        assert!(!passes(&remarks("[person.shoe_size]\ntype=\"text\"\nchars_max=3\nshow=[\"line1\"]")));
    }
}
