//! From a name as somebody wrote it to pieces that can be compared: cut, lower-cased, without accents, vowel points,
//! invisible letters, look-alikes of another script, plural s and wrappers.

use std::collections::HashSet;

/// The pieces of a name. Two that mean the same are the same: `credit_limits`, `CreditLimit`, `crédit limit`.
pub(super) fn tokens(name: &str, wrappers: &HashSet<String>) -> Vec<String> {
    split(&clean(name))
        .into_iter()
        .map(|word| fold(&unmixed(&word)))
        .filter(|word| !wrappers.contains(word))
        .map(|word| singular(&word))
        .collect()
}

/// The further forms under which a piece is looked up: a Hebrew word without its prefixes.
pub(super) fn other_forms(token: &str) -> impl Iterator<Item = &str> {
    const PREFIXES: &[char] = &['ה', 'ו', 'ב', 'ל', 'מ', 'ש', 'כ'];
    const PREFIXES_MAX: usize = 3;
    const STEM_LETTERS_MIN: usize = 3;
    let hebrew = !token.is_empty() && token.chars().all(is_hebrew);
    let mut rest = token;
    (0..PREFIXES_MAX).map_while(move |_| {
        rest = rest.strip_prefix(PREFIXES).filter(|_| hebrew)?;
        (rest.chars().count() >= STEM_LETTERS_MIN).then_some(rest)
    })
}

/// Lower case without the accents and vowel points of the languages in the lexicon.
pub(super) fn fold(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for letter in word.chars().flat_map(char::to_lowercase).filter(|letter| !is_mark(*letter)) {
        match letter {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            other => folded.push(bare(other)),
        }
    }
    folded
}

/// Drops a plural s, from both sides of the comparison alike, so it need not be right, only the same.
pub(super) fn singular(word: &str) -> String {
    let long = word.chars().count() > 3;
    if long && !word.ends_with("ss") {
        word.strip_suffix('s').unwrap_or(word).to_owned()
    } else {
        word.to_owned()
    }
}

/// Takes out what the eye does not see and what only decorates, before the name is cut: else it would cut a word in two.
fn clean(name: &str) -> String {
    let letters: Vec<char> =
        name.chars().filter(|letter| !is_invisible(*letter) && !is_mark(*letter)).collect();
    let mut cleaned = String::with_capacity(name.len());
    for (i, &letter) in letters.iter().enumerate() {
        let beside =
            |i: Option<usize>| i.and_then(|i| letters.get(i)).is_some_and(|letter| is_hebrew(*letter));
        // ת״ז is one word: the mark of abbreviation stands inside it.
        let abbreviates = matches!(letter, '\u{5f3}' | '\u{5f4}' | '"' | '\'')
            && beside(i.checked_sub(1))
            && (beside(Some(i + 1)) || letter == '\u{5f3}');
        if !abbreviates {
            // Full-width forms (U+FF01 to U+FF5E) are ASCII, shifted.
            let shifted = u32::from(letter).checked_sub(0xfee0).filter(|code| (0x21..=0x7e).contains(code));
            cleaned.push(shifted.and_then(char::from_u32).unwrap_or(letter));
        }
    }
    cleaned
}

