"""Given and family names, job titles and departments, as a media company in several countries has them."""

from __future__ import annotations

FIRST_NAMES: tuple[str, ...] = (
    "Anna", "Ben", "Clara", "David", "Elif", "Felix", "Greta", "Hannah", "Ismail", "Jürgen", "Katharina", "Lukas",
    "Marie",
    "Noah", "Oskar", "Paula", "Robert", "Sophie", "Tomasz", "Ursula", "Viktor", "Zoë", "Aïcha", "Benoît", "Chloé",
    "Éloïse",
    "François", "Gaëlle", "Hélène", "Inès", "José", "Lucía", "Núria", "Ángel", "Íñigo", "Giulia", "Matteo",
    "Siobhán", "Seán",
    "Olivia", "Harry", "Amelia", "Łukasz", "Małgorzata", "Jiří", "Zsófia", "Ștefan", "Γιώργος", "Олена", "Çağla",
    "Özgür",
    "محمد", "فاطمة", "ليلى", "عمر", "伟", "芳", "静", "さくら", "지훈", "Priya", "Arjun", "Chidi", "Ngozi", "Thandiwe",
)  # fmt: skip

LAST_NAMES: tuple[str, ...] = (
    "Müller", "Schmidt", "Schneider", "Fischer", "Weber", "Meyer", "Wagner", "Schäfer", "Koch", "Groß", "Özdemir",
    "Yılmaz",
    "Kaya", "Martin", "Bernard", "Lefèvre", "Dubois", "Moreau", "D'Angelo", "Rossi", "Bianchi", "García", "Fernández",
    "Muñoz", "López", "Silva", "Gonçalves", "O'Brien", "O’Sullivan", "Smith", "Taylor", "Jones", "Brown",
    "van den Berg",
    "de Vries", "Jørgensen", "Åkesson", "Nowak", "Wójcik", "Dvořák", "Nagy", "Ionescu", "Παπαδόπουλος", "Шевченко",
    "بن علي",
    "الحسن", "王", "李", "張", "佐藤", "김", "Patel", "Sharma", "Okafor", "Adeyemi", "Nkosi", "Ben-David", "Haddad",
)  # fmt: skip

MAIL_NAMES: tuple[str, ...] = (
    "anna", "ben", "clara", "david", "elif", "felix", "greta", "hannah", "ismail", "juergen", "kathi", "lukas", "marie",
    "noah", "oskar", "paula", "robert", "sophie", "tomasz", "uschi", "viktor", "zoe", "aicha", "chloe", "lucia",
    "matteo",
    "sean", "olivia", "lukasz", "jiri", "mohamed", "leila", "wei", "priya", "chidi", "thandi",
)  # fmt: skip

MAIL_DOMAINS: tuple[str, ...] = (
    "example.com", "example.org", "example.net", "mail.example.com", "post.example.org", "correo.example.net",
)  # fmt: skip

JOB_TITLES: tuple[str, ...] = (
    "Redakteurin", "Redakteur", "Chefredakteurin", "Reporter", "Photo Editor", "Data Journalist", "Sub-Editor",
    "Journaliste", "Secrétaire de rédaction", "Product Manager", "Software Engineer", "Data Engineer", "UX Designer",
    "Account Manager", "Controllerin", "Buchhalter", "HR Business Partner", "Legal Counsel", "Marketing Manager",
    "Anzeigenleiterin", "Grafiker", "Producer", "Tontechniker", "Volontärin",
)  # fmt: skip

DEPARTMENTS: tuple[str, ...] = (
    "Redaktion", "Politik", "Wirtschaft", "Sport", "Kultur", "Foto & Grafik", "Video", "Audio", "Newsdesk", "Recherche",
    "Produktentwicklung", "Datenplattform", "IT-Betrieb", "Marketing", "Vertrieb", "Anzeigen", "Leserservice",
    "Personal",
    "Finanzen", "Recht & Compliance", "Facility", "Strategie",
)  # fmt: skip

SKILLS: tuple[str, ...] = (
    "research", "interview", "photography", "video editing", "SQL", "Python", "Korrektorat", "traduction", "SEO",
    "layout", "moderation", "investigation", "negotiation", "accounting", "GDPR", "first aid",
)  # fmt: skip
