//! What the CRM itself calls the fields of a policy, judged before the policy is used. Asked by people at a terminal, never
//! for a card.

use serde::Serialize;

use crate::connector::Connector;
use crate::connector::labels::Labels;
use crate::policy::Policy;
use crate::policy::check::{Remark, check, check_with};

/// What came of asking the CRM what it calls its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Judged {
    /// The profile does not say where the CRM tells it.
    NotOffered,
    /// The CRM did not answer.
    Silent {
        /// Why.
        reason: &'static str,
    },
    /// The labels are compared with the lexicon and with what the profile says.
    Compared {
        /// So many fields the CRM has described.
        fields: usize,
        /// What there is to say that is not said without the CRM.
        remarks: Vec<Remark>,
    },
}

impl Judged {
    /// Whether a label forbids the policy.
    #[must_use]
    pub fn refuses(&self) -> bool {
        matches!(self, Self::Compared { remarks, .. } if remarks.iter().any(|remark| remark.refused))
    }

    /// What there is to say that is not said without the CRM.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        match self {
            Self::Compared { remarks, .. } => remarks,
            Self::NotOffered | Self::Silent { .. } => &[],
        }
    }

    /// How it went, in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::NotOffered => {
                "the profile has no [metadata], so nobody can ask what the CRM calls its fields".to_owned()
            }
            Self::Silent { reason } => {
                format!(
                    "the CRM does not say what it calls its fields ({reason}); they are judged by their names"
                )
            }
            Self::Compared { fields, remarks } if remarks.is_empty() => {
                format!("what the CRM calls its {fields} fields speaks against none of them")
            }
            Self::Compared { fields, remarks } => {
                format!("the CRM says what it calls its {fields} fields; {} remarks", remarks.len())
            }
        }
    }
}

/// Asks the CRM what it calls its fields, read-only.
pub async fn ask(connector: &Connector) -> (Option<Labels>, Judged) {
    match Labels::fetch(connector).await {
        Ok(None) => (None, Judged::NotOffered),
        Ok(Some(labels)) => {
            let fields = labels.count();
            (Some(labels), Judged::Compared { fields, remarks: Vec::new() })
        }
        Err(trouble) => (None, Judged::Silent { reason: trouble.as_str() }),
    }
}

/// Asks, and compares with what a policy takes.
///
/// # Errors
/// A sentence, if the profile's own deny words make no lexicon.
pub async fn judge(connector: &Connector, policy: &Policy) -> Result<Judged, String> {
    let labels = match ask(connector).await {
        (Some(labels), _) => labels,
        (None, judged) => return Ok(judged),
    };
    let (fields, profile) = (labels.count(), connector.profile());
    let by_name = check(policy, profile)?;
    let mut remarks = check_with(policy, profile, Some(&labels))?;
    remarks.retain(|remark| !by_name.contains(remark));
    Ok(Judged::Compared { fields, remarks })
}
