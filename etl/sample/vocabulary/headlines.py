"""Editorial text in seven languages: a headline is subject + predicate + tail, a body is a row of sentences."""

from __future__ import annotations

from typing import NamedTuple


class Language(NamedTuple):
    """`separator` stands between the parts of a headline and the sentences of a body (none in Chinese)."""

    code: str
    weight: float
    separator: str
    subjects: tuple[str, ...]
    predicates: tuple[str, ...]
    tails: tuple[str, ...]
    sentences: tuple[str, ...]


LANGUAGES: tuple[Language, ...] = (
    Language(
        "de", 0.40, " ",
        ("Die Bundesregierung", "Der Stadtrat", "Die Europäische Zentralbank", "Ein Forscherteam aus Zürich",
         "Der Mittelstand", "Die Nationalmannschaft", "Das Staatstheater", "Die Gewerkschaft ver.di",
         "Eine Familie aus Görlitz", "Der größte Autobauer", "Die Bahn", "Ein Start-up aus Köln"),
        ("beschließt neue Regeln für künstliche Intelligenz", "streitet über den Haushalt",
            "senkt überraschend die Preise",
         "warnt vor einem heißen Sommer", "feiert ein umjubeltes Comeback", "verschiebt den Umbau um zwei Jahre",
         "gewinnt vor Gericht", "setzt auf Wasserstoff", "kämpft gegen die Wohnungsnot", "öffnet seine Archive",
         "verliert den wichtigsten Sponsor"),
        ("– was das für Mieter bedeutet", "– eine Analyse", "und niemand schaut hin", "trotz aller Warnungen",
         "kurz vor der Wahl", "– der Überblick am Morgen", "– „Wir waren naiv“", "zum dritten Mal in Folge", ""),
        ("Am Dienstagabend stand fest, was sich seit Wochen angedeutet hatte.",
         "„Wir haben zu lange gewartet“, sagte die Ministerin nach der Sitzung.",
         "Fachleute rechnen mit Kosten von rund 1,4 Milliarden Euro.",
         "In den Straßen der Altstadt war davon zunächst wenig zu spüren.",
         "Die Opposition kündigte an, den Vorgang im Ausschuss zu prüfen.",
         "Für viele Beschäftigte ist das eine gute Nachricht, für manche kommt sie zu spät.",
         "Wie es weitergeht, soll eine Kommission bis zum Herbst klären."),
    ),
    Language(
        "en", 0.24, " ",
        ("The central bank", "A small coastal town", "The health ministry", "Britain's oldest bookshop",
         "The climate summit", "A jury in Dublin", "The national rail operator", "An orchestra of refugees",
         "The chip industry", "Two brothers from Leeds"),
        ("bets on cheaper electricity", "faces a summer of strikes", "rewrites the rules of the game",
         "admits to years of mistakes", "wins the case nobody expected", "opens its doors after a decade",
         "struggles to find teachers", "turns waste into fuel", "delays its biggest launch", "goes back to paper"),
        ("– and why it matters", "as prices keep rising", "despite warnings", "for the first time since 1987",
         "– live updates", "in five charts", "after a night of talks", ""),
        ("The decision came shortly after midnight, following eleven hours of talks.",
         "\"Nobody in this room is happy, and that is probably fair,\" one delegate said.",
         "Analysts had expected a rise of at least 0.25 percentage points.",
         "Residents said they had heard the promise before.",
         "The report, seen by this newspaper, runs to 212 pages.",
         "Officials declined to comment on individual cases.",
         "A final vote is expected before the summer recess."),
    ),
    Language(
        "fr", 0.14, " ",
        ("Le gouvernement", "La mairie de Lyon", "Un village des Cévennes", "Le constructeur ferroviaire",
         "L’Assemblée nationale", "Une chercheuse de Grenoble", "Le festival d’Avignon", "La filière du lait",
         "Les Bleues", "L’opérateur historique"),
        ("mise sur l’énergie solaire", "renonce à son projet d’extension", "dévoile un plan contesté",
         "s’inquiète de la sécheresse", "rouvre ses portes au public", "perd son procès en appel",
         "cherche encore des professeurs", "relance le débat sur les retraites", "remporte la finale"),
        (": ce qui va changer", "malgré les critiques", "à l’approche de l’été", ": notre enquête",
         "après une nuit de négociations", ": « Il était temps »", ""),
        ("La décision est tombée mardi soir, à l’issue d’une longue réunion.",
         "« Nous n’avons plus le choix », a reconnu la ministre devant la presse.",
         "Selon l’Insee, la hausse atteint 2,3 % sur un an.",
         "Sur place, les habitants disent leur lassitude.",
         "L’opposition dénonce un passage en force.",
         "Le texte doit être examiné à la rentrée."),
    ),
    Language(
        "es", 0.08, " ",
        ("El Gobierno", "La selección femenina", "Un barrio de Sevilla", "El Tribunal Supremo", "La industria del vino",
         "Una startup de Valencia", "El mayor puerto del país", "Los agricultores"),
        ("aprueba la reforma de la vivienda", "busca agua bajo tierra", "celebra una victoria histórica",
         "anuncia huelga para septiembre", "reduce la jornada laboral", "recupera un archivo perdido",
         "aplaza la subasta de energía", "pide ayuda a Bruselas"),
        (": las claves", "pese a las dudas", "tras meses de espera", "por tercer año consecutivo", ""),
        ("La votación terminó pasada la medianoche y sin sorpresas.",
         "«Llegamos tarde, pero llegamos», dijo la portavoz.",
         "El coste se estima en 320 millones de euros.",
         "Los vecinos llevan años esperando una respuesta.",
         "La próxima reunión está prevista para el 14 de octubre."),
    ),
    Language(
        "tr", 0.05, " ",
        ("Merkez Bankası", "İstanbul Büyükşehir Belediyesi", "Genç bir bilim insanı", "Kadın voleybol takımı",
         "Çay üreticileri", "Yeni hızlı tren hattı"),
        ("faiz kararını açıkladı", "ödülle döndü", "yeni projeyi tanıttı", "kuraklığa karşı uyardı",
         "tarihî bir başarıya ulaştı", "ertelendi"),
        ("– işte ayrıntılar", "ilk kez", "beklentilerin aksine", ""),
        ("Karar salı günü geç saatlerde açıklandı.",
         "“Artık beklemek istemiyoruz,” dedi mahalle sakinleri.",
         "Uzmanlar yüzde 3,5’lik bir artış bekliyor.",
         "Görüşmeler önümüzdeki hafta sürecek."),
    ),
    Language(
        "ar", 0.05, " ",
        ("البنك المركزي", "وزارة الصحة", "فريق من الباحثين في القاهرة", "المنتخب الوطني", "مهرجان قرطاج السينمائي",
         "شركة ناشئة من دبي", "مزارعو الزيتون"),
        ("يعلن عن خطة جديدة للطاقة", "تحذر من موجة حر طويلة", "يفوز بالجائزة الكبرى", "تؤجل المشروع إلى العام المقبل",
         "يفتح أبوابه أمام الجمهور", "تطلق منصة للتعليم عن بعد"),
        ("للمرة الأولى منذ عقود", "رغم الانتقادات", "بعد مفاوضات طويلة", ""),
        ("جاء القرار مساء الثلاثاء بعد اجتماع استمر عدة ساعات.",
         "وقالت الوزيرة: «لم يعد لدينا وقت للانتظار».",
         "ويتوقع الخبراء ارتفاعا بنسبة ٢٫٥ في المئة.",
         "ومن المقرر أن يصوت البرلمان على النص في الخريف."),
    ),
    Language(
        "zh", 0.04, "",
        ("中央银行", "上海的一家初创公司", "国家女子足球队", "一座百年图书馆", "新能源汽车产业", "研究人员",
            "气候峰会"),
        ("宣布下调利率", "公布最新研究成果", "时隔十年重新开放", "面临严峻的用水挑战", "推迟了最重要的发布会",
            "赢得关键一战"),
        ("：五个关键问题", "，专家这样看", "，市场反应平静", ""),
        ("这一决定于周二深夜公布。", "“我们已经等得太久了。”一位居民说。", "专家预计全年增幅约为百分之三。",
         "相关部门表示将继续关注事态发展。", "下一轮会谈将于十月举行。"),
    ),
)  # fmt: skip

