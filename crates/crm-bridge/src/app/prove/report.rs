//! The report: what was planted, driven, read and found. Closed: what it has no member for, it can't say, and there is no
//! member for a value.

use std::path::Path;

use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use service_kit::Secret;
use sha2::{Digest, Sha256};

/// The version of [`Report`]'s form.
pub const FORMAT: u32 = 1;
/// Which wall holds back what, measured with walls taken away.
const WALLS: &str = include_str!("../../walls.json");

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing came through, and every control holds.
    Green,
    /// Something came through.
    Red,
    /// A control does not hold, so nothing is proven.
    Void,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// 1. Another number means another form.
    pub format: u32,
    /// How it ended.
    pub verdict: Verdict,
    /// When it began, RFC 3339.
    pub began_at: String,
    /// When it ended.
    pub ended_at: String,
    /// The version of the program.
    pub program: String,
    /// Which CRM.
    pub crm: Crm,
    /// Under which policy.
    pub policy: Policy,
    /// What was planted.
    pub markers: Vec<MarkerRow>,
    /// What was done.
    pub driven: Vec<String>,
    /// What was not done.
    pub not_driven: Vec<NotDriven>,
    /// What was read.
    pub places: Vec<PlaceRow>,
    /// Why a green verdict means something.
    pub controls: Vec<Control>,
    /// What came through.
    pub found: Vec<Found>,
    /// What could not be removed from the CRM.
    pub left: Vec<Left>,
    /// Which wall holds back what.
    pub walls: WallTable,
}

/// Which CRM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crm {
    /// Its host.
    pub host: String,
    /// Name of the profile.
    pub profile: String,
    /// Name of the CRM.
    pub title: String,
    /// SHA-256 of the profile's text.
    pub profile_sha256: String,
    /// `by the program` or `by hand`.
    pub planted: String,
}

/// Under which policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: u32,
    /// SHA-256 of its canonical form.
    pub sha256: String,
    /// What it lets through.
    pub fields: Vec<FieldRow>,
}

/// One field of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldRow {
    /// `person.name`
    pub key: String,
    /// Its caption.
    pub label: String,
    /// Roles that see it in clear.
    pub shown: Vec<String>,
    /// Roles that see a mask.
    pub masked: Vec<String>,
    /// Whether a planted value of it was seen; none if none was planted.
    pub seen: Option<bool>,
}

/// One planted value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkerRow {
    /// Its name.
    pub name: String,
    /// What it looks like.
    pub kind: String,
    /// What it would be if it came through.
    pub leak: String,
    /// SHA-256 of the value.
    pub sha256: String,
    /// In how many spellings it was looked for.
    pub spellings: usize,
    /// Whether the CRM serves it to somebody who asks for everything; none if that could not be asked.
    pub in_crm: Option<bool>,
}

/// What was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotDriven {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A kind of place that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceRow {
    /// Which kind.
    pub kind: String,
    /// How many of them.
    pub count: usize,
    /// How many bytes.
    pub bytes: usize,
}

/// One control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// A short name.
    pub id: String,
    /// What it says.
    pub says: String,
    /// Whether it holds.
    pub holds: bool,
    /// What does not hold, or what was counted.
    pub detail: String,
}

/// Something that came through.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// Where.
    pub place: String,
    /// What kind of leak it is.
    pub leak: String,
    /// Which marker.
    pub marker: String,
    /// How it was written.
    pub spelling: String,
}

/// A record that is still in the CRM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Left {
    /// Its name in `[plant]`.
    pub record: String,
    /// The CRM's id, if it is known.
    pub id: Option<String>,
    /// Why.
    pub why: String,
}

/// Which wall holds back what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WallTable {
    /// The walls, from the CRM to the screen.
    pub walls: Vec<Wall>,
    /// The kinds of leak.
    pub leaks: Vec<Leak>,
}

/// A wall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wall {
    /// Its name.
    pub id: String,
    /// What it does.
    pub says: String,
}

/// A kind of leak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leak {
    /// Its name.
    pub id: String,
    /// What it is.
    pub says: String,
    /// The walls each of which holds it back with all others taken away.
    pub held_alone_by: Vec<String>,
}

/// The table that was measured when this program was made.
///
/// # Errors
/// Never in a program that passed its tests.
pub fn wall_table() -> Result<WallTable, String> {
    serde_json::from_str(WALLS).map_err(|error| format!("walls.json: {error}"))
}

/// SHA-256 as hex digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Signs the bytes of a report with a private key in PEM: 64 bytes (Ed25519, RFC 8032), as `openssl pkeyutl -verify
/// -rawin` reads them.
///
/// # Errors
/// A sentence, if the key is none.
pub fn sign(private_pem: &Secret, report: &[u8]) -> Result<Vec<u8>, String> {
    let key = SigningKey::from_pkcs8_pem(private_pem.expose()).map_err(|_| {
        "the file of --sign-key holds no private key; make one with `crm-bridge keys generate --approver FILE`".to_owned()
    })?;
    Ok(key.sign(report).to_bytes().to_vec())
}

/// Reads a report and says whether it is what was signed with that key.
///
/// # Errors
/// A sentence that says what does not fit.
pub fn verify(report: &[u8], signature: &[u8], public_pem: &str) -> Result<Report, String> {
    let key = VerifyingKey::from_public_key_pem(public_pem)
        .map_err(|_| "the file of --key holds no public key (PEM)".to_owned())?;
    let signature = Signature::from_slice(signature)
        .map_err(|_| "the signature is not one: it has 64 bytes".to_owned())?;
    key.verify_strict(report, &signature).map_err(|_| {
        "this report was not signed with this key, or was changed afterwards: do not believe it".to_owned()
    })?;
    let report: Report = serde_json::from_slice(report).map_err(|error| format!("not a report: {error}"))?;
    if report.format != FORMAT {
        return Err(format!("this program reads format {FORMAT}; the report has {}", report.format));
    }
    Ok(report)
}

/// Where the signature of a report lies: beside it, with `.sig` behind.
#[must_use]
pub fn signature_file(report: &Path) -> std::path::PathBuf {
    let mut name = report.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

#[cfg(test)]
mod tests {
    use service_kit::{Clock, Ids, token};

    use super::*;

    #[test]
    fn the_table_of_walls_names_only_walls_that_there_are() {
        let table = wall_table().unwrap();
        assert!(!table.walls.is_empty() && !table.leaks.is_empty());
        for leak in &table.leaks {
            for wall in &leak.held_alone_by {
                assert!(table.walls.iter().any(|known| known.id == *wall), "{wall} of {}", leak.id);
            }
        }
    }

    #[test]
    fn a_report_that_was_changed_or_signed_by_somebody_else_is_refused() {
        let ids = Ids::seeded(Clock::system(), 1);
        let (private, public) = token::generate_key_pair(&ids).unwrap();
        let (_, other) = token::generate_key_pair(&ids).unwrap();
        let bytes = b"{\"format\":1}".to_vec();
        let signature = sign(&private, &bytes).unwrap();
        assert!(verify(&bytes, &signature, &public).unwrap_err().contains("not a report"));
        assert!(verify(b"{\"format\":2}", &signature, &public).unwrap_err().contains("changed"));
        assert!(verify(&bytes, &signature, &other).unwrap_err().contains("not signed"));
        assert!(verify(&bytes, &signature[1..], &public).unwrap_err().contains("64 bytes"));
    }
}
