//! `policy explain`: the policy as a page that a data owner can read and sign, as text, and as JSON for programs.
//!
//! [`Explanation`] is the JSON document; the other forms are made from it and say nothing that is not in it.

mod html;
mod text;
mod words;

use std::collections::BTreeMap;

use serde::Serialize;

use super::check::{self, Remark};
use super::lexicon::Lexicon;
use super::view::{Access, access};
use super::{Field, FieldKind, Keep, Language, Policy, Role};
use crate::connector::labels::Labels;
use crate::connector::profile::Profile;

pub use self::html::html;
pub(crate) use self::html::{STYLE, escaped};
pub use self::text::text;

/// The version of [`Explanation`]'s form.
const FORMAT: u32 = 1;

/// A policy, explained. Serialised, it is the output of `policy explain --format json`; members are only ever added.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// 1. Another number means another form.
    pub format: u32,
    /// The day on which this was made, `YYYY-MM-DD` in UTC.
    pub made_on: String,
    /// Which policy.
    pub policy: Head,
    /// Which CRM.
    pub crm: Crm,
    /// The roles, in the order of the columns.
    pub roles: Vec<&'static str>,
    /// What may leave the CRM, in the order of the card.
    pub fields: Vec<FieldView>,
    /// Why fields are listed of which the deny lexicon warns.
    pub accepted_risks: Vec<AcceptedRisk>,
    /// What the deny lists keep from becoming a field.
    pub held_back: HeldBack,
    /// What the check of the policy had to say.
    pub remarks: Vec<Remark>,
    /// Who has approved this very policy, if approvals are kept.
    pub approvals: Vec<Approved>,
}

/// Which policy is explained.
#[derive(Debug, Clone, Serialize)]
pub struct Head {
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: u32,
    /// Who answers for it.
    pub owner: String,
    /// Language of the labels on the card: `en` or `ru`.
    pub language: &'static str,
    /// SHA-256 of its canonical form, 64 hex digits; every card and every audit entry carries it.
    pub sha256: String,
}

/// Which CRM the fields come from.
#[derive(Debug, Clone, Serialize)]
pub struct Crm {
    /// Name of the profile.
    pub profile: String,
    /// Name of the CRM.
    pub title: String,
    /// What the profile has been tried against.
    pub verified: String,
    /// SHA-256 of what the profile says, 64 hex digits: from where each field is taken. Another profile can show something else
    /// under the same policy, so whoever signs the one signs the other; the audit log names both.
    pub sha256: String,
}

/// One field.
#[derive(Debug, Clone, Serialize)]
pub struct FieldView {
    /// `person.name`.
    pub key: String,
    /// Caption on the card, by language.
    pub labels: BTreeMap<&'static str, String>,
    /// `text`, `email`, `phone`, `url`, `date`, `enum` or `flag`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Longest text, in characters; only for `text`.
    pub chars_max: Option<u16>,
    /// The words that pass; only for `enum`.
    pub values: Vec<String>,
    /// The members of the CRM's record that it is taken from, as dotted paths; none if this CRM has no such field.
    pub comes_from: Vec<String>,
    /// What each role sees: `shown`, `masked`, `masked_revealable` or `hidden`.
    pub views: BTreeMap<&'static str, &'static str>,
    /// What stays readable under the mask: `last N` or `domain`; none if nobody sees a mask.
    pub mask_keeps: Option<String>,
}

/// A risk that the data owner took.
#[derive(Debug, Clone, Serialize)]
pub struct AcceptedRisk {
    /// The field.
    pub field: String,
    /// The reason that the policy gives.
    pub reason: String,
}

/// What the deny lists hold back.
#[derive(Debug, Clone, Serialize)]
pub struct HeldBack {
    /// What no policy can list, by subject.
    pub never: Vec<String>,
    /// What a policy lists only with a written reason, by subject.
    pub only_with_reason: Vec<String>,
    /// Words that the profile adds for this CRM.
    pub crm_words: Vec<String>,
    /// Members of this CRM's records that the profile closes.
    pub crm_paths: Vec<String>,
    /// Number of entries of the lexicon, all languages.
    pub lexicon_entries: usize,
}

/// One approval.
#[derive(Debug, Clone, Serialize)]
pub struct Approved {
    /// Who.
    pub by: String,
    /// With which key: the first 16 hex digits of the SHA-256 of the public key.
    pub key: String,
    /// When, RFC 3339.
    pub at: String,
}

impl Explanation {
    /// Explains a policy for the CRM of a profile; with what the CRM calls its fields, if it was asked.
    ///
    /// # Errors
    /// A sentence, if the profile's own deny words make no lexicon.
    pub fn new(
        policy: &Policy,
        profile: &Profile,
        labels: Option<&Labels>,
        made_on: &str,
        approvals: Vec<Approved>,
    ) -> Result<Self, String> {
        let lexicon = Lexicon::with(&profile.deny.words)?;
        let risk = |field: &Field| {
            let reason = field.accept_risk.clone()?;
            Some(AcceptedRisk { field: field.key.clone(), reason })
        };
        Ok(Self {
            format: FORMAT,
            made_on: made_on.to_owned(),
            policy: Head {
                name: policy.name.clone(),
                number: policy.number,
                owner: policy.owner.clone(),
                language: policy.language.as_str(),
                sha256: policy.hash().to_string(),
            },
            crm: Crm {
                profile: profile.head.name.clone(),
                title: profile.head.title.clone(),
                verified: profile.head.verified(),
                sha256: profile.digests.whole.clone(),
            },
            roles: Role::ALL.into_iter().map(Role::as_str).collect(),
            fields: policy.fields.iter().map(|field| field_view(field, profile, labels)).collect(),
            accepted_risks: policy.fields.iter().filter_map(risk).collect(),
            held_back: HeldBack {
                never: lexicon.groups(super::lexicon::Severity::Hard),
                only_with_reason: lexicon.groups(super::lexicon::Severity::Soft),
                crm_words: profile.deny.words.clone(),
                crm_paths: profile.deny.paths.clone(),
                lexicon_entries: lexicon.entries().count(),
            },
            remarks: check::check_with(policy, profile, labels)?,
            approvals,
        })
    }

