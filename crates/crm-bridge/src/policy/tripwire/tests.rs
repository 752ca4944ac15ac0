//! What must be seen, and 200 names, titles, addresses and numbers that must not be taken for it.

use super::*;

fn seen_as(shape: Shape, texts: &[&str]) {
    let wrong: Vec<_> =
        texts.iter().map(|text| (text, scan(text))).filter(|(_, seen)| *seen != Some(shape)).collect();
    assert!(wrong.is_empty(), "not seen as {}: {wrong:?}", shape.as_str());
}

fn nothing_seen(texts: &[&str]) {
    let wrong: Vec<_> = texts.iter().filter_map(|text| scan(text).map(|shape| (text, shape))).collect();
    assert!(wrong.is_empty(), "false alarms: {wrong:?}");
}

#[test]
fn two_hundred_ordinary_values_of_many_languages_pass() {
    let texts: Vec<&str> = include_str!("ordinary.txt").lines().collect();
    assert!(texts.len() >= 200);
    nothing_seen(&texts);
}

/// The examples of the ISO 13616 registry.
#[rustfmt::skip]
const IBANS: &[&str] = &[
    "AD1200012030200359100100", "AE070331234567890123456", "AL47212110090000000235698741", "AT611904300234573201",
    "AZ21NABZ00000000137010001944", "BA391290079401028494", "BE68539007547034", "BG80BNBG96611020345678", "BH67BMAG00001299123456",
    "BR1800360305000010009795493C1", "BY13NBRB3600900000002Z00AB00", "CH9300762011623852957", "CR05015202001026284066",
    "CY17002001280000001200527600", "CZ6508000000192000145399", "DE89370400440532013000", "DK5000400440116243",
    "DO28BAGR00000001212453611324", "EE382200221020145685", "EG380019000500000000263180002", "ES9121000418450200051332",
    "FI2112345600000785", "FO6264600001631634", "FR1420041010050500013M02606", "GB29NWBK60161331926819", "GE29NB0000000101904917",
    "GI75NWBK000000007099453", "GL8964710001000206", "GR1601101250000000012300695", "GT82TRAJ01020000001210029690",
    "HR1210010051863000160", "HU42117730161111101800000000", "IE29AIBK93115212345678", "IL620108000000099999999",
    "IQ98NBIQ850123456789012", "IS140159260076545510730339", "IT60X0542811101000000123456", "JO94CBJO0010000000000131000302",
    "KW81CBKU0000000000001234560101", "KZ86125KZT5004100100", "LB62099900000001001901229114", "LC55HEMM000100010012001200023015",
    "LI21088100002324013AA", "LT121000011101001000", "LU280019400644750000", "LV80BANK0000435195001", "LY83002048000020100120361",
    "MC5811222000010123456789030", "MD24AG000225100013104168", "ME25505000012345678951", "MK07250120000058984",
    "MR1300020001010000123456753", "MT84MALT011000012345MTLCAST001S", "MU17BOMM0101101030300200000MUR", "NL91ABNA0417164300",
    "NO9386011117947", "PK36SCBL0000001123456702", "PL61109010140000071219812874", "PS92PALS000000000400123456702",
    "PT50000201231234567890154", "QA58DOHB00001234567890ABCDEFG", "RO49AAAA1B31007593840000", "RS35260005601001611379",
    "SA0380000000608010167519", "SC18SSCB11010000000000001497USD", "SE4550000000058398257466", "SI56263300012039086",
    "SK3112000000198742637541", "SM86U0322509800000000270100", "ST68000100010051845310112", "SV62CENR00000000000000700025",
    "TL380080012345678910157", "TN5910006035183598478831", "TR330006100519786457841326", "UA213223130000026007233566001",
    "VA59001123000012345678", "VG96VPVG0000012345678901", "XK051212012345678906",
];

#[test]
fn an_iban_of_every_country_is_seen_however_it_is_written() {
    seen_as(Shape::Iban, IBANS);
    for iban in IBANS {
        let letters: Vec<char> = iban.chars().collect();
        let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
        for gap in [" ", "\u{a0}", "-", "\u{202f}"] {
            let written = format!("IBAN: {}, thanks", groups.join(gap).to_lowercase());
            assert_eq!(scan(&written), Some(Shape::Iban), "{written}");
        }
        let changed: String = iban.chars().rev().collect::<String>();
        assert_ne!(scan(&changed), Some(Shape::Iban), "{changed}");
    }
    seen_as(Shape::Iban, &["gb82-west-1234-5698-7654-32", "DE٨٩٣٧٠٤٠٠٤٤٠٥٣٢٠١٣٠٠٠"]);
    nothing_seen(&["DE88370400440532013000", "DE89370400440532013000X", "LT 12 Baltic Street"]);
}

