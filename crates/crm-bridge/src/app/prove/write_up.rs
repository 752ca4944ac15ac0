//! From what a run has seen to its report.

use super::look;
use super::markers::Marker;
use super::report::{
    self, Control, Crm, FORMAT, FieldRow, Left, MarkerRow, Report, Verdict, WallTable, wall_table,
};
use super::{Order, Seen};
use crate::policy::view::{Access, access};
use crate::policy::{Language, Policy, Role};

/// How the report says that the records were made by this program.
pub(super) const PLANTED_BY_PROGRAM: &str = "by the program";

/// The report of a run.
pub(super) fn written(
    order: &Order<'_>,
    markers: &[Marker],
    mut seen: Seen,
    left: Vec<Left>,
    planted: &str,
    began_at: String,
) -> Report {
    let policy = order.policy;
    let found = look::found(markers, policy, &seen.places);
    let shown = look::seen(markers, policy, &seen.places);
    seen.controls.insert(0, in_the_crm(markers, seen.in_crm.as_deref()));
    seen.controls.insert(1, on_cards(markers, &shown));
    seen.controls.extend(look::looking_works(markers, policy, &seen.places));
    if !left.is_empty() {
        seen.not("the removal of everything that was planted", "see \"Still in the CRM\"");
    }
    for record in order.profile.plant.iter().flat_map(|plant| &plant.record) {
        if let Some(why) = record.stays.as_ref().filter(|_| planted == PLANTED_BY_PROGRAM) {
            seen.not(
                &format!("the removal of the record \"{}\", which was emptied instead", record.name),
                why,
            );
        }
    }
    seen.not(
        "activities written to the CRM",
        "crm_api.activities was off, so that the run changes nothing but its own records",
    );
    seen.not(
        "the database of the settings",
        "nothing of the running bridge is touched: the run had databases of its own (SQLite), which were searched",
    );
    seen.not(
        "the ticket service and browsers",
        "they are another program; `cargo xtask test` drives them against the sandbox CRM and Tryton",
    );
    let verdict = match () {
        () if !found.is_empty() => Verdict::Red,
        () if seen.controls.iter().any(|control| !control.holds) => Verdict::Void,
        () => Verdict::Green,
    };
    let rows = markers.iter().enumerate().map(|(number, marker)| MarkerRow {
        name: marker.name.clone(),
        kind: format!("{:?}", marker.kind).to_lowercase(),
        leak: look::leak(marker, policy),
        sha256: marker.digest(),
        spellings: marker.spellings().len(),
        in_crm: seen.in_crm.as_ref().and_then(|seen| seen.get(number).copied()),
    });
    Report {
        format: FORMAT,
        verdict,
        began_at,
        ended_at: order.clock.now().to_string(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        crm: Crm {
            host: order.host.to_owned(),
            profile: order.profile.head.name.clone(),
            title: order.profile.head.title.clone(),
            profile_sha256: report::sha256(order.profile_text.as_bytes()),
            planted: planted.to_owned(),
        },
        policy: report::Policy {
            name: policy.name.clone(),
            number: policy.number,
            sha256: policy.hash().to_string(),
            fields: field_rows(policy, markers, &shown),
        },
        markers: rows.collect(),
        driven: seen.driven,
        not_driven: seen.not_driven,
        places: look::rows(&seen.places),
        controls: seen.controls,
        found,
        left,
        walls: wall_table().unwrap_or(WallTable { walls: Vec::new(), leaks: Vec::new() }),
    }
}

fn field_rows(policy: &Policy, markers: &[Marker], shown: &[Option<bool>]) -> Vec<FieldRow> {
    let roles = |field: &crate::policy::Field, wanted: fn(Access) -> bool| -> Vec<String> {
        let roles = Role::ALL.into_iter().filter(|role| wanted(access(field, *role)));
        roles.map(|role| role.as_str().to_owned()).collect()
    };
    let seen = |key: &str| {
        let of_field = markers.iter().zip(shown).filter(|(marker, _)| marker.field.as_deref() == Some(key));
        of_field.filter_map(|(_, seen)| *seen).reduce(|one, other| one && other)
    };
    let row = |field: &crate::policy::Field| FieldRow {
        key: field.key.clone(),
        label: field.caption(Language::En),
        shown: roles(field, |access| access == Access::Shown),
        masked: roles(field, |access| matches!(access, Access::Masked { .. })),
        seen: seen(&field.key),
    };
    policy.fields.iter().map(row).collect()
}

/// Each marker was served by the CRM when asked raw.
fn in_the_crm(markers: &[Marker], in_crm: Option<&[bool]>) -> Control {
    let says = "The CRM itself serves every marker to somebody who asks for everything.".to_owned();
    let id = "in_crm".to_owned();
    let Some(in_crm) = in_crm else {
        let detail =
            "not asked: the markers were typed in by hand, and whoever did so answers for it".to_owned();
        return Control { id, says, holds: true, detail };
    };
    let missing: Vec<&str> = markers
        .iter()
        .zip(in_crm)
        .filter(|(_, there)| !**there)
        .map(|(marker, _)| marker.name.as_str())
        .collect();
    let detail = if missing.is_empty() {
        format!("{} markers", markers.len())
    } else {
        format!("not seen there: {}", missing.join(", "))
    };
    Control { id, says, holds: missing.is_empty() && !markers.is_empty(), detail }
}

/// What may pass was seen to pass.
fn on_cards(markers: &[Marker], shown: &[Option<bool>]) -> Control {
    let missing: Vec<&str> = markers
        .iter()
        .zip(shown)
        .filter(|(_, shown)| **shown == Some(false))
        .map(|(marker, _)| marker.field.as_deref().unwrap_or(&marker.name))
        .collect();
    let count = shown.iter().filter(|shown| **shown == Some(true)).count();
    let detail = match (missing.is_empty(), count) {
        (true, 0) => "no marker stands in a field of the policy".to_owned(),
        (true, count) => format!("{count} values"),
        (false, _) => format!("never on a card: {}", missing.join(", ")),
    };
    Control {
        id: "on_cards".to_owned(),
        says: "Planted values of listed fields were seen on cards, so the search was at the right place."
            .to_owned(),
        holds: missing.is_empty() && count > 0,
        detail,
    }
}
