"""Companies, brands, sections and the software readers use, by their real or plausible names."""

from __future__ import annotations

COMPANY_NAMES: tuple[tuple[str, str, str], ...] = (
    ("Nordlicht Medien", "SE", "DE"), ("Rheinpresse Verlag", "GmbH & Co. KG", "DE"), ("Alpenpost", "AG", "AT"),
    ("Limmat Publizistik", "AG", "CH"), ("Éditions du Rhône", "SA", "FR"), ("Presse Atlantique", "SAS", "FR"),
    ("Thames & Tyne Media", "plc", "GB"), ("Liffey News", "Ltd", "IE"), ("Grupo Meridiano", "SA", "ES"),
    ("Boğaziçi Yayıncılık", "AŞ", "TR"), ("دار النخيل للإعلام", "LLC", "AE"), ("海风传媒", "Ltd", "HK"),
)  # fmt: skip

BRAND_WORDS: tuple[str, ...] = (
    "Morgenpost", "Tageblatt", "Kurier", "Anzeiger", "Rundschau", "Courrier", "Gazette", "Tribune", "Observer",
    "Herald",
    "Chronicle", "El Faro", "La Crónica", "Gündem", "Horizont", "Wochenschau", "Studio Eins", "Radio Nord",
    "Wissen!", "Nachlese",
)  # fmt: skip

CATEGORIES: tuple[tuple[str, str, str | None, dict[str, str]], ...] = (
    ("politics", "Politics", None, {"de": "Politik", "fr": "Politique", "ar": "سياسة", "zh": "政治"}),
    ("economy", "Economy", None, {"de": "Wirtschaft", "fr": "Économie", "ar": "اقتصاد", "zh": "经济"}),
    ("culture", "Culture", None, {"de": "Kultur", "fr": "Culture", "ar": "ثقافة", "zh": "文化"}),
    ("sport", "Sport", None, {"de": "Sport", "fr": "Sport", "ar": "رياضة", "zh": "体育"}),
    ("science", "Science", None, {"de": "Wissen", "fr": "Sciences", "ar": "علوم", "zh": "科学"}),
    ("life", "Life", None, {"de": "Leben", "fr": "Vivre", "ar": "حياة"}),
    ("opinion", "Opinion", None, {"de": "Meinung", "fr": "Débats"}),
    ("local", "Local", None, {"de": "Lokales", "fr": "Région"}),
    ("domestic", "Domestic", "politics", {"de": "Inland", "fr": "France"}),
    ("world", "World", "politics", {"de": "Ausland", "fr": "Monde", "ar": "العالم", "zh": "国际"}),
    ("europe", "Europe", "politics", {"de": "Europa"}),
    ("elections", "Elections", "politics", {"de": "Wahlen", "fr": "Élections"}),
    ("markets", "Markets", "economy", {"de": "Börse", "fr": "Bourse", "zh": "市场"}),
    ("companies", "Companies", "economy", {"de": "Unternehmen", "fr": "Entreprises"}),
    ("work", "Work", "economy", {"de": "Arbeit", "fr": "Emploi"}),
    ("housing", "Housing", "economy", {"de": "Wohnen", "fr": "Logement", "es": "Vivienda"}),
    ("energy", "Energy", "economy", {"de": "Energie"}),
    ("film", "Film", "culture", {"de": "Film", "fr": "Cinéma"}),
    ("books", "Books", "culture", {"de": "Bücher", "fr": "Livres"}),
    ("music", "Music", "culture", {"de": "Musik", "fr": "Musique"}),
    ("theatre", "Theatre", "culture", {"de": "Bühne", "fr": "Théâtre"}),
    ("football", "Football", "sport", {"de": "Fußball", "fr": "Football", "ar": "كرة القدم"}),
    ("cycling", "Cycling", "sport", {"de": "Radsport", "fr": "Cyclisme"}),
    ("winter-sports", "Winter sports", "sport", {"de": "Wintersport"}),
    ("climate", "Climate", "science", {"de": "Klima", "fr": "Climat", "ar": "المناخ"}),
    ("health", "Health", "science", {"de": "Gesundheit", "fr": "Santé"}),
    ("technology", "Technology", "science", {"de": "Technik", "zh": "科技"}),
    ("space", "Space", "science", {"de": "Raumfahrt"}),
    ("travel", "Travel", "life", {"de": "Reise", "fr": "Voyage"}),
    ("food", "Food", "life", {"de": "Genuss", "fr": "Cuisine"}),
    ("family", "Family", "life", {"de": "Familie"}),
    ("letters", "Letters", "opinion", {"de": "Leserbriefe", "fr": "Courrier"}),
    ("columns", "Columns", "opinion", {"de": "Kolumnen"}),
    ("traffic", "Traffic", "local", {"de": "Verkehr"}),
    ("artificial-intelligence", "Artificial intelligence", "technology", {"de": "Künstliche Intelligenz",
        "zh": "人工智能"}),
    ("bundesliga", "Bundesliga", "football", {"de": "Bundesliga"}),
    ("transfers", "Transfers", "football", {}),
    ("recipes", "Recipes", "food", {"de": "Rezepte"}),
)  # fmt: skip

