//! Conditions of query languages: comparisons with `and` and `or`, as SOQL, OData, COQL and their relatives share them.
//! What is not understood is refused, as a query language does.

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A name, a number, an instant or a keyword.
    Word(String),
    /// A quoted text, unescaped.
    Text(String),
    /// `(`, `)`, `,`, `=`, `>=`, …
    Symbol(String),
}

impl Token {
    /// Whether this is that keyword, in any case.
    pub fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// Whether this is that symbol.
    pub fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self, Self::Symbol(found) if found == symbol)
    }
}

/// How a quote is written within quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// `''` (OData, SQL).
    Doubled,
    /// `\'` and `\\` (SOQL).
    Backslash,
}

/// Cuts a text into tokens. None if a quote is not closed or a character is not understood.
pub fn tokens(text: &str, quoting: Quoting) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            _ if character.is_whitespace() => {}
            '\'' => {
                let mut text = String::new();
                loop {
                    match (rest.next()?, quoting) {
                        ('\\', Quoting::Backslash) => match rest.next()? {
                            'n' => text.push('\n'),
                            escaped => text.push(escaped),
                        },
                        ('\'', Quoting::Doubled) if rest.peek() == Some(&'\'') => {
                            rest.next();
                            text.push('\'');
                        }
                        ('\'', _) => break,
                        (other, _) => text.push(other),
                    }
                }
                tokens.push(Token::Text(text));
            }
            '(' | ')' | ',' | '=' => tokens.push(Token::Symbol(character.to_string())),
            '<' | '>' | '!' => {
                let mut symbol = character.to_string();
                symbol.extend(rest.next_if_eq(&'='));
                tokens.push(Token::Symbol(symbol));
            }
            _ if is_word(character) => {
                let mut word = character.to_string();
                while let Some(next) = rest.next_if(|next| is_word(*next)) {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
            _ => return None,
        }
    }
    Some(tokens)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.' | '-' | ':' | '+' | '@' | '$' | '*' | '/')
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// All of them.
    All(Vec<Condition>),
    /// One of them.
    Any(Vec<Condition>),
    /// A comparison.
    Test(Test),
}

/// A comparison of a member with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The member.
    pub field: String,
    /// `=`, `>`, `>=`, `<`, `<=` or `like`, however the language writes it.
    pub operator: &'static str,
    /// The value; a quoted one without its quotes.
    pub value: String,
    /// Whether the value was quoted.
    pub quoted: bool,
}

impl Condition {
    /// Parses a whole list of tokens.
    pub fn parse(tokens: &[Token]) -> Option<Self> {
        let mut at = 0;
        let condition = any(tokens, &mut at)?;
        (at == tokens.len()).then_some(condition)
    }

    /// Whether it holds, given what each comparison says.
    pub fn holds(&self, test: &mut impl FnMut(&Test) -> bool) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(test)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(test)),
            Self::Test(one) => test(one),
        }
    }

    /// All comparisons in it.
    pub fn tests(&self) -> Vec<&Test> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::tests).collect(),
            Self::Test(one) => vec![one],
        }
    }
}

fn any(tokens: &[Token], at: &mut usize) -> Option<Condition> {
    let mut parts = vec![all(tokens, at)?];
    while tokens.get(*at).is_some_and(|token| token.is("or")) {
        *at += 1;
        parts.push(all(tokens, at)?);
    }
    if parts.len() == 1 { parts.pop() } else { Some(Condition::Any(parts)) }
}

fn all(tokens: &[Token], at: &mut usize) -> Option<Condition> {
    let mut parts = vec![single(tokens, at)?];
    while tokens.get(*at).is_some_and(|token| token.is("and")) {
        *at += 1;
        parts.push(single(tokens, at)?);
    }
    if parts.len() == 1 { parts.pop() } else { Some(Condition::All(parts)) }
}

fn single(tokens: &[Token], at: &mut usize) -> Option<Condition> {
    if tokens.get(*at)?.is_symbol("(") {
        *at += 1;
        let inner = any(tokens, at)?;
        return tokens.get(*at)?.is_symbol(")").then(|| {
            *at += 1;
            inner
        });
    }
    let Token::Word(field) = tokens.get(*at)? else { return None };
    let operator = operator(tokens.get(*at + 1)?)?;
    let (value, quoted) = match tokens.get(*at + 2)? {
        Token::Word(word) => (word.clone(), false),
        Token::Text(text) => (text.clone(), true),
        Token::Symbol(_) => return None,
    };
    *at += 3;
    Some(Condition::Test(Test { field: field.clone(), operator, value, quoted }))
}

fn operator(token: &Token) -> Option<&'static str> {
    let known = [
        ("=", "="),
        ("eq", "="),
        (">", ">"),
        ("gt", ">"),
        (">=", ">="),
        ("ge", ">="),
        ("<", "<"),
        ("lt", "<"),
        ("<=", "<="),
        ("le", "<="),
        ("like", "like"),
    ];
    let (Token::Word(text) | Token::Symbol(text)) = token else { return None };
    known.into_iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, operator)| operator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, quoting: Quoting) -> Option<Condition> {
        Condition::parse(&tokens(text, quoting)?)
    }

    #[test]
    fn conditions_bind_as_usual_and_quotes_are_escaped_as_said() {
        let condition =
            parsed(r"(Email = 'o\'brien@x.example' OR Phone = 'a') AND Id > '003'", Quoting::Backslash);
        let condition = condition.unwrap();
        let fields: Vec<&str> = condition.tests().iter().map(|test| test.field.as_str()).collect();
        assert_eq!(fields, ["Email", "Phone", "Id"]);
        assert_eq!(condition.tests()[0].value, "o'brien@x.example");
        assert!(!condition.holds(&mut |test| test.field != "Id"));
        let condition =
            parsed("emailaddress1 eq 'o''brien' and modifiedon ge 2026-01-05T08:00:00Z", Quoting::Doubled);
        assert_eq!(condition.unwrap().tests()[0].value, "o'brien");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for broken in
            ["Email = 'x", "Email =", "Email", "(a = b", "a = b c = d", "a = b or", "a ; b", "a = 'x' 'y'"]
        {
            assert_eq!(parsed(broken, Quoting::Backslash), None, "{broken}");
        }
    }
}