#[test]
fn a_card_number_is_seen_if_its_issuer_and_its_check_digit_are_right() {
    seen_as(
        Shape::CardNumber,
        &[
            "card 4111 1111 1111 1111",
            "4111111111111111",
            "4111-1111-1111-1111",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "3782 822463 10005",
            "6011111111111117",
            "3530111333300000",
            "30569309025904",
            "3056 930902 5904",
            "2200 7008 1234 5675",
            "6200000000000005",
            "MC 5105105105105100 exp 12/27",
            "4222222222222",
            "٤١١١ ١١١١ ١١١١ ١١١١",
            "12 4111 1111 1111 1111",
        ],
    );
    nothing_seen(&[
        "4111 1111 1111 1112",
        "4444444444444444",
        "+41 111 111 111 111 11",
        "1234567812345670",
        "SN4111111111111111",
        "9111111111111111",
        "0000000000000000",
    ]);
}

#[test]
fn banks_are_seen_where_the_text_says_that_it_names_one() {
    seen_as(
        Shape::BankAccount,
        &[
            "BIC DEUTDEFF",
            "SWIFT: DEUTDEFF500",
            "DEUTDEFFXXX",
            "БИК 044525225",
            "40702810400000001234",
            "р/с 40817810099910004312",
            "р/с 40817 810 0 9991 0004312",
            "к/с 30101810400000000225",
        ],
    );
    nothing_seen(&["DEUTDEFF", "DATABASE", "044525225", "10702810400000001234", "40702999400000001234"]);
}

#[test]
fn numbers_of_persons_are_seen_by_their_check_digits() {
    seen_as(
        Shape::NationalNumber,
        &[
            "ИНН 7707083893",
            "инн: 500100732259",
            "INN 7707083893",
            "112-233-445 95",
            "СНИЛС 11223344595",
            "BSN 111222333",
            "85.07.30-033.28",
            "85073003328",
            "131052-308T",
            "131052A308T",
            "1 84 12 76 451 089 46",
            "184127645108946",
        ],
    );
    nothing_seen(&[
        "7707083893",
        "ИНН 7707083894",
        "500100732259",
        "11223344595",
        "112-233-445 96",
        "111222333",
        "85.07.30-033.29",
        "131052-308U",
        "331352-308T",
    ]);
}

#[test]
fn money_is_a_number_beside_a_currency() {
    seen_as(
        Shape::Money,
        &[
            "987654.32 EUR",
            "EUR 12",
            "€ 12,500",
            "12 500 ₽",
            "VIP 2M $",
            "50 тыс. руб",
            "owes $1'200",
            "12500руб",
            "US$ 5",
            "R$ 1.234,56",
            "12 euro",
            "6,50 Euro",
            "Fr. 1'200.–",
            "CHF 1’200",
            "12 500,00\u{a0}€",
            "12\u{202f}500 €",
            "1,23,456 INR",
            "₹१२,५००",
            "१२५०० रुपये",
            "١٢٬٥٠٠ ريال",
            "ريال ١٢٥٠٠",
            "₪1,200",
            "1200 ש״ח",
            "1,200 ש\"ח",
            "200 שקלים",
            "Rp 12.500.000",
            "12,5 juta rupiah",
            "500 kr",
            "1 200 Kč",
            "99 zł",
            "500元",
            "￥1200",
            "12000円",
            "500원",
            "50000 đồng",
            "12.500,- CHF",
            "EUR: 500",
            "USD -250",
            "€ (500)",
            "1.5 mln USD",
            "5 млн рублей",
            "15 000 тенге",
            "2500 грн",
            "12 000 р.",
            "PHP 12,500",
            "1500 RON",
            "TRY 4500",
            "12k€",
            "250 kruunua",
            "{\"amountMicros\":1,\"currencyCode\":\"x\"}",
            "{\"__class__\": \"Decimal\", \"decimal\": \"0\"}",
            "１２００円",
            "$5",
            "5¢",
            "12 pounds",
        ],
    );
    nothing_seen(&[
        "Rue de l'Euro",
        "Euro 6",
        "EURO 2024",
        "PHP 8",
        "12 months",
        "5 years, EUR office",
        "Dollar Street",
        "2 Euro Tools trucks".trim_start_matches("2 "),
        "Kr. 12",
        "level 500",
        "{name}",
        "Lei 500",
        "won 3 awards",
        "M 12 k",
    ]);
}

#[test]
fn money_is_seen_as_accountants_shops_and_other_continents_write_it() {
    seen_as(
        Shape::Money,
        &[
            "500 TEUR",
            "TEUR 500",
            "500 KEUR",
            "12 MEUR",
            "150kEUR",
            "2 tsd. EUR",
            "800 TCHF",
            "5000 US$",
            "5000 A$",
            "500 NT$",
            "kr 500",
            "Kr. 2500,-",
            "kr 12 500",
            "Rs. 5000",
            "Rs. 500",
            "5000-EUR",
            "5000_EUR",
            "5000–USD",
            "EUR-5000",
            "5.000,-",
            "500,-",
            "500.-",
            "ab 1200,– netto",
            "S/ 5000",
            "S/. 1500",
            "5000 bucks",
            "300 roubles",
            "Euro 5.000",
            "Fr. 500",
            "0.5 BTC",
        ],
    );
    nothing_seen(&[
        "Villa 12 Keur Gorgui",
        "Kr. Offenbach 12",
        "Kr 2024",
        "KR 06236 Seoul",
        "RS 232",
        "RS-485",
        "Audi RS 6",
        "Rm. 301",
        "FR 75001",
        "Fr. 12",
        "M/S 5000",
        "A/S 5000",
        "S/MIME 3",
        "S/N 12345",
        "10.- 12. Mai",
        "Nr. 5, 2. OG",
        "Zi. 7,-8",
        "Str. 12-14",
        "3-Kronen 12",
        "2-Euro Shop",
        "Forum-2020-EUR",
        "Euro 6",
        "Milwaukee Bucks",
        "US 5000",
        "A$AP Rocky",
        "Ke$ha 2010",
        "Micro$oft 365",
        "Teuring 500",
        "Meurer 12",
        "Keur 12",
    ]);
}

