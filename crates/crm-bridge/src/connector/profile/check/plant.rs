//! `[plant]`: what it makes it can take out again, and each marker has a place and a meaning.

use super::Checker;
use crate::connector::profile::Purpose;
use crate::connector::profile::operation::Method;
use crate::connector::profile::plant::{MarkerKind, Plant, PlantRecord, Write};
use crate::connector::profile::template::{Hole, HoleName, Template};

impl Checker<'_> {
    pub(super) fn plant(&mut self) {
        let Some(plant) = &self.profile.plant else { return };
        self.require(
            !plant.rights.trim().is_empty(),
            "plant.rights",
            "say which rights the key for planting needs",
        );
        self.require(!plant.record.is_empty(), "plant", "there is no [[plant.record]]");
        let people = plant.record.iter().filter(|record| record.look_up.is_some()).count();
        self.require(
            people > 0,
            "plant.record",
            "one record is a person: give it `look_up = { email = \"…\" }`",
        );
        self.key_of_plant(plant);
        self.markers_of_plant(plant);
        for (position, record) in plant.record.iter().enumerate() {
            self.record_of_plant(plant, position, record);
        }
        for (place, operation) in plant.operations() {
            for name in operation.headers.keys() {
                self.header_name(&format!("{place}.headers"), name);
            }
            for (spot, template) in operation.templates() {
                self.template(Purpose::Plant, &place, spot, template);
            }
        }
    }

    /// How the key for planting is sent.
    fn key_of_plant(&mut self, plant: &Plant) {
        let known =
            plant.key.as_ref().is_none_or(|name| self.profile.secret_names().contains(&Some(name.clone())));
        self.require(known, "plant.key", "[auth] has no secret of this name");
        let Some(headers) = &plant.headers else { return };
        let place = "plant.headers";
        self.require(plant.key.is_none(), place, "`key` belongs to [auth]; these headers take its place");
        let holes: Vec<&Hole> = headers.values().flat_map(Template::holes).collect();
        let has_key = holes.iter().any(|hole| hole.name == HoleName::Secret(None));
        self.require(has_key, place, "`{secret}` stands nowhere: that is the key for planting");
        let known = |hole: &Hole| match &hole.name {
            HoleName::Secret(None) => true,
            HoleName::Setting(name) => self.profile.settings.contains_key(name),
            _ => false,
        };
        let strange = holes.iter().find(|hole| !known(hole)).map(|hole| hole.name.to_string());
        if let Some(name) = strange {
            self.fault(place, format!("`{{{name}}}`: here stand `{{secret}}` and what is in [settings]"));
        }
        for name in headers.keys() {
            self.header_name(place, name);
        }
    }

    fn markers_of_plant(&mut self, plant: &Plant) {
        for (name, marker) in &plant.markers {
            let place = format!("plant.markers.{name}");
            let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            self.require(plain, &place, "a marker has lower-case letters, digits and `_` in its name");
            self.require(
                marker.field.is_some() != marker.hidden.is_some(),
                &place,
                "a marker has `field`, the field of the policy that it stands in, or `hidden`, what it is a secret of",
            );
            let known = |key: &str| {
                let name = key.split_once('.').map(|(entity, name)| match entity {
                    "person" => self.profile.person.fields.contains_key(name),
                    "company" => {
                        self.profile.company.as_ref().is_some_and(|company| company.fields.contains_key(name))
                    }
                    _ => false,
                });
                name.unwrap_or(false)
            };
            if let Some(field) = marker.field.as_deref().filter(|field| !known(field)) {
                let message = format!("`{field}` is neither in [person.fields] nor in [company.fields]");
                self.fault(&place, message);
            }
            let used = plant.operations().iter().any(|(_, operation)| {
                operation.holes().any(|hole| hole.name == HoleName::Marker(name.clone()))
            });
            self.require(used, &place, "no request uses this marker");
        }
        let hidden = plant.markers.values().filter(|marker| marker.hidden.is_some()).count();
        self.require(hidden > 0, "plant.markers", "name something `hidden`: what must not come through");
    }

    fn record_of_plant(&mut self, plant: &Plant, position: usize, record: &PlantRecord) {
        let place = format!("plant.record.{position}");
        let plain =
            !record.name.is_empty() && record.name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        self.require(plain, &format!("{place}.name"), "a name has lower-case letters and `_`");
        let earlier = plant.record.get(..position).unwrap_or_default();
        let twice = earlier.iter().any(|other| other.name == record.name);
        self.require(!twice, &format!("{place}.name"), "two records have this name");
        let makes = matches!(record.make.operation().method, Method::Post | Method::Put);
        self.require(makes, &format!("{place}.make"), "a record is made by `post` or `put`");
        let reads = |method| matches!(method, Method::Get | Method::Post);
        let sound = record.read.as_ref().is_none_or(|read| reads(read.operation().method));
        self.require(
            sound,
            &format!("{place}.read"),
            "a record is read by `get`, or by `post` to an address that reads",
        );
        let removal = record.remove.operation();
        self.require(
            removal.method != Method::Get,
            &format!("{place}.remove"),
            "a record is not removed by `get`",
        );
        let own = HoleName::Made(record.name.clone());
        let operation = |write: &Option<Write>| write.as_ref().map(|write| write.operation().clone());
        let (read, close) = (operation(&record.read), operation(&record.close));
        for (what, request) in [("remove", Some(removal)), ("read", read.as_ref()), ("close", close.as_ref())]
        {
            let names_it = request.is_none_or(|request| request.has(&own));
            let message = format!("`{{{own}}}` must stand here: which record is it?");
            self.require(names_it, &format!("{place}.{what}"), &message);
        }
        self.ways_out(&place, record);
        let is_made = |name: &String| *name == record.name || earlier.iter().any(|other| other.name == *name);
        let links = record.link.iter().map(Write::operation);
        let all = [Some(record.make.operation()), read.as_ref(), close.as_ref(), Some(removal)];
        let holes: Vec<Hole> =
            all.into_iter().flatten().chain(links).flat_map(|operation| operation.holes().cloned()).collect();
        for hole in holes {
            if let HoleName::Made(name) = &hole.name
                && !is_made(name)
            {
                self.fault(&place, format!("`{{{}}}`: no record of that name is made before", hole.name));
            }
        }
        if record.make.operation().has(&own) {
            self.fault(&format!("{place}.make"), "its id is not known before it is made");
        }
        let Some(look_up) = &record.look_up else { return };
        let is = |name: &str, kind| plant.markers.get(name).is_some_and(|marker| marker.kind == kind);
        let message = "`email` names a marker of kind \"email\", `phone` one of kind \"phone\"";
        let sound = is(&look_up.email, MarkerKind::Email)
            && look_up.phone.as_ref().is_none_or(|phone| is(phone, MarkerKind::Phone));
        self.require(sound, &format!("{place}.look_up"), message);
    }

    /// What is done to a record after it was made, and how it goes.
    fn ways_out(&mut self, place: &str, record: &PlantRecord) {
        for (number, link) in record.link.iter().enumerate() {
            let writes = !matches!(link.operation().method, Method::Get | Method::Delete);
            let message = "what is done once a record is made is a `post`, `put` or `patch`";
            self.require(writes, &format!("{place}.link.{number}"), message);
        }
        let read_tells = record.deleted.is_none() || record.read.is_some();
        self.require(
            read_tells,
            &format!("{place}.deleted"),
            "this is looked up in the answer of `read`, and there is no `read`",
        );
        let Some(why) = &record.stays else { return };
        self.require(!why.trim().is_empty(), &format!("{place}.stays"), "say why the CRM can't take it out");
        let empties = matches!(record.remove.operation().method, Method::Post | Method::Put | Method::Patch);
        let seen = empties && record.read.is_some();
        self.require(
            seen,
            &format!("{place}.stays"),
            "a record that stays is emptied by `remove` (`patch`, `put` or `post`), and `read` shows that it is empty",
        );
    }

    /// Whether a marker or the id of a made record may stand there.
    pub(super) fn planted_hole(&self, purpose: Purpose, hole: &Hole) -> Result<(), String> {
        let Some(plant) = self.profile.plant.as_ref().filter(|_| purpose == Purpose::Plant) else {
            return Err("belongs to [plant]".to_owned());
        };
        match &hole.name {
            HoleName::Marker(name) if !plant.markers.contains_key(name) => {
                Err("no such marker in [plant.markers]".to_owned())
            }
            _ if hole.escape.is_none_or(|escape| escape.is_for_values()) => Ok(()),
            _ => Err("this escape is for lists of names".to_owned()),
        }
    }
}