    /// As JSON, indented.
    ///
    /// # Errors
    /// Never with these types; serde_json wants it.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

fn field_view(field: &Field, profile: &Profile, labels: Option<&Labels>) -> FieldView {
    let captions = [Language::En, Language::Ru].map(|language| (language.as_str(), field.caption(language)));
    let (chars_max, values) = match &field.kind {
        FieldKind::Text { chars_max } => (Some(*chars_max), Vec::new()),
        FieldKind::Enum { values } => (None, values.clone()),
        _ => (None, Vec::new()),
    };
    FieldView {
        key: field.key.clone(),
        labels: captions.into_iter().collect(),
        kind: field.kind.as_str(),
        chars_max,
        values,
        comes_from: check::places(field, profile, labels),
        views: Role::ALL.into_iter().map(|role| (role.as_str(), view_of(field, role))).collect(),
        mask_keeps: field.mask.as_ref().map(|mask| match mask.keep {
            Keep::Last(count) => format!("last {count}"),
            Keep::Domain => "domain".to_owned(),
        }),
    }
}

fn view_of(field: &Field, role: Role) -> &'static str {
    match access(field, role) {
        Access::Shown => "shown",
        Access::Masked { reveal: true } => "masked_revealable",
        Access::Masked { reveal: false } => "masked",
        Access::Hidden => "hidden",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::profile::BUILT_IN;
    use crate::policy::load::load;

    fn example() -> Explanation {
        let policy = load(include_str!("../../../../../config/field-policy.toml")).unwrap();
        let profile = Profile::load(BUILT_IN[0].1).unwrap();
        told_apart(Explanation::new(&policy, &profile, None, "2026-11-22", Vec::new()).unwrap())
    }

    /// With a digest that does not change with the profile that ships.
    fn told_apart(explanation: Explanation) -> Explanation {
        let crm = Crm { sha256: "c0ffee00".repeat(8), ..explanation.crm };
        Explanation { crm, ..explanation }
    }

    fn nasty() -> Explanation {
        let policy = load(
            "[policy]\nname=\"<script>alert(1)</script>\"\nnumber=2\nowner=\"a&b \\\"c\\\"\"\n[person.name]\nlabel=\"<i>\"\ntype=\"text\"\n\
             chars_max=300\nshow=[\"line1\"]\naccept_risk=\"because </style> they asked\"\n[person.email]\ntype=\"email\"\nshow=[]\n\
             mask={roles=[\"line2\"],keep=\"domain\",reveal=true}\n",
        );
        let profile = Profile::load(BUILT_IN[0].1).unwrap();
        let approved = Approved {
            by: "Eve <x>".into(),
            key: "0123456789abcdef".into(),
            at: "2026-11-22T00:00:00Z".into(),
        };
        told_apart(Explanation::new(&policy.unwrap(), &profile, None, "2026-11-22", vec![approved]).unwrap())
    }

    #[test]
    fn the_example_policy_explains_itself() {
        insta::assert_snapshot!(text(&example()));
    }

    #[test]
    fn the_page_for_the_data_owner_is_the_same_every_time() {
        insta::assert_snapshot!("page_en", html(&example(), Language::En));
        insta::assert_snapshot!("page_ru", html(&example(), Language::Ru));
    }

    #[test]
    fn the_document_for_programs_is_the_same_every_time() {
        insta::assert_snapshot!(nasty().json().unwrap());
    }

    #[test]
    fn whoever_signs_the_page_signs_the_profile_too() {
        let policy = load(include_str!("../../../../../config/field-policy.toml")).unwrap();
        let of = |text: &str| {
            let profile = Profile::load(text).unwrap();
            let sha256 = profile.digests.whole.clone();
            (Explanation::new(&policy, &profile, None, "2026-11-22", Vec::new()).unwrap(), sha256)
        };
        let (shipped, before) = of(BUILT_IN[0].1);
        // The same policy; what it calls a city comes from elsewhere now.
        let (corrected, after) = of(&BUILT_IN[0].1.replace("= \"/city\"", "= \"/town\""));
        assert_ne!(before, after);
        for (explanation, own, other) in [(&shipped, &before, &after), (&corrected, &after, &before)] {
            let pages = [Language::En, Language::Ru].map(|language| html(explanation, language));
            for form in [&text(explanation), &explanation.json().unwrap(), &pages[0], &pages[1]] {
                assert!(form.contains(own.as_str()) && !form.contains(other.as_str()), "{form}");
            }
        }
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_lets_nothing_through_unescaped() {
        for language in [Language::En, Language::Ru] {
            let page = html(&nasty(), language);
            for sign in
                ["<script", "http://", "https://", "src=", "url(", "@import", "<i>", "Eve <x>", "c\"<"]
            {
                assert!(!page.contains(sign), "{sign}");
            }
            assert_eq!(page.matches("</style>").count(), 1);
            assert!(
                page.contains("&lt;script&gt;alert(1)&lt;/script&gt;")
                    && page.contains("a&amp;b &quot;c&quot;")
            );
        }
    }
}
