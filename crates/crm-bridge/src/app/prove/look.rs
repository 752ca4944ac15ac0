//! Looks for every marker in everything, and at whether looking works.

use std::collections::BTreeSet;
use std::path::Path;

use bridge_contract::ViewerRole;
use marker_search::{Pattern, Searcher};

use super::ProveError;
use super::markers::Marker;
use super::report::{Control, Found, PlaceRow};
use crate::policy::view::{Access, access};
use crate::policy::{Field, Policy};

/// How `marker-search` calls a value that stands as it was planted.
const WHOLE: &str = "as it is";

/// What a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PlaceKind {
    Answer,
    CrmAnswer,
    Metrics,
    Log,
    Database,
    File,
    Command,
}

impl PlaceKind {
    const ALL: [Self; 7] =
        [Self::Answer, Self::CrmAnswer, Self::Metrics, Self::Log, Self::Database, Self::File, Self::Command];

    fn says(self) -> &'static str {
        match self {
            Self::Answer => "answers to the ticket service",
            Self::CrmAnswer => "answers to the CRM and pages of the panel",
            Self::Metrics => "metrics",
            Self::Log => "log of the bridge",
            Self::Database => "databases with their journals",
            Self::File => "other files of the bridge, the export of the audit log among them",
            Self::Command => "output of commands",
        }
    }
}

/// Who reads a place, and so what may stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// Nobody: no value of a customer at all.
    AtRest,
    /// An operator of that role.
    Role(ViewerRole),
    /// An operator of that role who asked to see that field.
    Reveal(ViewerRole, String),
}

/// A place and everything that is in it.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) kind: PlaceKind,
    pub(super) scope: Scope,
    pub(super) bytes: Vec<u8>,
}

/// What a marker is if it comes through.
pub(super) fn leak(marker: &Marker, policy: &Policy) -> String {
    match (&marker.hidden, &marker.field) {
        (Some(secrecy), _) => serde_json::to_value(secrecy)
            .ok()
            .and_then(|word| word.as_str().map(str::to_owned))
            .unwrap_or_default(),
        (None, Some(key)) if policy.field(key).is_none() => "unlisted field".to_owned(),
        _ => "listed field".to_owned(),
    }
}

fn listed<'p>(marker: &Marker, policy: &'p Policy) -> Option<&'p Field> {
    if marker.hidden.is_some() { None } else { policy.field(marker.field.as_deref()?) }
}

/// Whether a marker may stand in a place of that scope.
fn may_stand(marker: &Marker, policy: &Policy, scope: &Scope) -> bool {
    let Some(field) = listed(marker, policy) else { return false };
    match scope {
        Scope::AtRest => false,
        Scope::Role(role) => access(field, *role) == Access::Shown,
        Scope::Reveal(role, key) => {
            field.key == *key
                && matches!(access(field, *role), Access::Masked { reveal: true } | Access::Shown)
        }
    }
}

/// A place in which a marker must not stand, and why it is one: what the report calls the leak.
fn leak_in(marker: &Marker, policy: &Policy, scope: &Scope) -> String {
    match (listed(marker, policy), scope) {
        (None, _) => leak(marker, policy),
        (Some(_), Scope::AtRest) => "kept or logged in clear".to_owned(),
        (Some(_), _) => "shown to a role that must not see it".to_owned(),
    }
}

fn searcher(markers: &[Marker], wanted: impl Fn(&Marker) -> bool) -> Searcher {
    let mut patterns = Vec::new();
    for (number, marker) in markers.iter().enumerate().filter(|(_, marker)| wanted(marker)) {
        for (how, bytes) in marker.spellings() {
            patterns.push(Pattern { bytes, means: format!("{number}\t{how}") });
        }
    }
    Searcher::new(patterns)
}

/// Everything that is where it must not be, each marker and spelling once a place.
pub(super) fn found(markers: &[Marker], policy: &Policy, places: &[Place]) -> Vec<Found> {
    let mut found: BTreeSet<Found> = BTreeSet::new();
    let mut scopes: Vec<(&Scope, Searcher)> = Vec::new();
    for place in places {
        if !scopes.iter().any(|(scope, _)| **scope == place.scope) {
            scopes.push((&place.scope, searcher(markers, |marker| !may_stand(marker, policy, &place.scope))));
        }
        let Some((_, searcher)) = scopes.iter().find(|(scope, _)| **scope == place.scope) else { continue };
        for hit in searcher.find("", &place.bytes) {
            let Some((number, how)) = hit.means.split_once('\t') else { continue };
            let marker = number.parse::<usize>().ok().and_then(|number| markers.get(number));
            if let Some(marker) = marker {
                found.insert(Found {
                    place: place.name.clone(),
                    leak: leak_in(marker, policy, &place.scope),
                    marker: marker.name.clone(),
                    spelling: how.to_owned(),
                });
            }
        }
    }
    // Where the whole is, its halves are too.
    let whole: BTreeSet<(String, String)> = found
        .iter()
        .filter(|found| found.spelling == WHOLE)
        .map(|found| (found.place.clone(), found.marker.clone()))
        .collect();
    let is_part = |found: &Found| {
        let part = found.spelling.ends_with(" half") || found.spelling == "domestic part";
        part && whole.contains(&(found.place.clone(), found.marker.clone()))
    };
    found.into_iter().filter(|found| !is_part(found)).collect()
}

