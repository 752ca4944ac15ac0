//! Reads a whole answer: finds the records in what stands around them and walks each one.

use super::answer::RawAnswer;
use super::cursor::{Begins, Broken, Cursor};
use super::frame::{Around, Kind, Seen, Spot};
use super::names::number_of;
use super::plan::Plan;
use super::scan::{Unfit, text_of};
use super::sink::Sink;
use super::take::Record;
use super::walk::{Place, Walk};
use super::watch::KeyWatch;
use crate::connector::profile::Shape;
use crate::connector::profile::answer::ErrorRule;
use crate::policy::held::Texts;
#[cfg(feature = "sabotage")]
use crate::walls::Wall;
use crate::walls::Walls;

/// Why an answer is not one that the bridge reads. Says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// No bytes.
    Empty,
    /// Not JSON, or not in UTF-8.
    NotJson,
    /// Nested too deeply.
    TooDeep,
    /// JSON, but the records are not where the profile says.
    UnexpectedShape,
    /// An error, although the status was 200: a rule of the profile says so.
    ErrorInside {
        /// Whether its code is one of those that say that we ask too often.
        throttled: bool,
    },
}

/// One page of a list.
#[derive(Default)]
pub struct Page {
    /// Its records.
    pub records: Vec<Record>,
    /// The cursor or link of the next page, where the profile says that there is one.
    pub next: Option<String>,
    /// The cursor or link of what comes after this list, where the profile says that there is one.
    pub delta: Option<String>,
    /// How many records there are on all pages, if the answer says so.
    pub total: Option<u64>,
    /// Whether the answer says that there is a next page; none if it does not say.
    pub more: Option<bool>,
}

/// Reads the answer of a list endpoint: its records, and where the next page begins. One record in place of the list
/// passes, if it has an id, and so does an object of records, as PHP writes a list that has a gap.
///
/// # Errors
/// [`Unreadable`].
pub fn read_list(
    answer: &RawAnswer,
    plan: &Plan,
    shape: &Shape,
    watch: &KeyWatch,
    walls: Walls,
) -> Result<Page, Unreadable> {
    let text = text_in(answer)?;
    #[cfg(feature = "sabotage")]
    if !walls.stands(Wall::Parse) {
        return super::bypass::read_list(text, plan, shape)
            .map(|records| Page { records, ..Page::default() });
    }
    let _ = walls;
    let reader = Reader { text, plan, shape, watch };
    let around = Around::new(shape, Kind::List);
    let list = reader.read(&around, Kind::List)?;
    let records = match list.found {
        Some(Where::List) => list.records,
        Some(Where::Object) => {
            let one = reader.read(&around, Kind::One)?.records;
            if one.iter().any(|record| record.id.is_some()) {
                one
            } else {
                let records = reader.read(&around, Kind::Map)?.records;
                let is_map = records.iter().all(|record| record.id.is_some());
                let is_list = !records.is_empty() || !shape.records.segments().is_empty();
                if is_map && is_list { records } else { return Err(Unreadable::UnexpectedShape) }
            }
        }
        None => return Err(Unreadable::UnexpectedShape),
    };
    Ok(Page {
        records,
        next: list.seen.next,
        delta: list.seen.delta,
        total: list.seen.total,
        more: list.seen.more,
    })
}

/// Reads the answer of a single-record endpoint. None if it says that there is nothing: null, `false` or an empty list.
///
/// # Errors
/// [`Unreadable`].
pub fn read_one(
    answer: &RawAnswer,
    plan: &Plan,
    shape: &Shape,
    watch: &KeyWatch,
    walls: Walls,
) -> Result<Option<Record>, Unreadable> {
    let text = text_in(answer)?;
    #[cfg(feature = "sabotage")]
    if !walls.stands(Wall::Parse) {
        return super::bypass::read_one(text, plan, shape).map(Some);
    }
    let _ = walls;
    let reader = Reader { text, plan, shape, watch };
    let around = Around::new(shape, Kind::One);
    if !shape.errors.is_empty() {
        // What is looked at may lie inside of what is the record if all is well.
        reader.read(&around, Kind::Nothing)?;
    }
    let mut out = reader.read(&around, Kind::One)?;
    match (out.found, out.records.pop()) {
        (Some(_), None) => Ok(None),
        (Some(_), Some(record)) if out.records.is_empty() => Ok(Some(record)),
        _ => Err(Unreadable::UnexpectedShape),
    }
}

fn text_in(answer: &RawAnswer) -> Result<&str, Unreadable> {
    text_of(answer.bytes()).map_err(|unfit| match unfit {
        Unfit::Empty => Unreadable::Empty,
        Unfit::NotUtf8 => Unreadable::NotJson,
        Unfit::TooDeep => Unreadable::TooDeep,
    })
}

impl From<Broken> for Unreadable {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Syntax => Self::NotJson,
            Broken::TooDeep => Self::TooDeep,
        }
    }
}

/// All that is needed to read one answer.
struct Reader<'p, 'de> {
    text: &'de str,
    plan: &'p Plan,
    shape: &'p Shape,
    watch: &'p KeyWatch,
}

impl<'p, 'de> Reader<'p, 'de> {
    fn read(&self, around: &Around, kind: Kind) -> Result<Output<'p, 'de>, Unreadable> {
        let mut out = Output {
            plan: self.plan,
            errors: &self.shape.errors,
            within: self.shape.within.segments(),
            kind,
            walk: Walk::new(self.watch),
            sink: Sink::default(),
            records: Vec::new(),
            // What is taken is a part of the answer.
            texts: Texts::with_room(self.text.len() / 2),
            seen: Seen::default(),
            found: None,
        };
        let mut json = Cursor::new(self.text, self.plan.limits.depth_max);
        let read = out.around(around, &mut json).and_then(|()| json.end());
        self.watch.add(&out.walk.tally);
        out.texts.close();
        read?;
        if out.seen.error {
            return Err(Unreadable::ErrorInside { throttled: out.seen.throttled });
        }
        Ok(out)
    }
}