/// Cuts at separators and where the case says that a new word begins: `hsTotalRevenue`, `IBANNumber`.
pub(super) fn split(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (i, &letter) in letters.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|before| letters.get(before)).copied();
        let after = letters.get(i + 1).copied();
        let hump = letter.is_uppercase()
            && before.is_some_and(|b| {
                b.is_lowercase() || (b.is_uppercase() && after.is_some_and(char::is_lowercase))
            });
        let digit_edge = before.is_some_and(|b| b.is_alphanumeric() && b.is_numeric() != letter.is_numeric());
        if !letter.is_alphanumeric() || hump || digit_edge {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_alphanumeric() {
            word.push(letter);
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// A word of Latin and Cyrillic letters at once is a disguise or a slip of the keyboard: `сredit` with a Cyrillic с.
fn unmixed(word: &str) -> String {
    let latin = word.chars().filter(char::is_ascii_alphabetic).count();
    let cyrillic = word.chars().filter(|letter| ('\u{400}'..='\u{4ff}').contains(letter)).count();
    if latin == 0 || cyrillic == 0 {
        return word.to_owned();
    }
    const ALIKE: &[(char, char)] = &[
        ('а', 'a'),
        ('в', 'b'),
        ('е', 'e'),
        ('і', 'i'),
        ('к', 'k'),
        ('м', 'm'),
        ('н', 'h'),
        ('о', 'o'),
        ('р', 'p'),
        ('с', 'c'),
        ('т', 't'),
        ('у', 'y'),
        ('х', 'x'),
        ('ѕ', 's'),
        ('ј', 'j'),
    ];
    let swap = |letter: char| {
        let pair = if latin >= cyrillic {
            ALIKE.iter().find(|(other, _)| *other == letter).map(|(_, latin)| *latin)
        } else {
            ALIKE.iter().find(|(_, latin)| *latin == letter).map(|(other, _)| *other)
        };
        pair.unwrap_or(letter)
    };
    word.chars().flat_map(char::to_lowercase).map(swap).collect()
}

/// The spellings in Latin letters of a Cyrillic word: passport (ICAO), GOST, library and what people type.
pub(super) fn transliterations(word: &str) -> Vec<String> {
    // In the order of the alphabet's trouble-makers: й х ц щ ю я ж.
    const SCHEMES: [[&str; 7]; 4] = [
        ["i", "kh", "ts", "shch", "iu", "ia", "zh"],
        ["j", "h", "c", "shh", "ju", "ja", "zh"],
        ["y", "kh", "ts", "shch", "yu", "ya", "zh"],
        ["y", "h", "ts", "sch", "yu", "ya", "j"],
    ];
    let cyrillic = word.chars().any(|letter| ('\u{400}'..='\u{4ff}').contains(&letter));
    let mut spellings: Vec<String> = SCHEMES
        .iter()
        .filter(|_| cyrillic)
        .map(|scheme| word.chars().map(|letter| latin(letter, scheme)).collect())
        .collect();
    spellings.sort_unstable();
    spellings.dedup();
    spellings
}

fn latin(letter: char, scheme: &[&'static str; 7]) -> String {
    let [short_i, h, ts, shch, yu, ya, zh] = *scheme;
    #[rustfmt::skip]
    let text = match letter {
        'а' => "a", 'б' => "b", 'в' => "v", 'г' => "g", 'д' => "d", 'е' | 'ё' | 'э' => "e", 'з' => "z", 'и' => "i", 'к' => "k",
        'л' => "l", 'м' => "m", 'н' => "n", 'о' => "o", 'п' => "p", 'р' => "r", 'с' => "s", 'т' => "t", 'у' => "u", 'ф' => "f",
        'ч' => "ch", 'ш' => "sh", 'ы' => "y", 'ъ' | 'ь' => "",
        'й' => short_i, 'х' => h, 'ц' => ts, 'щ' => shch, 'ю' => yu, 'я' => ya, 'ж' => zh,
        other => return other.to_string(),
    };
    text.to_owned()
}

/// German spelled without umlauts; the word itself if it has none.
pub(super) fn without_umlauts(word: &str) -> String {
    word.replace('ä', "ae").replace('ö', "oe").replace('ü', "ue")
}

fn bare(letter: char) -> char {
    match letter {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => 'e',
        'ğ' => 'g',
        'ì'..='ï' | 'ī' | 'į' | 'ı' => 'i',
        'ł' | 'ľ' | 'ļ' => 'l',
        'ñ' | 'ń' | 'ň' | 'ņ' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => 'o',
        'ř' => 'r',
        'ś' | 'ş' | 'š' | 'ș' => 's',
        'ť' | 'ț' | 'ţ' => 't',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' | 'ų' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        'ё' => 'е',
        'й' => 'и',
        'ך' => 'כ',
        'ם' => 'מ',
        'ן' => 'נ',
        'ף' => 'פ',
        'ץ' => 'צ',
        other => other,
    }
}

fn is_hebrew(letter: char) -> bool {
    ('\u{5d0}'..='\u{5ea}').contains(&letter)
}

/// Accents that stand behind their letter (Unicode's combining marks of the scripts here), and Hebrew points.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}')
}

/// Soft hyphen, zero-width and direction marks, variation selectors, tags.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}
