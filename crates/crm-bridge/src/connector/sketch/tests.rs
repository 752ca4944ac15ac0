//! Profiles that are begun from a sample, and read.

use serde_json::json;

use super::*;
use crate::connector::pointer::Pointer;
use crate::connector::profile::operation::Operation;
use crate::connector::profile::paging::PagingKind;
use crate::policy::Entity;

fn contora() -> Value {
    json!({
        "result": { "people": [
            {
                "uid": "cl-00001", "changed": "2026-11-20T08:00:00Z", "given": "Zoë", "family": "Weiß",
                "mails": ["zoe@example.org"], "role": "Fitter",
                "tels": [{ "kind": "office", "number": "+49 30 123456" }, { "kind": "cell", "number": "+49 170 1234567" }],
                "place": { "town": "Ulm", "land": "Germany" },
                "firm": { "title": "Volga Parts", "homepage": "https://volga.example", "turnover": 1_000_000, "iban": "DE89" },
                "deals": [{ "amount": 5 }], "owner": { "email": "boss@example.org" }, "credit_limit": 55_555,
                "cf_4711": "x", "shoe size": 42, "remarks": "VIP",
            },
        ] },
        "paging": { "next_cursor": "b3Blbg", "total": 38 },
    })
}

fn begun(known: &Known, sample: &Value) -> (String, Profile) {
    let sketch =
        sketch("contora", "Contora \"CRM\"", known, Samples { list: Some(sample), one: None }).unwrap();
    let profile = Profile::load(&sketch.text).unwrap();
    for note in &sketch.notes {
        assert!(!note.contains('@') && !note.contains("Volga") && !note.contains("55"), "a value: {note}");
    }
    for value in ["Zo", "zoe@", "Ulm", "Volga", "boss@", "DE89", "55555", "b3Blbg"] {
        assert!(!sketch.text.contains(value), "{value} of the sample stands in the profile");
    }
    (sketch.text, profile)
}

#[test]
fn a_sample_becomes_a_profile_that_denies_what_the_lexicon_knows() {
    let known = Known {
        base_url: Some("https://crm.example.org".to_owned()),
        proof: Some(Proof::Header("X-Contora-Key".to_owned())),
        list: Some("/v1/clients".to_owned()),
        email_parameter: Some("mail".to_owned()),
        phone_parameter: Some("tel".to_owned()),
        changed_parameter: Some("changed_after".to_owned()),
        ..Known::default()
    };
    let (text, profile) = begun(&known, &contora());
    assert_eq!(profile.head.title, "Contora \"CRM\"");
    assert_eq!(profile.answer.records, Some(Pointer::try_from("/result/people".to_owned()).unwrap()));
    assert_eq!(profile.person.id, Pointer::member("uid").unwrap());
    let places = |name: &str| {
        profile.sources(Entity::Person, name).iter().map(|one| one.paths()[0].join(".")).collect::<Vec<_>>()
    };
    assert_eq!(places("name"), ["given"]);
    assert_eq!(
        (places("email"), places("mobile")),
        (vec!["mails".to_owned()], vec!["tels.number".to_owned()])
    );
    assert_eq!(
        (places("city"), places("country")),
        (vec!["place.town".to_owned()], vec!["place.land".to_owned()])
    );
    assert_eq!(places("job_title"), ["role"]);
    assert_eq!(profile.sources(Entity::Company, "website")[0].paths(), [["homepage"]]);
    for path in ["deals", "owner", "credit_limit", "firm.turnover", "firm.iban", "remarks"] {
        assert!(profile.deny.paths.iter().any(|denied| denied == path), "{path}: {:?}", profile.deny.paths);
    }
    assert!(!text.contains("boss") && places("email").iter().all(|place| !place.contains("owner")));
    assert!(
        text.contains("# a name that says nothing; if support needs it: … = { at = \"/cf_4711\""),
        "{text}"
    );
    let has = |operation: &Option<Operation>, name: &str| {
        operation.as_ref().is_some_and(|operation| operation.query.contains_key(name))
    };
    assert!(has(&profile.person.by_phone, "tel") && has(&profile.person.changed, "changed_after"));
    assert!(has(&profile.person.changed, "cursor"), "pages have a cursor: {text}");
    assert_eq!(profile.paging.total, Some(Pointer::try_from("/paging/total".to_owned()).unwrap()));
}

#[test]
fn a_bare_list_and_a_single_record_will_do_and_what_is_not_there_is_said() {
    let known = Known { list: Some("people".to_owned()), ..Known::default() };
    let list =
        json!([{ "id": 7, "name": "A", "email": null }, { "id": 8, "name": "B", "email": "b@example.org" }]);
    let (text, profile) = begun(&known, &list);
    assert!(
        profile.person.changed.is_none() && profile.person.by_phone.is_none() && profile.company.is_none(),
        "{text}"
    );
    let (_, profile) = begun(&known, &list[1]);
    assert_eq!(profile.answer.records, Some(Pointer::default()));
    for sample in [json!(null), json!(5), json!([]), json!([1, 2]), json!({})] {
        assert!(sketch("x", "X", &known, Samples { list: Some(&sample), one: None }).is_err(), "{sample}");
    }
    let odd = json!([{ "a b": 1, "*": { "/": "x@example.org" }, "~": [] }]);
    assert!(
        sketch("x", "X", &known, Samples { list: Some(&odd), one: None }).is_err(),
        "nothing that a profile can name"
    );
}

