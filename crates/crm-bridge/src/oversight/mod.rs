//! The rules of wall 4 that need no database: how many customers an operator may look at ([`budget`]), in which hour and
//! day that is ([`window`]), and what looks like somebody trying doors ([`anomaly`]).

pub mod anomaly;
pub mod budget;
pub mod window;

use bridge_contract::{ViewerId, ViewerRole};
use jiff::tz::TimeZone;
use serde::Deserialize;

use self::anomaly::Thresholds;
use self::budget::Limits;
use self::window::UsualHours;

/// Section `[budgets]`: how many different customers one operator may look at.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetsConfig {
    /// Operators of the first line.
    pub line1: Limits,
    /// Operators of the second line.
    pub line2: Limits,
    /// Operators of the third line.
    pub line3: Limits,
    /// Supervisors.
    pub supervisor: Limits,
    /// Programs with an API key, whatever their role.
    pub program: Limits,
    /// Customers a day beyond the budget, with a reason.
    pub break_glass_day: u32,
}

/// Section `[oversight]`: what supervisors are told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OversightConfig {
    /// Where a day begins at midnight, as the IANA database calls it.
    pub time_zone: String,
    /// From when to when people usually work, such as `07:00-21:00`; empty for around the clock.
    pub usual_hours: String,
    /// On which days.
    pub usual_days: Vec<String>,
    /// How long looks are kept for the supervisors' page.
    pub looks_kept_days: u32,
    /// From where on something is an anomaly.
    pub anomalies: Thresholds,
}

/// The rules as configured. Made once.
#[derive(Debug, Clone)]
pub struct Rules {
    budgets: BudgetsConfig,
    zone: TimeZone,
    usual: Option<UsualHours>,
    /// From where on something is an anomaly.
    pub thresholds: Thresholds,
    /// How long looks are kept.
    pub looks_kept_ms: i64,
}

impl Rules {
    /// Checks the settings.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn new(budgets: &BudgetsConfig, oversight: &OversightConfig) -> Result<Self, String> {
        let all = [
            ("line1", budgets.line1),
            ("line2", budgets.line2),
            ("line3", budgets.line3),
            ("supervisor", budgets.supervisor),
            ("program", budgets.program),
        ];
        for (name, limits) in all {
            limits.check().map_err(|why| format!("budgets.{name}: {why}"))?;
        }
        let zone = TimeZone::get(&oversight.time_zone).map_err(|_| {
            format!("oversight.time_zone: there is no time zone `{}` on this machine", oversight.time_zone)
        })?;
        let usual = UsualHours::parse(&oversight.usual_hours, &oversight.usual_days)
            .map_err(|why| format!("oversight.{why}"))?;
        Ok(Self {
            budgets: *budgets,
            zone,
            usual,
            thresholds: oversight.anomalies,
            looks_kept_ms: i64::from(oversight.looks_kept_days) * 86_400_000,
        })
    }

    /// The limits of somebody in a role.
    #[must_use]
    pub fn limits(&self, operator: &ViewerId, role: ViewerRole) -> Limits {
        if operator.as_str().starts_with("key_") {
            return self.budgets.program;
        }
        match role {
            ViewerRole::Line1 => self.budgets.line1,
            ViewerRole::Line2 => self.budgets.line2,
            ViewerRole::Line3 => self.budgets.line3,
            ViewerRole::Supervisor => self.budgets.supervisor,
        }
    }

    /// For how many customers a day somebody may break the glass. Programs never.
    #[must_use]
    pub fn break_glass_day(&self, operator: &ViewerId) -> u32 {
        if operator.as_str().starts_with("key_") { 0 } else { self.budgets.break_glass_day }
    }

    /// The hour and the day of an instant.
    #[must_use]
    pub fn windows(&self, now: service_kit::Timestamp) -> window::Windows {
        window::Windows::at(now, &self.zone)
    }

    /// Whether nobody usually works then.
    #[must_use]
    pub fn is_unusual(&self, now: service_kit::Timestamp) -> bool {
        self.usual.as_ref().is_some_and(|usual| !usual.includes(now, &self.zone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn rules(settings: &[(&str, &str)]) -> Result<Rules, String> {
        let variables =
            settings.iter().map(|(key, value)| (format!("GUICHET_BRIDGE__{key}"), (*value).to_owned()));
        let config = Config::load(None, variables).unwrap();
        Rules::new(&config.budgets, &config.oversight)
    }

    #[test]
    fn the_defaults_are_sound_and_a_program_has_limits_of_its_own() {
        let rules = rules(&[("BUDGETS__PROGRAM__HOUR_HARD", "77")]).unwrap();
        let program = rules.limits(&ViewerId::new("key_0193aabb").unwrap(), ViewerRole::Line1);
        assert_eq!(program.hour_hard, 77);
        assert_eq!(rules.break_glass_day(&ViewerId::new("key_0193aabb").unwrap()), 0);
        let person = rules.limits(&ViewerId::new("opr_0193aabb").unwrap(), ViewerRole::Line1);
        assert!(person.hour_hard < 77 && rules.break_glass_day(&ViewerId::new("opr_0193aabb").unwrap()) > 0);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_settings_name() {
        for (key, value, part) in [
            ("BUDGETS__LINE1__HOUR_SOFT", "9999", "budgets.line1"),
            ("BUDGETS__LINE2__DAY_HARD", "1", "budgets.line2"),
            ("BUDGETS__SUPERVISOR__HOUR_HARD", "0", "budgets.supervisor"),
            ("OVERSIGHT__TIME_ZONE", "Mars/Base", "oversight.time_zone"),
            ("OVERSIGHT__USUAL_HOURS", "nine to five", "oversight.usual_hours"),
        ] {
            let error = rules(&[(key, value)]).unwrap_err();
            assert!(error.starts_with(part), "{key}: {error}");
        }
    }
}
