"""Fills an empty Tryton database with customers whose sensitive values are unique markers.

Run once, by dev-kit, with the Python of the virtual environment. Writes a JSON file with the API keys, the
customers (to know whom to ask for) and the markers (to know what must never turn up elsewhere).
"""

import argparse
import datetime
import json
import random
from decimal import Decimal

from trytond import config

MARKER_CHARACTERS = "abcdefghjkmnpqrstuvwxyz23456789"
SENSITIVE_FIELDS = [
    "account_payable", "account_receivable", "bank_accounts", "conversion_probability", "credit_amount",
    "credit_limit_amount", "customer_payment_term", "lost_reason", "number_compact", "payable_today",
    "receivable_today", "sale.opportunity", "supplier_payment_term",
]
# Name, mail, language, city, postal code, street, service level. The last two share their mail and their phone.
CUSTOMERS = [
    ("Анна Соколова", "anna.sokolova@severny-veter.example", "ru", "Москва", "101000", "ул. Ленина 5", "gold"),
    ("Иван Морозов", "ivan.morozov@severny-veter.example", "ru", "Калининград", "236000", "пр. Мира 17", "standard"),
    ("Ксения Щербакова", "ksenia@shchukin.example", "ru", "Владивосток", "690001", "Садовая ул. 2", "silver"),
    ("Фёдор Ёлкин", "fedor.yolkin@baltlines.example", "ru", "Калининград", "236000", "Набережная ул. 9", "standard"),
    ("Emma Taylor", "emma.taylor@northwind-traders.example", "en", "London", "EC1A 1BB", "12 High Street", "gold"),
    ("James O'Brien", "james.obrien@northwind-traders.example", "en", "London", "EC1A 1BB", "12 High Street", "gold"),
    ("Zoë Brontë", "zoe.bronte@copperfield-books.example", "en", "Leeds", "LS1 4AP", "3 Mill Lane", "standard"),
    ("Rhys Smith-Jones", "rhys@greenacre.example", "en", "Bristol", "BS1 5TR", "Harbour Way 44", "silver"),
    ("Niamh MacLeod", "niamh.macleod@fairbridge.example", "en", "Edinburgh", "EH1 1YZ", "8 Queen's Walk", "standard"),
    ("Jörg Müller", "joerg.mueller@mbkrueger.example", "de", "München", "80331", "Hauptstraße 1", "gold"),
    ("Katrin von der Heide", "katrin.vonderheide@alpenblick.example", "de", "Görlitz", "02826", "Am Weiher 6", "silver"),
    ("Uwe Groß", "uwe.gross@optik-weiss.example", "de", "Köln", "50667", "Lindenallee 20", "standard"),
    ("Lena Schröder", "lena.schroeder@lindner-soehne.example", "de", "Berlin", "10115", "Schloßplatz 3", "standard"),
    ("Aino Hämäläinen", "aino.hamalainen@pohjantahti.example", "fi", "Oulu", "90100", "Rantatie 11", "silver"),
    ("Väinö Åkerblom", "vaino.akerblom@revontuli.example", "fi", "Helsinki", "00100", "Kauppakatu 5", "gold"),
    ("Yrjö Mäkelä", "yrjo.makela@kaisla.example", "fi", "Jyväskylä", "40100", "Hämeentie 73", "standard"),
    ("נועה כהן", "noa.cohen@oranim-systems.example", "en", "תל אביב", "6100000", "רחוב הרצל 14", "gold"),
    ("יוסף לוי", "yosef.levi@hashachar.example", "en", "חיפה", "3100000", "דרך הים 8", "standard"),
    ("תמר בן-דוד", "tamar.ben-david@yam-tichon.example", "en", "באר שבע", "8400000", "רחוב הגפן 30", "silver"),
    ("Dewi Santoso", "dewi.santoso@angintimur.example", "id", "Jakarta", "10110", "Jalan Sudirman 2", "silver"),
    ("Budi Wijaya", "budi.wijaya@kopinusantara.example", "id", "Surabaya", "60111", "Jalan Merdeka 19", "standard"),
    ("Wayan Pratama", "wayan.pratama@lautbiru.example", "id", "Makassar", "90111", "Jalan Pahlawan 7", "standard"),
    ("Siti Nasution", "siti.nasution@batikmelati.example", "id", "Jayapura", "99111", "Jalan Diponegoro 1", "gold"),
    ("Marek Novák", "office@shared-mail.example", "en", "Bristol", "BS1 5TR", "Station Road 4", "standard"),
    ("Ingrid Novák", "office@shared-mail.example", "en", "Bristol", "BS1 5TR", "Station Road 4", "standard"),
]