TOPICS: tuple[tuple[str, str], ...] = (
    ("Wohnungsnot", "de"), ("Klimageld", "de"), ("Bürgergeld", "de"), ("Wärmepumpe", "de"), ("Rente", "de"),
    ("Bundesliga", "de"), ("Fachkräftemangel", "de"), ("Schuldenbremse", "de"), ("Bahnstreik", "de"), ("Pflege", "de"),
    ("künstliche Intelligenz", "de"), ("Hitzewelle", "de"), ("Leitzins", "de"), ("Großbaustelle", "de"),
    ("interest rates", "en"), ("heatwave", "en"), ("AI regulation", "en"), ("Wimbledon",
        "en"), ("NHS waiting lists", "en"),
    ("chip shortage", "en"), ("Premier League", "en"), ("electric cars", "en"), ("housing crisis", "en"),
    ("climate summit", "en"), ("teacher strike", "en"), ("cost of living", "en"), ("Nobel prize", "en"),
    ("retraites", "fr"), ("sécheresse", "fr"), ("Tour de France", "fr"), ("pouvoir d’achat",
        "fr"), ("législatives", "fr"),
    ("festival d’Avignon", "fr"), ("transition énergétique", "fr"), ("crise du logement", "fr"),
    ("vivienda", "es"), ("sequía", "es"), ("selección", "es"), ("inflación", "es"), ("turismo masivo", "es"),
    ("enflasyon", "tr"), ("voleybol", "tr"), ("deprem hazırlığı", "tr"),
    ("أسعار الفائدة", "ar"), ("موجة الحر", "ar"), ("الذكاء الاصطناعي", "ar"), ("كأس آسيا", "ar"),
    ("人工智能", "zh"), ("新能源汽车", "zh"), ("高温预警", "zh"), ("房地产市场", "zh"), ("世界杯预选赛", "zh"),
)  # fmt: skip

TAGS: tuple[str, ...] = (
    "politik", "wirtschaft", "kultur", "sport", "wissen", "reise", "meinung", "analysis", "opinion", "climate", "tech",
    "économie", "société", "santé", "deporte", "vivienda", "ekonomi", "kültür", "اقتصاد", "رياضة", "文化", "科技",
    "exklusiv",
    "breaking", "long read", "O'Neill", "24/7", "„Zitat“",
)  # fmt: skip
