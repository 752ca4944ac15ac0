//! What customers ask in the demo, and what support answers.

/// One conversation.
pub(super) struct Story {
    pub(super) language: &'static str,
    pub(super) subject: &'static str,
    pub(super) question: &'static str,
    /// What colleagues write to each other.
    pub(super) note: &'static str,
    pub(super) answer: &'static str,
    pub(super) queue: &'static str,
    pub(super) tags: &'static [&'static str],
}

/// Queues of the demo.
pub(super) const QUEUES: [&str; 4] = ["Access", "Devices", "Software", "Orders"];

/// The conversations in this language, else the English ones.
pub(super) fn told_in(language: &str) -> Vec<&'static Story> {
    let told: Vec<_> = STORIES.iter().filter(|story| story.language == language).collect();
    if told.is_empty() { STORIES.iter().filter(|story| story.language == "en").collect() } else { told }
}

const STORIES: &[Story] = &[
    Story {
        language: "en",
        subject: "Coupling stuck on unit 16",
        question: "The line stops after about ten minutes and the display shows E-204. We switched it off and on \
                   twice. It started after yesterday's update.",
        note: "Third case this week with firmware 5.2, always after the night update.",
        answer: "Thank you for the details. Please hold the reset key for ten seconds and tell us the number on the \
                 plate at the back; we suspect the update and can take it back from here.",
        queue: "Devices",
        tags: &["firmware", "batch-05"],
    },
    Story {
        language: "en",
        subject: "Cannot sign in since this morning",
        question: "My password is refused although I have not changed it. A colleague at the next desk can sign in.",
        note: "Account locked after eight attempts from an old phone.",
        answer: "Your account was locked because an old phone kept trying the former password. It is open again; \
                 please remove the account from that phone.",
        queue: "Access",
        tags: &["password"],
    },
    Story {
        language: "en",
        subject: "Report shows last month's figures",
        question: "The Monday report still has October in its title and the numbers do not change when I reload it.",
        note: "Cache of the report server; restart planned for tonight.",
        answer: "The report server kept an old copy. We have cleared it; please open the report once more and tell us \
                 whether November shows.",
        queue: "Software",
        tags: &["reports"],
    },
    Story {
        language: "en",
        subject: "Scanner in the warehouse loses its connection",
        question: "Scanner 7 drops out near gate C several times a shift. The other scanners are fine there.",
        note: "Looks like the antenna, same as scanner 3 in May.",
        answer: "We are sending a replacement for scanner 7. Until it arrives, please use the spare one in cabinet 2.",
        queue: "Devices",
        tags: &["hardware", "warehouse"],
    },
    Story {
        language: "en",
        subject: "Delivery address of an order is wrong",
        question: "Our last order went to the old office although we gave you the new address in spring.",
        note: "Address was changed for one site only.",
        answer: "We are sorry about the detour. The new address now stands for all your sites, and the parcel is on its \
                 way back to you.",
        queue: "Orders",
        tags: &["delivery"],
    },
    Story {
        language: "en",
        subject: "How do I add a new colleague?",
        question: "Somebody joins us on Monday and needs access to the portal and to the calendar.",
        note: "Standard access, no approval needed.",
        answer: "The access is prepared: your colleague gets a mail on Monday at eight with everything needed to start.",
        queue: "Access",
        tags: &["new-colleague"],
    },
    Story {
        language: "ru",
        subject: "Не печатает принтер на складе",
        question: "С утра принтер в комнате 12 мигает красным и не печатает накладные. Бумагу и картридж проверили.",
        note: "У этой модели так бывает после отключения питания, помогает сброс очереди печати.",
        answer: "Здравствуйте! Очистили очередь печати со своей стороны. Пожалуйста, выключите принтер на минуту и \
                 попробуйте ещё раз. Получилось?",
        queue: "Devices",
        tags: &["printer"],
    },
    Story {
        language: "ru",
        subject: "Не могу войти в личный кабинет",
        question: "Пишет «неверный пароль», хотя вчера всё работало. Письмо для восстановления не приходит.",
        note: "Письма уходили в спам из-за старой записи SPF у клиента.",
        answer: "Доступ восстановлен, временная ссылка отправлена. Если письма снова нет, проверьте папку «Спам»: \
                 мы поправили настройки отправки.",
        queue: "Access",
        tags: &["password", "mail"],
    },
    Story {
        language: "ru",
        subject: "После обновления пропали настройки",
        question: "После вчерашнего обновления программа забыла все шаблоны. Их можно вернуть?",
        note: "Шаблоны лежат в резервной копии за вторник, восстановление минут на двадцать.",
        answer: "Шаблоны целы и уже восстановлены из резервной копии. Перезапустите, пожалуйста, программу.",
        queue: "Software",
        tags: &["update"],
    },
    Story {
        language: "ru",
        subject: "Когда приедет инженер?",
        question: "Договаривались на среду, но точного времени нам так и не сказали. Цех стоит.",
        note: "Инженер едет из Калининграда, будет к обеду.",
        answer: "Инженер будет у вас сегодня с 13 до 15 часов, он позвонит за полчаса.",
        queue: "Orders",
        tags: &["visit"],
    },
    Story {
        language: "de",
        subject: "Drucker zieht kein Papier ein",
        question: "Der Drucker im zweiten Stock meldet Papierstau, obwohl keiner da ist. Wir haben schon alles geöffnet.",
        note: "Einzugsrolle, Ersatzteil liegt im Lager Görlitz.",
        answer: "Das klingt nach der Einzugsrolle. Ein Techniker bringt morgen früh eine neue mit.",
        queue: "Devices",
        tags: &["printer", "hardware"],
    },
    Story {
        language: "de",
        subject: "Kalender zeigt falsche Uhrzeit",
        question: "Seit der Zeitumstellung stehen alle Termine eine Stunde zu früh im Kalender.",
        note: "Zeitzone am Server war fest eingetragen.",
        answer: "Die Zeitzone ist berichtigt. Bitte den Kalender einmal schließen und wieder öffnen.",
        queue: "Software",
        tags: &["calendar"],
    },
];