/// What stands where the records should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    /// What was expected.
    List,
    /// An object instead of a list.
    Object,
}

/// What has been read so far.
struct Output<'p, 'de> {
    plan: &'p Plan,
    errors: &'p [ErrorRule],
    within: &'p [String],
    kind: Kind,
    walk: Walk<'p, 'de>,
    sink: Sink<'de>,
    records: Vec<Record>,
    texts: Texts,
    seen: Seen,
    found: Option<Where>,
}

impl<'p, 'de> Output<'p, 'de> {
    /// Finds the records, and what is looked at beside them, in what is wrapped around them.
    fn around(&mut self, place: &Around, json: &mut Cursor<'de>) -> Result<(), Broken> {
        let begins_records = place.has(Spot::Records) && self.found.is_none() && self.kind != Kind::Nothing;
        match json.begins()? {
            Begins::Object => self.object(place, begins_records, json),
            Begins::List => self.list(place, begins_records, json),
            Begins::Scalar if place.spots.is_empty() => json.skip(),
            Begins::Scalar => {
                let found = json.scalar()?;
                self.seen.scalar(place, &found, self.errors, &self.plan.throttling);
                if place.has(Spot::Records) && self.kind == Kind::One && found.is_nothing() {
                    self.found = Some(Where::List);
                }
                Ok(())
            }
        }
    }

    fn object(&mut self, place: &Around, begins_records: bool, json: &mut Cursor<'de>) -> Result<(), Broken> {
        match self.kind {
            Kind::One if begins_records => {
                self.found = Some(Where::List);
                return self.record(json);
            }
            Kind::Map if begins_records => {
                self.found = Some(Where::List);
                return self.records_of_map(json);
            }
            _ if begins_records => self.found = Some(Where::Object),
            _ => {}
        }
        json.open()?;
        let mut is_empty = true;
        while let Some(name) = json.name()? {
            is_empty = false;
            match place.members.find(&name, number_of(&name)) {
                Some(inner) => self.around(inner, json)?,
                None => json.skip()?,
            }
        }
        if !is_empty {
            self.seen.structure(place, self.errors);
        }
        Ok(())
    }

    fn list(&mut self, place: &Around, begins_records: bool, json: &mut Cursor<'de>) -> Result<(), Broken> {
        json.open()?;
        if begins_records && self.kind != Kind::Map {
            self.found = Some(Where::List);
            return self.records_of_list(json);
        }
        if json.entry()? {
            self.seen.structure(place, self.errors);
            json.skip()?;
            json.skip_rest()?;
        } else if place.has(Spot::RecordsInside) && self.kind == Kind::List && self.found.is_none() {
            self.found = Some(Where::List);
        }
        Ok(())
    }

    fn records_of_list(&mut self, json: &mut Cursor<'de>) -> Result<(), Broken> {
        // Of a list that should have one entry, two are enough to know that it is none.
        let most = if self.kind == Kind::One { 2 } else { self.plan.limits.records_max };
        while self.records.len() < most {
            if !json.entry()? {
                return Ok(());
            }
            self.record(json)?;
        }
        json.skip_rest()
    }

    fn records_of_map(&mut self, json: &mut Cursor<'de>) -> Result<(), Broken> {
        json.open()?;
        while json.name()?.is_some() {
            if self.records.len() < self.plan.limits.records_max {
                self.record(json)?;
            } else {
                json.skip()?;
            }
        }
        Ok(())
    }

    /// Reads one record into cells that are made empty before.
    fn record(&mut self, json: &mut Cursor<'de>) -> Result<(), Broken> {
        self.sink.reset(self.plan.cells);
        // In a list the record may be inside of what is listed; the answer for one says where it is by itself.
        let path = if self.kind == Kind::List { self.within } else { &[] };
        self.within(path, json)?;
        self.records.push(Record::take(self.plan, &self.sink, &mut self.texts));
        Ok(())
    }

    /// A record that may be inside of what is listed.
    fn within(&mut self, path: &[String], json: &mut Cursor<'de>) -> Result<(), Broken> {
        let Some((wanted, rest)) = path.split_first() else {
            return Place { node: &self.plan.root, sink: &mut self.sink, walk: &mut self.walk }.read(json);
        };
        if json.begins()? != Begins::Object {
            return json.skip();
        }
        json.open()?;
        while let Some(name) = json.name()? {
            if name == **wanted {
                self.within(rest, json)?;
            } else {
                json.skip()?;
            }
        }
        Ok(())
    }
}

/// Fills a record from a value that was built as a whole, for [`super::bypass`].
#[cfg(feature = "sabotage")]
pub(super) fn record_of(value: &serde_json::Value, plan: &Plan) -> Record {
    let mut sink = Sink::default();
    sink.reset(plan.cells);
    let text = value.to_string();
    if let Ok(lexicon) = crate::policy::lexicon::Lexicon::with(&[]) {
        let watch = KeyWatch::new(lexicon);
        let mut walk = Walk::new(&watch);
        // A value that has been built once can be walked again without error.
        let _ = Place { node: &plan.root, sink: &mut sink, walk: &mut walk }
            .read(&mut Cursor::new(&text, plan.limits.depth_max));
    }
    let mut texts = Texts::default();
    let record = Record::take(plan, &sink, &mut texts);
    texts.close();
    record
}
