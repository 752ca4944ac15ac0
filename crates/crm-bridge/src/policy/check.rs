//! May this policy be used with this CRM? Names go through the deny lexicon, those of the policy and those of the CRM's
//! members behind them, so that neither a renamed field nor a re-pointed profile brings in what is none of support's business.

use super::lexicon::{Finding, Lexicon, Severity, opaque};
use super::load::FREE_TEXT_CHARS;
use super::{Entity, Field, FieldKind, Policy};
use crate::connector::labels::Labels;
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
    check_with(policy, profile, None)
}

/// The same, and what the CRM itself calls the fields is judged, too: a field that the profile calls "Customer number" and
/// the CRM "Credit limit" is refused.
///
/// # Errors
/// A sentence, if the profile's own deny words make no lexicon.
pub fn check_with(
    policy: &Policy,
    profile: &Profile,
    labels: Option<&Labels>,
) -> Result<Vec<Remark>, String> {
    let lexicon = Lexicon::with(&profile.deny.words)?;
    let mut remarks = Vec::new();
    for field in &policy.fields {
        check_field(field, &Judge { profile, lexicon: &lexicon, labels }, &mut remarks);
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

/// What a field is compared with.
struct Judge<'a> {
    profile: &'a Profile,
    lexicon: &'a Lexicon,
    /// What the CRM calls its fields, if it was asked.
    labels: Option<&'a Labels>,
}

fn check_field(field: &Field, judge: &Judge<'_>, remarks: &mut Vec<Remark>) {
    let Judge { profile, lexicon, .. } = *judge;
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
        for said in judge.labels_of(field.entity, origin) {
            match said {
                Said::Refused(message) => remark(true, message),
                Said::Soft(message) => soft_spots.push(message),
                Said::Note(message) => remark(false, message),
            }
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

/// What the label of a field has against it.
enum Said {
    Refused(String),
    Soft(String),
    Note(String),
}

impl Judge<'_> {
    /// What is to be said of names that say nothing, and of what the CRM calls the fields.
    fn labels_of(&self, entity: Entity, origin: &Origin) -> Vec<Said> {
        let mut said = Vec::new();
        let opaque = origin.opaque_names();
        for name in &opaque {
            said.extend(self.nameless(entity, name, origin.label.as_deref()));
        }
        let Some(labels) = self.labels else { return said };
        for name in origin.own_names() {
            for label in labels.of(entity, &name) {
                let Some(Finding { severity, word, group }) = self.lexicon.judge(label) else { continue };
                let what =
                    format!("comes from `{name}`, which the CRM calls \"{label}\": `{word}` ({group})");
                said.push(match severity {
                    Severity::Hard => Said::Refused(format!("{what} is never shown to support")),
                    Severity::Soft if opaque.contains(&name) => Said::Soft(what),
                    Severity::Soft => Said::Note(what),
                });
            }
        }
        said
    }

    /// A name without a word: what people call it must stand in the profile, and the CRM is asked whether that is so.
    fn nameless(&self, entity: Entity, name: &str, by_profile: Option<&str>) -> Option<Said> {
        let says_nothing = format!("comes from `{name}`, a name that says nothing");
        let by_crm = self.labels.map(|labels| labels.of(entity, name));
        let telling = by_crm.unwrap_or_default().iter().find(|label| !opaque::is_opaque(label));
        let Some(by_profile) = by_profile.filter(|label| !opaque::is_opaque(label)) else {
            let advice = match telling {
                Some(label) => format!(
                    "the CRM calls it \"{label}\": write `label = \"{label}\"` into the profile's mapping"
                ),
                None => "write what people call it into the profile's mapping, such as `label = \"Customer number\"`"
                    .to_owned(),
            };
            return Some(Said::Refused(format!("{says_nothing}; {advice}")));
        };
        let Some(labels) = self.labels.filter(|labels| labels.knows(entity)) else {
            return Some(Said::Note(format!(
                "{says_nothing}; that it is \"{by_profile}\" is what the profile says, not compared with the CRM's own \
                 label (`policy check --live` asks for it)"
            )));
        };
        let same = |label: &&String| label.to_lowercase() == by_profile.to_lowercase();
        match telling {
            None => Some(Said::Note(format!(
                "{says_nothing}; the profile calls it \"{by_profile}\", and the CRM does not say what it is"
            ))),
            Some(_) if labels.of(entity, name).iter().any(|label| same(&label)) => None,
            Some(label) => Some(Said::Note(format!(
                "{says_nothing}; the profile calls it \"{by_profile}\", the CRM calls it \"{label}\""
            ))),
        }
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

    /// The names that carry no word.
    fn opaque_names(&self) -> Vec<String> {
        let in_paths = self
            .paths
            .iter()
            .flatten()
            .filter(|segment| opaque::is_opaque_path(std::iter::once(segment.as_str())));
        let chosen = self.conditions.iter().flat_map(|(_, texts)| texts);
        in_paths.chain(chosen.filter(|text| opaque::is_opaque(text))).cloned().collect()
    }

    /// Everything that can be the name of a field of its own in the CRM.
    fn own_names(&self) -> Vec<String> {
        let whole = self.paths.iter().map(|path| path.join("."));
        let segments = self.paths.iter().flatten().cloned();
        let chosen = self.conditions.iter().flat_map(|(_, texts)| texts).cloned();
        let mut names: Vec<String> = whole.chain(segments).chain(chosen).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The places of a field in the CRM's records, as dotted paths; none if this CRM has no such field.
pub(super) fn places(field: &Field, profile: &Profile, labels: Option<&Labels>) -> Vec<String> {
    let place = |origin: Origin| {
        let opaque = origin.opaque_names();
        let by_crm = opaque.iter().filter_map(|name| labels?.of(field.entity, name).first());
        let by_crm: Vec<String> = by_crm.map(|label| format!("\"{label}\"")).collect();
        let by_crm =
            if by_crm.is_empty() { String::new() } else { format!(", in the CRM {}", by_crm.join(", ")) };
        let path = origin.paths.iter().map(|path| path.join(".")).collect::<Vec<_>>().join(" + ");
        let chosen: Vec<String> = origin
            .conditions
            .iter()
            .map(|(member, texts)| format!("{member} = {}", texts.join(" or ")))
            .collect();
        let called = origin.label.map(|label| format!(" \"{label}\"")).unwrap_or_default();
        let chosen = if chosen.is_empty() { String::new() } else { format!(" where {}", chosen.join(", ")) };
        format!("{path}{called}{chosen}{by_crm}")
    };
    origins(field, profile).into_iter().map(place).collect()
}

fn origins(field: &Field, profile: &Profile) -> Vec<Origin> {
    let outer: &[String] = match (field.entity, profile.embedded_company()) {
        (Entity::Company, Some(at)) => at.segments(),
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
        check_field(field, &Judge { profile, lexicon, labels: None }, &mut remarks);
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
    fn what_the_crm_calls_a_field_is_judged_whatever_its_name_and_its_profile_say() {
        use crate::connector::labels::FieldLabel;
        let mut labels = Labels::default();
        let of = |name: &str, label: &str| FieldLabel { name: name.into(), labels: vec![label.into()] };
        let fields = [
            of("cf_1", "Customer number"),
            of("cf_2", "Credit limit"),
            of("771002", "Кредитный лимит"),
            of("cf_3", "Lead source"),
            of("city", "Annual revenue"),
            of("street", "Lead source"),
        ];
        labels.add(Entity::Person, fields.to_vec());
        let with = |source: &str| {
            let mut profile = sandbox();
            let table: std::collections::BTreeMap<String, Sources> =
                toml::from_str(&format!("name = {source}")).unwrap();
            profile.person.fields.extend(table);
            let policy = load(&format!("{HEADER}{NAME}")).unwrap();
            let live = check_with(&policy, &profile, Some(&labels)).unwrap();
            (passes(&check(&policy, &profile).unwrap()), passes(&live), live)
        };
        let labelled = |at: &str| with(&format!("{{ at = \"/{at}\", label = \"Customer number\" }}"));
        assert_eq!(labelled("cf_1"), (true, true, Vec::new()));
        let (offline, live, remarks) = labelled("cf_2");
        assert!(
            offline && !live && remarks.iter().any(|one| one.message.contains("\"Credit limit\"")),
            "{remarks:?}"
        );
        assert!(!labelled("cf_3").1, "a soft word needs a reason");
        let (_, live, remarks) = labelled("cf_4");
        assert!(live && remarks[0].message.contains("does not say what it is"), "{remarks:?}");
        let chosen =
            "{ each = \"/cf\", where = { field_id = \"771002\" }, take = \"/v\", label = \"Number\" }";
        assert_eq!((with(chosen).0, with(chosen).1), (true, false));
        assert_eq!(
            (with("\"/city\"").0, with("\"/city\"").1),
            (true, false),
            "a field that was given another meaning"
        );
        assert!(with("\"/street\"").1, "a soft word in a label of a name that has its own words is a note");
        let (offline, live, remarks) = with("\"/cf_1\"");
        assert!(
            !offline && !live && remarks[0].message.contains("write `label = \"Customer number\"`"),
            "{remarks:?}"
        );
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