/// Which markers of listed fields were seen by somebody who may see them.
pub(super) fn seen(markers: &[Marker], policy: &Policy, places: &[Place]) -> Vec<Option<bool>> {
    let was_seen = |marker: &Marker| {
        let field = listed(marker, policy)?;
        let can_be = ViewerRole::ALL
            .into_iter()
            .any(|role| matches!(access(field, role), Access::Shown | Access::Masked { reveal: true }));
        if !can_be {
            return None;
        }
        let one = searcher(std::slice::from_ref(marker), |_| true);
        let mut fitting = places
            .iter()
            .filter(|place| place.scope != Scope::AtRest && may_stand(marker, policy, &place.scope));
        Some(fitting.any(|place| !one.find("", &place.bytes).is_empty()))
    };
    markers.iter().map(was_seen).collect()
}

/// Each place was read, and a marker put into a copy of it is found.
pub(super) fn looking_works(markers: &[Marker], policy: &Policy, places: &[Place]) -> Vec<Control> {
    let mut controls = Vec::new();
    let missing: Vec<&str> = PlaceKind::ALL
        .into_iter()
        .filter(|kind| !places.iter().any(|place| place.kind == *kind && !place.bytes.is_empty()))
        .map(PlaceKind::says)
        .collect();
    controls.push(Control {
        id: "read".to_owned(),
        says: "Every kind of place was read.".to_owned(),
        holds: missing.is_empty(),
        detail: if missing.is_empty() {
            String::new()
        } else {
            format!("nothing was read of: {}", missing.join(", "))
        },
    });
    let planted: Vec<&Marker> = markers.iter().filter(|marker| listed(marker, policy).is_none()).collect();
    let all = searcher(markers, |marker| listed(marker, policy).is_none());
    let mut blind = Vec::new();
    for (number, place) in places.iter().enumerate() {
        let Some(marker) = planted.get(number % planted.len().max(1)) else { break };
        let (before, after) = place.bytes.split_at(place.bytes.len() / 2);
        let copy = [before, marker.value.as_bytes(), after].concat();
        if all.find("", &copy).is_empty() {
            blind.push(place.name.as_str());
        }
    }
    controls.push(Control {
        id: "copies".to_owned(),
        says: "A marker put into a copy of each place is found there.".to_owned(),
        holds: blind.is_empty() && !planted.is_empty(),
        detail: if blind.is_empty() {
            format!("{} copies", places.len())
        } else {
            format!("not in {}", blind.join(", "))
        },
    });
    controls
}

/// What was read, by kind.
pub(super) fn rows(places: &[Place]) -> Vec<PlaceRow> {
    let row = |kind: PlaceKind| {
        let of_kind = || places.iter().filter(move |place| place.kind == kind);
        let bytes = of_kind().map(|place| place.bytes.len()).sum();
        PlaceRow { kind: kind.says().to_owned(), count: of_kind().count(), bytes }
    };
    PlaceKind::ALL.into_iter().map(row).collect()
}

/// Every file below the folder of the driven bridge.
pub(super) fn files(folder: &Path, stage: &str) -> Result<Vec<Place>, ProveError> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    let failed = |path: &Path, error: std::io::Error| {
        ProveError::new(format!("{} can't be read: {error}", path.display()))
    };
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            for entry in std::fs::read_dir(&path).map_err(|error| failed(&path, error))? {
                waiting.push(entry.map_err(|error| failed(&path, error))?.path());
            }
            continue;
        }
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        let kind = match () {
            () if name.contains(".db") => PlaceKind::Database,
            () if name.ends_with(".log") => PlaceKind::Log,
            () => PlaceKind::File,
        };
        match std::fs::read(&path) {
            // A journal may go while one looks; what was in it is in the database then.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            bytes => found.push(Place {
                name: format!("{name}, {stage}"),
                kind,
                scope: Scope::AtRest,
                bytes: bytes.map_err(|error| failed(&path, error))?,
            }),
        }
    }
    Ok(found)
}