#[test]
fn the_name_of_something_else_is_not_taken_for_the_persons() {
    let sample = json!([{ "kid": "k1", "vorname": "A", "nachname": "B", "mail": "a@example.org", "vertrag": { "name": "C" } }]);
    let (_, profile) = begun(&Known { list: Some("/kontakte".to_owned()), ..Known::default() }, &sample);
    let paths = profile.sources(Entity::Person, "name")[0].paths();
    assert_eq!(
        (paths, profile.person.id.segments()),
        (vec![vec!["vorname"], vec!["nachname"]], &["kid".to_owned()][..])
    );
}

#[test]
fn every_way_to_say_who_asks_makes_a_profile_that_loads() {
    for proof in ["bearer", "basic", "header:X-Api-Key", "client-credentials:/oauth/token"] {
        let known = Known {
            proof: Some(proof.parse().unwrap()),
            select_parameter: Some("fields".into()),
            ..Known::default()
        };
        let (text, profile) = begun(&known, &contora());
        assert!(!profile.select.none && text.contains("\"fields\" = \"{select:comma}\""), "{text}");
    }
    for wrong in ["", "Bearer x", "header:", "client-credentials:token", "basic:x"] {
        assert!(wrong.parse::<Proof>().is_err(), "{wrong}");
    }
    let plain = sketch("x", "X", &Known::default(), Samples::default()).unwrap();
    assert!(Profile::load(&plain.text).unwrap().select.none);
}

#[test]
fn pages_the_envelope_of_one_record_and_lists_of_texts_are_seen() {
    let list = json!({
        "dados": { "pessoas": [{
            "id": 7, "nome": "A", "email": "a@example.org", "observacoes": ["rang in May"],
            "fones": [{ "label": "Work", "type": "office", "fone": "+55 11 5555-0101" }],
        }] },
        "paging": { "page": 0, "pages": 4, "total_items": 31, "has_more": true },
    });
    let one = json!({ "dados": { "pessoa": list["dados"]["pessoas"][0].clone() }, "id": 1 });
    let known = Known {
        list: Some("/pessoas".to_owned()),
        changed_parameter: Some("alterado_desde".to_owned()),
        page_parameter: Some("pagina".to_owned()),
        ..Known::default()
    };
    let begun = |known: &Known, one| sketch("x", "X", known, Samples { list: Some(&list), one }).unwrap();
    let sketch = begun(&known, Some(&one));
    let profile = Profile::load(&sketch.text).unwrap();
    let at = |path: &str| Some(Pointer::try_from(path.to_owned()).unwrap());
    assert_eq!(
        (&profile.answer.records, &profile.answer.record),
        (&at("/dados/pessoas"), &at("/dados/pessoa"))
    );
    assert_eq!((profile.paging.kind, profile.paging.first), (PagingKind::Page, 0));
    assert_eq!(
        (&profile.paging.total, &profile.paging.more),
        (&at("/paging/total_items"), &at("/paging/has_more"))
    );
    assert!(profile.person.page.query.contains_key("pagina"), "{}", sketch.text);
    assert!(
        sketch.text.contains("where = { 'type' = 'office' }") || sketch.text.contains("type\" = \"office"),
        "{}",
        sketch.text
    );
    assert!(profile.deny.paths.contains(&"observacoes".to_owned()), "{:?}", profile.deny.paths);
    // What was said of changes is not lost, though no record says when it was changed.
    assert!(profile.person.changed.is_none() && sketch.text.contains("# changed = "), "{}", sketch.text);
    assert!(
        sketch.text.contains("alterado_desde") && sketch.notes.iter().any(|note| note.contains("`changed`"))
    );
    assert_eq!(profile.sources(Entity::Person, "name")[0].paths(), [["nome"]]);
    assert!(!sketch.notes.iter().any(|note| note.contains("--one")));
    assert!(begun(&known, None).notes.iter().any(|note| note.contains("--one")), "an envelope is likely");
    let unasked = begun(&Known { changed_parameter: None, ..known }, Some(&one));
    assert!(!unasked.text.contains("# changed = "), "{}", unasked.text);
    let foreign = json!({ "message": "hello" });
    let refused =
        super::sketch("x", "X", &Known::default(), Samples { list: Some(&list), one: Some(&foreign) });
    assert!(refused.unwrap_err().contains("one record"));
}

#[test]
fn a_page_parameter_that_was_named_counts_also_where_the_sample_shows_no_pages() {
    let unsaid = json!({ "items": [{ "id": 7, "name": "A", "email": "a@example.org" }] });
    let known =
        Known { list: Some("/people".to_owned()), page_parameter: Some("p".to_owned()), ..Known::default() };
    let begun = |list: Option<&Value>| sketch("x", "X", &known, Samples { list, one: None }).unwrap();
    for list in [Some(&unsaid), None] {
        let sketch = begun(list);
        let profile = Profile::load(&sketch.text).unwrap();
        assert_eq!((profile.paging.kind, profile.paging.first), (PagingKind::Page, 1));
        assert!(profile.person.page.query.contains_key("p"), "{}", sketch.text);
        assert!(sketch.notes.iter().any(|note| note.contains("`p`")), "{:?}", sketch.notes);
    }
    let mut linked = unsaid.clone();
    linked["links"] = json!({ "next": "https://crm.example.org/people?p=2" });
    let sketch = begun(Some(&linked));
    assert!(sketch.notes.iter().any(|note| note.contains("`p` is not used")), "{:?}", sketch.notes);
}