class Markers:
    """Makes values that nobody meets by chance, and remembers them."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.found = []

    def _note(self, kind, field, record, value):
        self.found.append({"kind": kind, "field": field, "record": record, "value": value})

    def text(self, field, record, plain):
        marker = "mark" + "".join(self.random.choice(MARKER_CHARACTERS) for _ in range(20))
        self._note("text", field, record, marker)
        return f"{plain} {marker}"

    def amount(self, field, record):
        # No trailing zero, so that the shortest spelling has all its digits.
        cents = self.random.randrange(1, 10) * 10 + self.random.randrange(1, 10)
        value = f"{self.random.randrange(10_000_000, 100_000_000)}.{cents}"
        self._note("amount", field, record, value)
        return Decimal(value)

    def iban(self, field, record):
        account = "".join(self.random.choice("0123456789") for _ in range(18))
        check = 98 - int(account + "131400") % 97
        value = f"DE{check:02d}{account}"
        self._note("iban", field, record, value)
        # Tryton keeps and answers it in groups of four.
        self._note("iban", field, record, " ".join(value[at:at + 4] for at in range(0, len(value), 4)))
        return value

    def phone(self, field, record):
        value = "+3512" + "".join(self.random.choice("0123456789") for _ in range(8))
        self._note("phone", field, record, value)
        return value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--facts", required=True)
    arguments = parser.parse_args()
    # The pool reads the configuration when it is imported.
    config.update_etc(arguments.config)

    from trytond.pool import Pool
    from trytond.transaction import Transaction

    Pool.start()
    pool = Pool(arguments.database)
    with Transaction().start(arguments.database, 0):
        pool.init()
    with Transaction().start(arguments.database, 1, context={"active_test": False}) as transaction:
        facts = fill(pool, transaction, Markers(arguments.seed))
    with open(arguments.facts, "w", encoding="utf-8") as file:
        json.dump(facts, file, ensure_ascii=False, indent=1)


def fill(pool, transaction, markers):
    company, employee, currency = own_company(pool, markers)
    User = pool.get("res.user")
    admin, = User.search([("login", "=", "admin")])
    admin.companies = [company]
    admin.company = company
    admin.save()
    bridge = User(name="Bridge", login="bridge", companies=[company], company=company)
    bridge.save()
    # Outside of the company: what is set inside is seen only by callers who name the company.
    customers = make_customers(pool, markers)
    with transaction.set_context(company=company.id, companies=[company.id]):
        make_finances(pool, markers, customers, currency)
        make_opportunities(pool, markers, customers, company, employee, currency)
    return {
        "key": api_key(pool, bridge),
        "admin_key": api_key(pool, admin),
        "fields": SENSITIVE_FIELDS,
        "markers": markers.found,
        "customers": [
            {"id": party.id, "name": party.name, "email": row[1], "language": row[2], "phone": party.phone}
            for party, row in zip(customers, CUSTOMERS)
        ],
    }


def own_company(pool, markers):
    Party, Company = pool.get("party.party"), pool.get("company.company")
    Employee, Currency = pool.get("company.employee"), pool.get("currency.currency")
    Rate = pool.get("currency.currency.rate")
    currency = Currency(name="Euro", symbol="€", code="EUR", numeric_code="978")
    currency.rates = [Rate(date=datetime.date(2020, 1, 1), rate=Decimal(1))]
    currency.save()
    own = Party(name="Our own company")
    own.save()
    company = Company(party=own, currency=currency, timezone="UTC")
    company.save()
    Mechanism = pool.get("party.contact_mechanism")
    seller = Party(name=markers.text("owner.name", "employee", "Vera Lindqvist"))
    seller.contact_mechanisms = [Mechanism(type="phone", value=markers.phone("owner.phone", "employee"))]
    seller.save()
    employee = Employee(party=seller, company=company)
    employee.save()
    return company, employee, currency


def make_customers(pool, markers):
    Party, Address = pool.get("party.party"), pool.get("party.address")
    Mechanism, Category = pool.get("party.contact_mechanism"), pool.get("party.category")
    Lang = pool.get("ir.lang")
    languages = {lang.code: lang for lang in Lang.search([])}
    levels = {name: Category(name=name) for name in ("gold", "silver", "standard")}
    Category.save(list(levels.values()))
    parties = []
    for number, (name, mail, language, city, postal_code, street, level) in enumerate(CUSTOMERS):
        # The two who share their mail share their phone too.
        phone = f"+44207946{min(number, len(CUSTOMERS) - 2):04d}"
        party = Party(name=name, lang=languages[language], categories=[levels[level]])
        party.addresses = [Address(street_unstructured=street, postal_code=postal_code, city=city)]
        party.contact_mechanisms = [
            Mechanism(type="email", value=mail),
            Mechanism(type="phone", value=phone),
            Mechanism(type="mobile", value=f"+447700900{number:03d}"),
            Mechanism(type="other", value="note", comment=markers.text("note", name, "Pays late")),
        ]
        parties.append(party)
    Party.save(parties)
    return parties


def make_finances(pool, markers, customers, currency):
    Bank, Party = pool.get("bank"), pool.get("party.party")
    Account, Number = pool.get("bank.account"), pool.get("bank.account.number")
    house = Party(name="Bank of the Sandbox")
    house.save()
    bank = Bank(party=house)
    bank.save()
    for party in customers:
        account = Account(bank=bank, owners=[party], currency=currency)
        account.numbers = [Number(type="iban", number=markers.iban("bank_accounts.numbers.number", party.name))]
        account.save()
        party.credit_limit_amount = markers.amount("credit_limit_amount", party.name)
        party.save()


def make_opportunities(pool, markers, customers, company, employee, currency):
    Opportunity = pool.get("sale.opportunity")
    today = datetime.date.today()
    opportunities = []
    for number, party in enumerate(customers):
        opportunities.append(Opportunity(
            party=party, address=party.addresses[0], company=company, employee=employee, currency=currency,
            description=markers.text("sale.opportunity.description", party.name, "Renewal"),
            comment=markers.text("sale.opportunity.comment", party.name, "Would sign at 15 % discount"),
            amount=markers.amount("sale.opportunity.amount", party.name),
            start_date=today, end_date=today + datetime.timedelta(days=30 + number),
            conversion_probability=0.5, state="opportunity",
        ))
    Opportunity.save(opportunities)


def api_key(pool, user):
    Application = pool.get("res.user.application")
    application = Application(user=user, application="rest", state="validated")
    application.save()
    return application.key


main()