#[test]
fn an_amount_that_lost_its_currency_is_seen_when_it_is_all_there_is() {
    seen_as(
        Shape::Decimal,
        &[
            "987654.32",
            "12 500,00",
            "1.234.567,89",
            "-12500.00",
            "12'500.00",
            "1,234.5600",
            "١٢٥٠٠٫٠٠",
            "54321.00",
            "500,00",
            "-987,65",
        ],
    );
    nothing_seen(&[
        "2026.11",
        "12.04",
        "987.65",
        "1.204",
        "12.500",
        "1.2.3456",
        "10.12.2026",
        "555.01.41",
        "100.200.30.40",
        "v1234.56 beta",
    ]);
}

#[test]
fn tokens_hashes_and_keys_are_seen() {
    seen_as(Shape::WebToken, &["eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln"]);
    seen_as(Shape::HexKey, &["5f4dcc3b5aa765d61d8327deb882cf99", "key deadbeefdeadbeefdeadbeefdeadbeef"]);
    seen_as(
        Shape::Key,
        &[
            "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
            "ghp_0123456789abcdefABCDEF",
            "AKIAIOSFODNN7EXAMPLE",
            "-----BEGIN PRIVATE KEY-----",
            "Zm9vYmFyQmF6MTIzNDU2Nzg5MEFiQ2RFZkdoSWpLbE1uT3A=",
            "sk_live_0123456789abcdef",
        ],
    );
    nothing_seen(&[
        "cafe babe",
        "ASIA Pacific",
        "AKIA",
        "SG.",
        "a-very-long-name-of-a-page-with-many-words-2026-and-so-on",
        "https://www.example.org/de/unternehmen/standorte/Muenchen/Abteilung3/Team2",
    ]);
}

#[test]
fn a_long_number_does_not_hide_what_stands_beside_it() {
    let noise = "1".repeat(80);
    assert_eq!(scan(&format!("{noise} 4111111111111111x, 4111 1111 1111 1111")), Some(Shape::CardNumber));
    assert_eq!(scan(&format!("{noise} EUR")), Some(Shape::Money));
    assert_eq!(scan(&noise), None);
}

proptest::proptest! {
    #[test]
    fn no_text_whatever_breaks_the_scan(text in "\\PC{0,120}") {
        let _ = scan(&text);
    }

    #[test]
    fn digits_blanks_and_signs_in_any_order_do_not_break_the_scan(text in "[0-9٠-٩ .,'+€$A-Zדש\"{}-]{0,90}") {
        let _ = scan(&text);
    }

    #[test]
    fn short_numbers_and_names_pass(number in 0_u32..99_999_999, name in "[A-Z][a-z]{2,9} [A-Z][a-z]{2,9}") {
        proptest::prop_assert_eq!(scan(&format!("C-{number}")), None);
        proptest::prop_assert_eq!(scan(&number.to_string()), None);
        proptest::prop_assert_eq!(scan(&name), None);
    }
}

#[test]
fn a_text_is_let_go_by_its_outline_only_if_no_look_would_find_anything() {
    let ordinary = include_str!("ordinary.txt").lines().map(str::to_owned);
    let ibans = IBANS.iter().map(|iban| (*iban).to_owned());
    let told = [
        "4111 1111 1111 1111",
        "€5",
        "5 kr",
        "{\"amount\": null}",
        "BIC: DEUTDEFF",
        "DEUTDEFFXXX",
        "131052-308T",
        "12 500,00",
        "-----BEGIN",
        "$2b$12$abcdefghijkl",
        "eyJhbGciOi.eyJzdWIiOi.x",
        "БИК 044525225",
        "٥٠٠ ريال",
        "0123456789abcdef0123456789abcdef",
        "sk_live_0123456789ab",
        "112-233-445 95",
        "40702810900000000001",
    ];
    for text in ordinary.chain(ibans).chain(told.map(str::to_owned)) {
        for cut in 0..=text.len() {
            let Some(part) = text.get(cut..) else { continue };
            let by_all = LOOKS.iter().find(|look| (look.found)(part)).map(|look| look.shape);
            assert_eq!(scan(part), by_all, "{part}");
        }
    }
    for text in told {
        assert!(scan(text).is_some(), "{text}");
    }
}