DEVICE_TYPES: tuple[tuple[str, str, str, int | None, int | None, bool, bool], ...] = (
    ("smartphone", "Smartphone", "handheld", 390, 844, True, True),
    ("tablet", "Tablet", "handheld", 820, 1180, True, True),
    ("desktop", "Desktop", "desk", 1920, 1080, False, False),
    ("laptop", "Laptop", "desk", 1440, 900, False, False),
    ("smart_tv", "Smart TV", "room", 3840, 2160, False, False),
    ("speaker", "Smart speaker", "room", None, None, False, False),
    ("watch", "Smartwatch", "wearable", 396, 484, True, True),
    ("car", "Car display", "vehicle", 1280, 720, True, False),
)  # fmt: skip

OPERATING_SYSTEMS: tuple[tuple[str, str, str | None, str, str | None, str | None, float | None, bool], ...] = (
    ("iOS", "17", "Apple", "darwin", "2023-09-18", None, 9.1, True),
    ("iOS", "18", "Apple", "darwin", "2024-09-16", None, 17.4, True),
    ("Android", "13", "Google", "linux", "2022-08-15", None, 8.2, True),
    ("Android", "14", "Google", "linux", "2023-10-04", None, 13.9, True),
    ("Android", "15", "Google", "linux", "2024-10-15", None, 9.8, True),
    ("Windows", "10", "Microsoft", "nt", "2015-07-29", "2025-10-14", 13.0, False),
    ("Windows", "11", "Microsoft", "nt", "2021-10-05", None, 12.5, False),
    ("macOS", "14", "Apple", "darwin", "2023-09-26", None, 3.1, False),
    ("macOS", "15", "Apple", "darwin", "2024-09-16", None, 4.4, False),
    ("Ubuntu", "24.04", "Canonical", "linux", "2024-04-25", "2029-05-31", 0.9, False),
    ("Debian", "12", "Debian Project", "linux", "2023-06-10", "2028-06-30", 0.4, False),
    ("ChromeOS", "126", "Google", "linux", "2024-06-25", None, 1.3, False),
    ("tvOS", "18", "Apple", "darwin", "2024-09-16", None, 0.6, False),
    ("webOS", "24", "LG", "linux", None, None, None, False),
    ("HarmonyOS", "5", "Huawei", "other", "2024-10-22", None, 0.7, True),
)  # fmt: skip

BROWSERS: tuple[tuple[str, str, str, str | None, str | None, bool], ...] = (
    ("Chrome", "126", "Blink", "Google", "2024-06-11", False),
    ("Chrome", "127", "Blink", "Google", "2024-07-23", False),
    ("Chrome Mobile", "127", "Blink", "Google", "2024-07-23", True),
    ("Safari", "17", "WebKit", "Apple", "2023-09-18", False),
    ("Mobile Safari", "17", "WebKit", "Apple", "2023-09-18", True),
    ("Mobile Safari", "18", "WebKit", "Apple", "2024-09-16", True),
    ("Firefox", "127", "Gecko", "Mozilla", "2024-06-11", False),
    ("Firefox", "128", "Gecko", "Mozilla", "2024-07-09", False),
    ("Firefox for Android", "128", "Gecko", "Mozilla", "2024-07-09", True),
    ("Edge", "126", "Blink", "Microsoft", "2024-06-13", False),
    ("Samsung Internet", "25", "Blink", "Samsung", "2024-04-24", True),
    ("Opera", "112", "Blink", "Opera", "2024-07-11", False),
    ("Vivaldi", "6.8", "Blink", "Vivaldi", "2024-06-11", False),
    ("Huawei Browser", "14", "Blink", "Huawei", None, True),
    ("Tor Browser", "13.5", "Gecko", None, "2024-06-18", False),
)  # fmt: skip

TABLE_NAMES: tuple[str, ...] = (
    "users", "user_accounts", "customer_sessions", "customer_events", "editorial_articles", "editorial_article_content",
    "company_employees", "compliance_user_consent", "security_user_sessions", "audit_logs", "ml_model_predictions",
)  # fmt: skip

COLUMN_NAMES: tuple[str, ...] = (
    "email", "birth_date", "phone", "last_login_ip", "balance_eur", "session_start", "title", "status",
    "salary_eur", "created_at",
)  # fmt: skip

USER_AGENTS: tuple[str, ...] = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Mobile Safari",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1",
    "curl/8.8.0",
)
